"""A page that no table of contents names is listed where `topics.md` says ``(rest)``."""

from fnmatch import fnmatch
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]


def unlisted() -> list[str]:
    """Return the names of these pages; lines of the tables of contents are names or patterns."""
    tables = [(DOCS / f"{page}.md").read_text(encoding="utf-8") for page in ("index", "topics")]
    lines = [line for line in "\n".join(tables).splitlines() if line]
    names = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "index")
    return [name for name in names if not any(fnmatch(name, line) for line in lines)]


def read(_app: Sphinx, docname: str, content: list[str]) -> None:
    """Put them in."""
    if docname == "topics":
        content[0] = content[0].replace("(rest)", "\n".join(unlisted()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
