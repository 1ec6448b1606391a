"""The HTML page that workflows write."""

import base64
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pearlite._report import Report
from pearlite.io import FileError


class _Nesting(HTMLParser):
    """Follows open elements; every one that is not void has to be closed in order."""

    VOID = {"meta", "img", "br"}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    parser = _Nesting()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return " ".join(parser.text)


def draw(figure):
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1])


def full_page():
    page = Report("Sandstone <&>", "a lead")
    page.facts({"porosity": 0.25, "pixels": 4096, "missing": None})
    page.heading("Table")
    page.table({"phase": ["0", "1"], "length": [np.float64(1 / 3), 2.0]}, caption="Means")
    page.figure(draw, 'a "line"')
    page.figure(draw, "another", wide=True, size=(8, 2))
    page.paragraph("after <script>alert(1)</script>")
    return page


def test_a_page_is_nested_and_escaped():
    text = parsed(full_page().html())
    for part in ("Sandstone <&>", "a lead", "0.25", "4096", "0.33333", "Means", "alert(1)", "–"):
        assert part in text
    assert "<script>" not in full_page().html()


def test_a_page_needs_nothing_else():
    page = full_page().html()
    sources = re.findall(r"""(?:src|href)=["']?(.{10})""", page)
    assert sources == ["data:image"] * 2
    assert "url(" not in page
    assert "@import" not in page


def test_pictures_are_png_of_the_given_size_and_share_a_row():
    page = full_page().html()
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) == 2
    sizes = []
    for picture in pictures:
        data = base64.b64decode(picture, validate=True)
        assert data.startswith(b"\x89PNG")
        sizes.append(tuple(int.from_bytes(data[k : k + 4], "big") for k in (16, 20)))
    assert sizes == [(768, 544), (1280, 320)]
    assert page.count("<div class=figures>") == 1


def test_the_same_page_has_the_same_bytes():
    assert full_page().html() == full_page().html()


def test_a_page_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "page.html"
    target.write_text("before")
    page = full_page()
    page.write(target)
    assert target.read_text(encoding="utf-8") == page.html()
    with pytest.raises(FileError, match="none"):
        page.write(tmp_path / "none" / "page.html")
    assert os.listdir(tmp_path) == ["page.html"]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        Report("x").table({"a": [1, 2], "b": [1]})
