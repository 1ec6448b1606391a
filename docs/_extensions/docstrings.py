"""What docstrings mean by their plain text."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from sphinx.application import Sphinx


class _Named(NamedTuple):
    field: int


_CODE = re.compile(r"(``.*?``|^\s*(?:>>>|\.\.\.) .*)")
# A star before a word, as in (..., *shape), that no star behind a word closes. Titles, which may
# go on in the next line, have a capital.
_STAR = re.compile(r"(?<![\w*])\*(?=[a-z_])(?!.*\w\*(?!\w))")
_DOTS = re.compile(r"(?<!`)`(\.\.\.)`(?!`)")  # no name


def plain(
    _app: Sphinx, _what: str, _name: str, _thing: object, _options: object, lines: list[str]
) -> None:
    """Let a bar be that of an absolute value and a star one of Python: nothing is substituted."""
    for k in list(_of_text(lines)):
        pieces = _CODE.split(_DOTS.sub(r"``\1``", lines[k]))
        pieces[::2] = [_STAR.sub(r"\\*", piece.replace("|", r"\|")) for piece in pieces[::2]]
        lines[k] = "".join(pieces)


def _of_text(lines: list[str]) -> Iterator[int]:
    """Yield the numbers of lines that are not of a formula."""
    margin = -1  # of the formula's directive
    for k, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith(".. math::"):
            margin = indent
        elif line.strip() and indent <= margin:
            margin = -1
        if margin < 0:
            yield k


def skip(
    _app: Sphinx, _what: str, _name: str, thing: object, skipped: bool, _options: object
) -> bool:
    """Leave out what a class has from others than ours."""
    own = getattr(thing, "fget", thing)
    of = own if hasattr(own, "__module__") else getattr(own, "__objclass__", None)
    home = getattr(of, "__module__", None)
    field = isinstance(thing, type(_Named.field))  # that of a named tuple: its text tells nothing
    return skipped or field or (home is not None and not home.startswith("pearlite"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both; numpydoc reads the lines first."""
    app.connect("autodoc-process-docstring", plain, priority=900)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
