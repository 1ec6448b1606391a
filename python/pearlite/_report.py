"""One self-contained HTML page: what the workflows' `.report(path)` write.

A page is a list of blocks, in the order in which they were added. Its pictures are PNG inside the
file, so that it can be mailed; it reads on a phone and on a desk, in light and in dark.
"""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pearlite.io.errors import optional
from pearlite.io.writing import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 160
_CSS = """
:root { color-scheme: light dark; --ink: #222; --dim: #667; --line: #d5d8de; --back: #fff;
  --tile: #f4f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --dim: #9aa1ad; --line: #3a3f49;
  --back: #17191d; --tile: #20242b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 66rem; background: var(--back);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
p { max-width: 46rem; margin: .5rem 0; overflow-wrap: anywhere; }
.lead, .caption, figcaption, footer, dt { color: var(--dim); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem;
  margin: 1rem 0; }
dl div { background: var(--tile); border-radius: .4rem; padding: .5rem .7rem; }
dt { font-size: .8rem; line-height: 1.3; }
dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.table { overflow-x: auto; margin: .3rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.caption { font-size: .9rem; margin: 1rem 0 0; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }
.number { text-align: right; }
.figures { display: grid; gap: 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figure.wide { grid-column: 1 / -1; }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: .4rem; }
figcaption { font-size: .85rem; line-height: 1.4; padding-top: .3rem; max-width: 46rem; }
footer { margin-top: 2.5rem; font-size: .8rem; }
"""


class Report:
    """A page under construction.

    All text is plain and is escaped here; numbers in tables are shown with five digits.

    Parameters
    ----------
    title : str
        Heading of the page, and its name in the browser.
    lead : str
        One sentence below it.

    Examples
    --------
    >>> page = Report("Two phases", "as measured")
    >>> page.paragraph("Fractions are exact.")
    >>> page.table({"phase": [0, 1], "fraction": [0.25, 0.75]})
    >>> "<td class=number>0.25</td>" in page.html()
    True
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self.title = title
        self._blocks: list[str] = [f"<h1>{_text(title)}</h1>"]
        self._figures: list[str] = []  # those since the last other block, which share a row
        if lead:
            self._blocks.append(f"<p class=lead>{_text(lead)}</p>")

    def heading(self, text: str) -> None:
        """Add the heading of a section."""
        self._add(f"<h2>{_text(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self._add(f"<p>{_text(text)}</p>")

    def facts(self, facts: Mapping[str, object]) -> None:
        """Add the few values that matter most, as tiles: name to value."""
        tiles = "".join(
            f"<div><dt>{_text(name)}</dt><dd>{_text(_shown(value))}</dd></div>"
            for name, value in facts.items()
        )
        self._add(f"<dl>{tiles}</dl>")

    def table(self, columns: Mapping[str, Sequence[Any]], caption: str = "") -> None:
        """Add a table, given as columns of the same length."""
        numeric = [all(not isinstance(value, str) for value in c) for c in columns.values()]
        head = _row("th", columns, numeric)
        rows = "".join(_row("td", row, numeric) for row in zip(*columns.values(), strict=True))
        title = f"<p class=caption>{_text(caption)}</p>" if caption else ""
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        self._add(f"{title}<div class=table>{table}</div>")

    def figure(
        self,
        draw: Callable[[Figure], None],
        caption: str,
        *,
        size: tuple[float, float] = (4.8, 3.4),
        wide: bool = False,
    ) -> None:
        """Add a picture; those added one after another stand side by side where there is room.

        Parameters
        ----------
        draw : callable
            Draws into the empty matplotlib figure it is given, in the package's style.
        caption : str
            Stands below the picture, and for it where it cannot be seen.
        size : (width, height)
            In inches of 160 pixels; text has 9 points.
        wide : bool
            Whether it takes the page's whole width.
        """
        data = base64.b64encode(_png(draw, size)).decode("ascii")
        kind = " class=wide" if wide else ""
        self._figures.append(
            f'<figure{kind}><img alt="{_text(caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{_text(caption)}</figcaption></figure>"
        )

    def html(self) -> str:
        """Return the page."""
        from pearlite import __version__

        self._close_figures()
        body = "\n".join(self._blocks)
        return (
            "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n"
            '<meta name=viewport content="width=device-width, initial-scale=1">\n'
            f"<title>{_text(self.title)}</title>\n<style>{_CSS}</style></head>\n"
            f"<body>\n{body}\n<footer>pearlite {__version__}</footer>\n</body></html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page; the file appears whole or not at all.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        page = self.html()
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8")

    def _add(self, block: str) -> None:
        self._close_figures()
        self._blocks.append(block)

    def _close_figures(self) -> None:
        if self._figures:
            self._blocks.append(f"<div class=figures>{''.join(self._figures)}</div>")
            self._figures = []


def _png(draw: Callable[[Figure], None], size: tuple[float, float]) -> bytes:
    """Draw without a window or any state of pyplot; the same picture gives the same bytes."""
    from pearlite.plot import STYLE

    matplotlib = optional("matplotlib", "plot", "a report")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()


def _row(tag: str, cells: Iterable[object], numeric: Sequence[bool]) -> str:
    shown = (
        f"<{tag}{' class=number' if number else ''}>{_text(_shown(cell))}</{tag}>"
        for cell, number in zip(cells, numeric, strict=True)
    )
    return f"<tr>{''.join(shown)}</tr>"


def _shown(value: object) -> str:
    """Show a number with five digits, nothing for None, and anything else as it is."""
    if value is None:
        return "–"
    if isinstance(value, float) or hasattr(value, "dtype"):
        number = float(value)  # type: ignore[arg-type]  # numpy's scalars
        if number.is_integer() and abs(number) < 1e15:
            return f"{number:.0f}"
        return f"{number:.5g}"
    return str(value)


def _text(text: str) -> str:
    return html.escape(text, quote=True)
