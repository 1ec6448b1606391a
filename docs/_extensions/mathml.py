"""Mathematics as MathML, which browsers draw themselves: no script, no font, no network."""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)
# Docstrings have these signs as they look, so that they can be read without a browser.
_SIGNS = {
    "·": r"\cdot ",
    "×": r"\times ",
    "∂": r"\partial ",
    "∇": r"\nabla ",
    "∫": r"\int ",
    "Σ": r"\sum ",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "≤": r"\le ",
    "−": "-",
    "≈": r"\approx ",
    "‖": r"\Vert ",
    "⪰": r"\succeq ",
    "½": r"\frac{1}{2} ",
    "⋯": r"\cdots ",
    "ᵀ": "^T",
}
# What a reader of the text understands and TeX would not: in this order.
_HABITS = [
    (re.compile("(.)\u0304"), r"\\bar{\1}"),
    (re.compile(r"\\[bB]ig(?![a-z])"), ""),  # fences grow by themselves
    (re.compile(r"(\\t?frac) ?(\d)(\d)"), r"\1{\2}{\3}"),  # two numbers, not one
    (re.compile(r"_([a-z]{2})(?![A-Za-z])"), r"_{\1}"),
    (
        re.compile(r"(?<![\\{A-Za-z])(argmin|softmax|min|exp|cos|sin|Var|Re)(?![A-Za-z}])"),
        r"\\operatorname{\1}",
    ),
    (re.compile(r"(?<=\S)\s+(or|for all)\s+(?=\S)"), r"\\quad \\text{\1}\\quad "),
    (re.compile(r"(?<=\S) {3,}(?=\S)"), r"\\quad "),
]
# A bar for absolute values has no space beside it. A root is a sign and brackets: a browser without
# a font for mathematics, as on many phones, draws none.
_MARKS = [
    (re.compile(r"<mo[^>]*>\|</mo>"), '<mo stretchy="false" lspace="0" rspace="0">|</mo>'),
    (re.compile("<msqrt>"), '<mrow><mi>√</mi><mo stretchy="false">(</mo>'),
    (re.compile("</msqrt>"), '<mo stretchy="false">)</mo></mrow>'),
]


def _written(node: nodes.math | nodes.math_block, display: bool) -> str:
    text = node.astext()
    for habit, command in _HABITS:
        text = habit.sub(command, text)
    for sign, command in _SIGNS.items():
        text = text.replace(sign, command)
    try:
        written = str(tex2mathml(text.strip(), as_block=display))
    except (MathError, SyntaxError) as error:
        logger.warning("%s in %r", error, node.astext(), location=node, type="mathml")
        return ""
    for mark, drawn in _MARKS:
        written = mark.sub(drawn, written)
    return written


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(_written(node, display=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that stands alone, which scrolls where the screen is narrow."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    self.body.append(_written(node, display=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer, which Sphinx takes where no other is."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
