"""Letters with an index or an exponent, written as `w_k` and `h^1.5`, are set as such."""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.addnodes import desc_content, desc_signature, pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

_INDEX = re.compile(
    r"(?<![\w.\"'])(?P<letter>(?:[∂∇δΣ∫∏]?[A-Za-zΑ-Ωα-ω]\u0304?|[Σ∫∏])\*?)"
    r"(?:_(?P<below>\{[^{}]+\}|(?:eff|max|min|[0-9A-Za-zα-ω]{1,2})(?![A-Za-z0-9_]|\.\w))"
    r"|\^(?P<above>[−-]?(?:\d+(?:\.\d+)?|[a-z])(?!\w)|\([^()]*\)))"
)
_CODE = (
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.strong,  # the name of an argument
    desc_signature,
    pending_xref,
)


def _set(text: str) -> Iterator[nodes.Node]:
    end = 0
    for found in _INDEX.finditer(text):
        yield nodes.Text(text[end : found.start()] + found["letter"])
        if found["below"]:
            yield nodes.subscript("", "", *_set(found["below"].strip("{}")))
        else:
            yield nodes.superscript("", found["above"].strip("()").replace("-", "−"))
        end = found.end()
    yield nodes.Text(text[end:])


def _is_code(node: nodes.Node) -> bool:
    while node is not None and not isinstance(node, desc_content):
        if isinstance(node, _CODE):
            return True
        node = node.parent
    return False


class Subscripts(SphinxTransform):
    """Set them wherever they stand in text."""

    default_priority = 410

    def apply(self) -> None:
        """Go through the text of this page."""
        for node in list(self.document.findall(nodes.Text)):
            if _INDEX.search(node) and not _is_code(node):
                node.parent.replace(node, [part for part in _set(node) if part.astext()])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(Subscripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
