"""Each picture of a page leads to its file, where a phone can enlarge it."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# An anchor around the picture, if there is one already, is taken along and left alone.
_PICTURE = re.compile(r'(<a [^>]*>\s*)?(<img [^>]*?src="([^"]+)"[^>]*>)')


def _linked(found: re.Match[str]) -> str:
    around, picture, path = found.groups()
    if around or "/thumb/" in path or "sphx_glr_thumb" in path or path.endswith("_thumb.png"):
        return found[0]
    return f'<a class="picture" href="{path}">{picture}</a>'


def link(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Put the links into the text of a page."""
    if "body" in context:
        context["body"] = _PICTURE.sub(_linked, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("html-page-context", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
