"""Where a line may break: code stays whole, and long names part at their dots and underscores."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_WHOLE = 30  # characters of code that fit on a phone's line
_ROW = 14  # and in a column of a table
_ELEMENT = re.compile(r'<(/?)(?:td|th)\b|<span class="pre">([^<]*)</span>|(<h1>)pearlite\.')
_JOINT = re.compile(r"(?<=[\w)])([._/])(?=\w)")


def _parted(body: str) -> str:
    cell = False

    def written(found: re.Match[str]) -> str:
        nonlocal cell
        close, word, heading = found.groups()
        if heading:
            return f"{heading}pearlite.<wbr>"
        if word is None:
            cell = not close
            return found[0]
        if len(word) <= (_ROW if cell else _WHOLE):
            return f'<span class="pre whole">{word}</span>'
        parts = _JOINT.sub(r"\1<wbr>", word)
        return f'<span class="pre">{parts}</span>'

    return _ELEMENT.sub(written, body)


def part(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Put the places into the text of a page."""
    if "body" in context:
        context["body"] = _parted(context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("html-page-context", part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
