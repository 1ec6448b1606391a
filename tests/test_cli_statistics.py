"""`pearlite statistics` as its user meets it."""

import csv
import json
import os
from functools import partial

import numpy as np
import pytest
from PIL import Image

import pearlite as pl

IMAGE = pl.microstructures.thresholded_noise(1, (24, 20), length=2, fractions=(0.75, 0.25), seed=1)[
    0
]


@pytest.fixture
def pearlite(pearlite):
    """Run the command in an empty folder; return exit code, stdout and stderr."""
    return partial(pearlite, "statistics")


def test_an_image_to_the_terminal(pearlite):
    Image.fromarray(IMAGE * np.uint8(255)).save("image.png")
    code, out, err = pearlite("image.png")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:4] == ["phase", "fraction", "surface", "chord"]
    assert lines[1][:2] == ["0", "0.75"]
    assert lines[2][:2] == ["255", "0.25"]
    surface = pl.statistics.surface_area(IMAGE)[0]
    assert float(lines[1][2]) == pytest.approx(surface, rel=1e-3)


def test_every_output(pearlite):
    np.save("image.npy", IMAGE)
    code, out, err = pearlite("image.npy", "-o", "all.npz", "--report", "page.html", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)["phases"]
    assert [row["phase"] for row in rows] == [0, 1]
    assert rows[1]["fraction"] == 0.25
    with np.load("all.npz") as arrays:
        found = pl.statistics.characterize(IMAGE).arrays()
        assert set(arrays) == set(found)
        np.testing.assert_array_equal(arrays["lineal_path"], found["lineal_path"])
    with open("page.html", encoding="utf-8") as file:
        assert "<title>image.npy</title>" in file.read()
    assert sorted(os.listdir()) == ["all.npz", "image.npy", "page.html"]


def test_several_files_make_one_table(pearlite):
    stripes = np.tile([[0], [1]], (4, 6))
    np.save("a.npy", np.stack([IMAGE, IMAGE]))
    np.save("b.npy", stripes)
    code, out, err = pearlite("a.npy", "b.npy", "-o", "t.csv", "-p", 1)
    assert (code, err) == (0, "")
    assert "wrote t.csv" in out
    with open("t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["image"], row["phase"]) for row in rows] == [
        ("a.npy", "0", "1"), ("a.npy", "1", "1"), ("b.npy", "0", "1"),
    ]  # fmt: skip
    assert rows[2]["mean_chord_0"] == "1.0"
    assert rows[2]["mean_chord_1"] == ""  # closed lines only
    assert (rows[2]["percolates_0"], rows[2]["percolates_1"]) == ("False", "True")
    code, _, _ = pearlite("b.npy", "-o", "t.json", "-q")
    with open("t.json") as file:
        assert json.load(file)["phases"][1]["mean_chord_1"] is None


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ([], "lengths in pixels, taken as periodic; --open if not"),
        (["--open"], "lengths in pixels, not taken as periodic"),
        (["--spacing", 2], "lengths in the unit of --spacing, taken as periodic; --open if not"),
    ],
)
def test_the_unit_of_lengths_is_told(pearlite, options, note):
    np.save("a.npy", IMAGE)
    code, out, _ = pearlite("a.npy", *options)
    assert (code, out.splitlines()[-1]) == (0, note)


def test_volumes_thresholds_and_spacing(pearlite):
    volume = np.random.default_rng(0).random((6, 5, 4)).astype(np.float32)
    np.save("volume.npy", volume)
    code, out, _ = pearlite(
        "volume.npy", "--dim", 3, "--threshold", 0.4, "--open", "--spacing", "1,2,3", "--json"
    )
    assert code == 0
    rows = json.loads(out)["phases"]
    expected = pl.statistics.characterize(
        volume >= np.float32(0.4), dim=3, periodic=False, spacing=(1, 2, 3)
    )
    assert rows[1]["fraction"] == expected.fractions[1]
    assert rows[1]["surface_area"] == expected.surface[1]
    assert "percolates_2" in rows[0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.npy"], 1, ["none.npy", "no such file"]),
        (["grey.npy"], 2, ["--threshold"]),
        (["many.npy"], 2, ["400 distinct values"]),
        (["image.npy", "--dim", "3"], 1, ["image.npy", "3 axes"]),
        (["image.npy", "--spacing", "1,2,3"], 2, ["--spacing"]),
        (["image.npy", "--connectivity", "sides"], 2, ["--connectivity"]),
        (["image.npy", "-o", "t.txt"], 2, ["unknown ending"]),
        (["image.npy", "--report", "t.png"], 2, ["unknown ending"]),
        (["image.npy", "grey.npy", "--report", "t.html"], 2, ["one file"]),
        (["image.npy", "--report", "none/t.html"], 1, ["folder"]),
        (["image.npy", "-p", "1", "-p", "1"], 2, ["--phase"]),
    ],
    ids=str,
)
def test_errors_are_one_line(pearlite, arguments, code, words):
    np.save("image.npy", IMAGE)
    np.save("grey.npy", np.random.default_rng(0).random((8, 8)))
    np.save("many.npy", np.arange(400).reshape(20, 20))
    got, out, err = pearlite(*arguments)
    assert (got, out) == (code, "")
    assert err.startswith("pearlite: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert sorted(os.listdir()) == ["grey.npy", "image.npy", "many.npy"]
