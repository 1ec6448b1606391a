"""Pages that live elsewhere in the repository, and links that leave this folder.

All Markdown of the repository links by paths, as a reader of the files needs them. Here such a link
leads to the page if there is one, to the file itself if it is no page, and a folder is only named.
"""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PAGES = {
    "benchmarks": ROOT / "benchmarks" / "README.md",
    "changelog": ROOT / "CHANGELOG.md",
    "contributing": ROOT / "CONTRIBUTING.md",
}
_LINK = re.compile(r"\[([^][]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def _rewritten(link: re.Match[str], folder: Path) -> str:
    text, path, anchor = link[1], link[2], link[3] or ""
    if path.startswith("/"):
        return link[0]
    target = (folder / path).resolve()
    if target.is_dir():
        return text
    for page, source in PAGES.items():
        if target == source:
            return f"[{text}](/{page}.md{anchor})"
    return f"[{text}](/{os.path.relpath(target, DOCS)}{anchor})"


def read(_app: Sphinx, docname: str, content: list[str]) -> None:
    """Take the text of a page from where it lives, and make its links those of the site."""
    home = PAGES.get(docname, DOCS / f"{docname}.md")
    if docname.startswith("generated/") or not home.exists():
        return
    if docname in PAGES:
        content[0] = home.read_text(encoding="utf-8")
    content[0] = _LINK.sub(lambda link: _rewritten(link, home.parent), content[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
