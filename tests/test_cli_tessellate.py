"""`pearlite tessellate` as its user meets it."""

import csv
import json
import os

import numpy as np
import pytest

import pearlite as pl
from pearlite import io
from pearlite.cli import main


@pytest.fixture
def tessellate(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["tessellate", *(str(argument) for argument in arguments)])
        out, err = capfd.readouterr()
        return caught.value.code, out, err

    return run


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


def sites_of(rows, axes="xy"):
    return np.array([[float(row[axis]) for axis in axes] for row in rows])


def test_to_the_terminal(tessellate):
    code, out, err = tessellate("--cells", 50, "--shape", "64,48")
    assert (code, err) == (0, "")
    assert out.startswith("50 cells of the power metric on a torus of 64 × 48 pixels")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:5] if line}
    assert float(rows["area"][0]) == pytest.approx(0.02)
    assert 5.5 < float(rows["neighbours"][0]) < 6.5
    assert os.listdir() == []


def test_every_format_holds_the_same_cells(tessellate):
    names = ["a.npy", "a.png", "a.tif", "a.h5", "a.vti", "a.tesr"]
    options = [word for name in names for word in ("-o", name)]
    code, out, _ = tessellate("--cells", 20, "--shape", "32,24", "--seed", 4, *options)
    assert code == 0
    assert all(f"wrote {name}" in out for name in names)
    labels = np.load("a.npy")
    assert labels.shape == (32, 24)
    assert labels.dtype == np.uint8
    for name in names[:4]:
        np.testing.assert_array_equal(io.read_images(name), labels)


def test_a_seed_is_a_tessellation(tessellate):
    for name, seed in (("a.npy", 1), ("b.npy", 1), ("c.npy", 2)):
        tessellate("--cells", 20, "--shape", "20,20,20", "--seed", seed, "-o", name, "-q")
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))
    assert not np.array_equal(np.load("a.npy"), np.load("c.npy"))


def test_the_table_tells_what_the_labels_have(tessellate):
    arguments = ["--cells", 30, "--shape", "24,30,20", "--spacing", "0.5", "--metric", "additive"]
    code, out, err = tessellate(*arguments, "-o", "a.npy", "--table", "t.json", "--json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    with open("t.json", encoding="utf-8") as file:
        assert json.load(file) == shown
    labels, cells = np.load("a.npy"), shown["cells"]
    options = {"dim": 3, "spacing": 0.5}
    volumes = pl.laguerre.volumes(labels, 30, **options)
    np.testing.assert_allclose([cell["cell_volume"] for cell in cells], volumes)
    np.testing.assert_allclose(
        [[cell[f"centroid_{axis}"] for axis in "xyz"] for cell in cells],
        pl.laguerre.centroids(labels, 30, **options),
    )
    for cell, others in zip(cells, pl.laguerre.neighbours(labels, 30, dim=3), strict=True):
        assert cell["neighbours"] == others.tolist()
        assert cell["neighbour_count"] == len(others) == len(cell["face_areas"])
    assert shown["count"] == 30
    assert shown["statistics"]["volume"]["mean"] == pytest.approx(24 * 30 * 20 / 8 / 30)
    sites = np.array([[cell[axis] for axis in "xyz"] for cell in cells])
    again = pl.laguerre.assign(sites, shape=(24, 30, 20), metric="additive")
    np.testing.assert_array_equal(labels, again)


def test_a_table_gives_its_cells_again(tessellate):
    options = ["--shape", "64,64"]
    first = ["--cells", 25, "--volumes", "lognormal:0.5", "--lloyd", 3, "-o", "a.npy"]
    assert tessellate(*first, "--table", "t.csv", *options)[0] == 0
    assert tessellate("t.csv", "-o", "b.npy", *options)[0] == 0
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))


def test_prescribed_volumes(tessellate):
    volumes = [1, 2, 3, 4]
    rows = zip(np.random.default_rng(0).random((4, 2)).tolist(), volumes, strict=True)
    write(
        "s.csv", "x, y ,Volume,name\n" + "\n".join(f"{x},{y},{v},n" for (x, y), v in rows) + "\n\n"
    )
    assert tessellate("s.csv", "--shape", "100,100", "-o", "a.npy", "-q") == (0, "", "")
    found = pl.laguerre.volumes(np.load("a.npy"))
    np.testing.assert_allclose(found, np.array(volumes) / 10, atol=4.01e-4)


def test_equal_volumes(tessellate):
    _, out, _ = tessellate("--cells", 40, "--volumes", "equal", "--shape", "100,100", "--json")
    areas = json.loads(out)["statistics"]["area"]
    assert areas["max"] - areas["min"] <= 8.01e-4


def test_weights_of_a_table(tessellate):
    write("s.csv", "x,y,w\n0.25,0.5,0.125\n0.75,0.5,0\n")
    tessellate("s.csv", "--shape", "8,2", "-o", "a.npy")
    np.testing.assert_array_equal(np.load("a.npy")[:, 0], [0, 0, 0, 0, 0, 1, 1, 0])


def test_lloyd_evens_the_cells(tessellate):
    spreads = []
    for moves in (0, 20):
        _, out, _ = tessellate("--cells", 40, "--lloyd", moves, "--shape", "80,80", "--json")
        spreads.append(json.loads(out)["statistics"]["area"]["std"])
    assert spreads[1] < 0.5 * spreads[0]


def test_a_box_has_walls(tessellate):
    tessellate("--cells", 10, "--box", "--shape", "20,20", "-o", "a.npy", "--table", "t.csv")
    with open("t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = pl.laguerre.assign(sites_of(rows), shape=(20, 20), periodic=False)
    np.testing.assert_array_equal(np.load("a.npy"), expected)


def test_empty_cells_are_told_of(tessellate):
    write("s.csv", "x,y,weight\n0.25,0.5,0\n0.75,0.5,-1\n")
    _, out, _ = tessellate("s.csv", "--shape", "8,8", "--table", "t.csv")
    assert "1 cell is empty" in out
    with open("t.csv", encoding="utf-8", newline="") as file:
        row = list(csv.DictReader(file))[1]
    assert (row["cell_volume"], row["centroid_x"], row["neighbours"]) == ("0.0", "", "")


@pytest.mark.parametrize("shape", ["40,30", "20,24,16"])
def test_plot(tessellate, shape):
    image = pytest.importorskip("PIL.Image")
    code, out, _ = tessellate("--cells", 12, "--shape", shape, "--plot", "a.png")
    assert code == 0
    assert "wrote a.png" in out
    with image.open("a.png") as picture:
        assert min(picture.size) > 600


# Errors ------------------------------------------------------------------------------------------


def check_error(result, code, words):
    got, out, err = result
    assert got == code
    assert out == ""
    assert err.startswith("pearlite: error: ")
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say either --cells"),
        (["s.csv", "--cells", 3], "say either --cells"),
        (["--cells", 0], "--cells"),
        (["--cells", 3, "--shape", "12"], "--shape: '12' is not two or three integers"),
        (["--cells", 3, "--shape", "12,a"], "--shape: '12,a' is not"),
        (["--cells", 3, "--shape", "12,1"], "--shape: '12,1' is not"),
        (["--cells", 3, "--metric", "taxicab"], "--metric: 'taxicab'"),
        (["--cells", 3, "--volumes", "normal:1"], "--volumes: 'normal:1'"),
        (["--cells", 3, "--volumes", "lognormal:x"], "--volumes: 'lognormal:x'"),
        (["--cells", 3, "--volumes", "equal", "--metric", "additive"], "only --metric power"),
        (["--cells", 3, "--spacing", "1,2,3"], "--spacing: '1,2,3' is not one or 2"),
        (["--cells", 3, "--spacing", "-1"], "--spacing: '-1' is not"),
        (["--cells", 3, "-o", "a.xyz"], "unknown ending '.xyz'"),
        (["--cells", 3, "-o", "a.png", "--shape", "8,8,8"], "PNG holds two dimensions"),
        (["--cells", 3, "--table", "a.npy"], "unknown ending '.npy'"),
        (["--cells", 3, "--plot", "a.bmp"], "unknown ending '.bmp'"),
        (["--cells", 3, "-o", "a.npy", "-o", "a.npy"], "two of the files to write"),
        (["s.csv", "--table", "s.csv"], "s.csv is also an input"),
        (["s.csv", "--volumes", "equal"], "--volumes is for random seeds"),
    ],
)
def test_wrong_usage(tessellate, arguments, words):
    write("s.csv", "x,y\n0.1,0.2\n0.5,0.6\n")
    check_error(tessellate(*arguments), 2, words)
    assert os.listdir() == ["s.csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no column x"),
        ("a,b\n1,2\n", "names no column x"),
        ("x,y\n", "holds no seed"),
        ("x\n0.5\n", "no column 'y'"),
        ("x,y,z\n0.5,0.5,0.5\n", "has a column 'z'; expected a --shape of three axes"),
        ("x,y\n0.5,0.5\n0.5\n", "line 3: y is ''"),
        ("x,y\n0.5,abc\n", "line 2: y is 'abc'; expected a finite number"),
        ("x,y,w\n0.5,0.5,inf\n", "line 2: w is 'inf'"),
        ("x,y,volume\n0.5,0.5,1\n0.2,0.1,-1\n", "volume of seed 1 is -1"),
        ("x,y,volume\n0.5,0.5,1\n0.5,0.5,1\n", "is the same point as"),
        ("x,y,volume\n0.5,0.5,1\n0.2,0.5,1e-9\n", "at least a pixel"),
    ],
)
def test_tables_that_make_no_sense(tessellate, text, words):
    write("s.csv", text)
    check_error(tessellate("s.csv", "--shape", "16,16", "-o", "a.npy"), 1, words)
    assert os.listdir() == ["s.csv"]


def test_files_that_cannot_be_used(tessellate):
    check_error(tessellate("none.csv"), 1, "none.csv: No such file")
    check_error(tessellate("--cells", 3, "-o", "none/a.npy"), 1, "its folder does not exist")
    os.mkdir("a.npy")
    check_error(tessellate("--cells", 3, "-o", "a.npy"), 1, "a.npy: is a folder")
    with open("b.csv", "wb") as file:
        file.write(b"x,y\n\xff\xfe\n")
    check_error(tessellate("b.csv"), 1, "b.csv: not a readable csv file")


def test_volumes_that_cannot_be_had(tessellate):
    sites = [f"{x / 4},{y / 4},{1 + (3 * x + y) % 5}" for x in range(4) for y in range(4)]
    write("s.csv", "x,y,volume\n" + "\n".join(sites))
    result = tessellate("s.csv", "--shape", "64,64", "-o", "a.npy")
    check_error(result, 1, "on these pixels the volumes cannot be had")
    assert os.listdir() == ["s.csv"]
