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
    "½": r"\frac12 ",
    "⋯": r"\cdots ",
    "ᵀ": "^T",
}
_OVERLINED = re.compile("(.)\u0304")
_GROWING = re.compile(r"\\[bB]ig(?![a-z])")  # fences grow by themselves


def _written(node: nodes.math | nodes.math_block, display: bool) -> str:
    text = _OVERLINED.sub(r"\\bar{\1}", _GROWING.sub("", node.astext()))
    for sign, command in _SIGNS.items():
        text = text.replace(sign, command)
    try:
        return str(tex2mathml(text.strip(), as_block=display))
    except (MathError, SyntaxError) as error:
        logger.warning("%s in %r", error, node.astext(), location=node, type="mathml")
        return ""


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
