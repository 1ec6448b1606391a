"""Each picture of a page leads to its file, where a phone can enlarge it."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size

# An anchor around the picture, if there is one already, is taken along and left alone.
_PICTURE = re.compile(r'(<a [^>]*>\s*)?(<img [^>]*?src="([^"]+)"[^>]*>)')
_WIDE = 1000  # pixels, of a picture with so many panels that a phone shows it larger


def _linked(found: re.Match[str], files: dict[str, Path]) -> str:
    around, picture, path = found.groups()
    if around or "/thumb/" in path or "sphx_glr_thumb" in path or path.endswith("_thumb.png"):
        return found[0]
    file = files.get(path.rpartition("/")[2])
    size = None if file is None else get_image_size(file)
    kind = "picture wide" if size and size[0] > _WIDE else "picture"
    return f'<a class="{kind}" href="{path}">{picture}</a>'


def link(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Put the links into the text of a page."""
    if "body" in context:
        files = {name: app.srcdir / path for path, (_, name) in app.env.images.items()}
        context["body"] = _PICTURE.sub(lambda found: _linked(found, files), context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("html-page-context", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
