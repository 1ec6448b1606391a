"""The command line as its user meets it: output, exit codes, one line for every error."""

import json
import os

import numpy as np
import pyarrow.parquet
import pytest
from one_line_errors import check_error
from PIL import Image

import pearlite as pl
from pearlite import corrector, microstructures

LABELS = microstructures.voronoi(7, (12, 10), sites=6, phases=3, seed=1)


def files():
    return sorted(os.listdir())


# --- homogenize -----------------------------------------------------------------------------


def test_labels_to_the_terminal(pearlite):
    np.save("cells.npy", LABELS)
    code, out, err = pearlite("homogenize", "cells.npy", "--conductivity", "1,10,100")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["file", "index", "A11", "A22", "A12", "anisotropy"]
    expected = pl.homogenize(LABELS, phases=[1, 10, 100])
    for k in range(7):
        assert lines[1 + k][:2] == ["cells.npy", str(k)]
        shown = [float(text) for text in lines[1 + k][2:5]]
        tensor = expected[k]
        np.testing.assert_allclose(shown, [tensor[0, 0], tensor[1, 1], tensor[0, 1]], rtol=1e-4)
    assert float(out.split("A11")[2].split()[0]) == pytest.approx(expected[:, 0, 0].mean(), 1e-5)
    assert "7 cells in" in out


def test_a_file_name_is_shown_as_it_is(pearlite):
    np.save("a[red]b.npy", np.ones((4, 4)))
    code, out, _ = pearlite("homogenize", "a[red]b.npy", "-o", "[b]t.csv")
    assert code == 0
    assert "a[red]b.npy" in out
    assert "wrote [b]t.csv" in out


def test_a_long_batch_shows_its_first_rows(pearlite):
    np.save("cells.npy", np.ones((1234, 4, 4), np.float32))
    _, out, _ = pearlite("homogenize", "cells.npy")
    assert "… 1 224 more" in out
    assert out.count("cells.npy") == 10


def test_json_csv_parquet_and_npy_agree(pearlite):
    np.save("a.npy", LABELS[:6].reshape(3, 2, 12, 10))
    Image.fromarray(LABELS[6]).save("b.png")
    expected = pl.homogenize(LABELS, phases=[1, 10, 100])
    for name in ("t.csv", "t.parquet", "t.npy", "t.json"):
        code, out, err = pearlite(
            "homogenize", "a.npy", "b.png", "-c", "0=1,1=10,2=100", "-o", name, "--json"
        )
        assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown["failed"] == 0
    assert shown["rtol"] == 1e-6
    assert [cell["file"] for cell in shown["cells"]] == ["a.npy"] * 6 + ["b.png"]
    assert [cell["index"] for cell in shown["cells"]] == [0, 1, 2, 3, 4, 5, 0]
    np.testing.assert_allclose([cell["A11"] for cell in shown["cells"]], expected[:, 0, 0])
    with open("t.json", encoding="utf-8") as file:
        assert json.load(file)["cells"] == shown["cells"]
    table = pyarrow.parquet.read_table("t.parquet").to_pylist()
    assert table == shown["cells"]
    csv = np.genfromtxt("t.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    np.testing.assert_array_equal(csv["A22"], [cell["A22"] for cell in table])
    np.testing.assert_allclose(np.load("t.npy"), expected)


def test_npy_output_of_one_file_keeps_its_batch_axes(pearlite):
    np.save("a.npy", LABELS[:6].reshape(3, 2, 12, 10))
    assert pearlite("homogenize", "a.npy", "-c", "1,2,3", "-o", "t.npy", "-q") == (0, "", "")
    assert np.load("t.npy").shape == (3, 2, 2, 2)


def test_floats_are_conductivities(pearlite):
    field = np.random.default_rng(0).random((3, 8, 9)) + 0.5
    np.savez("a.npz", field=field)
    code, out, _ = pearlite("homogenize", "a.npz:field", "--json", "--spacing", "1,3")
    assert code == 0
    expected = pl.homogenize(field, spacing=(1, 3))
    np.testing.assert_allclose(
        [cell["A22"] for cell in json.loads(out)["cells"]], expected[:, 1, 1]
    )


def test_tensors_per_phase_and_options(pearlite):
    np.save("a.npy", LABELS * 100)
    with open("map.json", "w", encoding="utf-8") as file:
        json.dump({"0": 1.0, "100": [[10, 1], [1, 5]], "200": 3}, file)
    command = [
        "homogenize",
        "a.npy",
        "-c",
        "map.json",
        "--rtol",
        "1e-8",
        "--threads",
        "1",
        "--json",
    ]
    code, out, _ = pearlite(*command)
    assert code == 0
    phases = [np.eye(2), [[10, 1], [1, 5]], 3 * np.eye(2)]
    expected = pl.homogenize(LABELS, phases=phases, tensor=True, rtol=1e-9)
    np.testing.assert_allclose(
        [cell["A12"] for cell in json.loads(out)["cells"]], expected[:, 0, 1], atol=1e-7
    )


def test_a_threshold_makes_two_phases_of_grey_values(pearlite):
    grey = np.random.default_rng(0).integers(256, size=(2, 12, 10), dtype=np.uint8)
    np.save("grey.npy", grey)
    code, out, _ = pearlite("homogenize", "grey.npy", "-c", "1,10", "--threshold", 100, "--json")
    assert code == 0
    expected = pl.homogenize(grey >= 100, phases=[1, 10])
    assert [cell["A11"] for cell in json.loads(out)["cells"]] == expected[:, 0, 0].tolist()
    check_error(pearlite("homogenize", "grey.npy", "-c", "1,10"), 2, "distinct", "--threshold GREY")
    command = "homogenize", "grey.npy", "-c", "1,10", "--threshold"
    check_error(pearlite(*command, "nan"), 2, "--threshold: nan is not finite")
    check_error(pearlite(*command, 100, "-o", "t.zarr"), 2, "--threshold does not go with")


def test_many_chunks_give_what_one_does(pearlite, monkeypatch):
    from pearlite.cli import homogenize as command

    np.save("a.npy", LABELS)
    monkeypatch.setattr(command, "_CHUNK_PIXELS", 250)
    _, out, _ = pearlite("homogenize", "a.npy", "-c", "1,10,100", "--json")
    expected = pl.homogenize(LABELS, phases=[1, 10, 100])
    np.testing.assert_allclose(
        [cell["A11"] for cell in json.loads(out)["cells"]], expected[:, 0, 0], rtol=1e-6
    )


def test_plot(pearlite):
    np.save("a.npy", LABELS)
    code, out, _ = pearlite("homogenize", "a.npy", "-c", "1,10,100", "--plot", "a.png")
    assert code == 0
    assert "wrote a.png" in out
    with Image.open("a.png") as picture:
        assert min(picture.size) > 600


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["a.npy"], "holds integers (0, 1, 2): say what they conduct"),
        (
            ["a.npy", "-c", "1,10"],
            "--conductivity: 2 conductivities for 3 distinct values: 0, 1, 2",
        ),
        (["a.npy", "-c", "0=1,1=10"], "--conductivity: no conductivity for 2"),
        (["a.npy", "-c", "1,x,3"], "--conductivity: 'x' is not a number"),
        (["a.npy", "-c", "1,-2,3"], "--conductivity: conductivity -2 is not > 0"),
        (["a.npy", "-c", "1,2,3", "--spacing", "1,2,3"], "--spacing: 3 lengths for 2 axes"),
        (["a.npy", "-c", "1,2,3", "--spacing", "0"], "--spacing: '0' is not"),
        (["a.npy", "-c", "1,2,3", "--rtol", "2"], "--rtol: 2 is not within"),
        (["a.npy", "-c", "1,2,3", "--rtol", "nan"], "--rtol: nan is not within"),
        (["a.npy", "-c", "1,2,3", "--threads", "0"], "--threads"),
        (["a.npy", "-c", "1,2,3", "-o", "t.xlsx"], "unknown ending '.xlsx'"),
        (["a.npy", "-c", "1,2,3", "--plot", "t.bmp"], "unknown ending '.bmp'"),
        (["a.npy", "--bogus"], "No such option"),
    ],
)
def test_wrong_usage(pearlite, arguments, words):
    np.save("a.npy", LABELS)
    check_error(pearlite("homogenize", *arguments), 2, words)
    assert files() == ["a.npy"]


def test_wrong_command(pearlite):
    check_error(pearlite("bogus"), 2, "No such command 'bogus'")
    check_error(pearlite("--bogus"), 2, "No such option")
    code, out, _ = pearlite()
    assert code == 2
    assert "Usage" in out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", None, "no such file"),
        ("a.png", b"", "the file is empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n and no more", "not a readable png file"),
        ("a.tif", b"II*\0 and no more", "not a readable tiff file"),
        ("a.npy", b"\x93NUMPY\x01\0", "not a readable npy file"),
        ("a.npz", b"PK\3\4 and no more", "not a readable npz file"),
        ("a.h5", b"\x89HDF\r\n\x1a\n and no more", "not a readable h5 file"),
        ("a.zarr", b"no folder", "not a folder"),
        ("a.jpg", b"x", "unknown ending '.jpg'"),
    ],
)
def test_bad_files(pearlite, name, content, words):
    np.save("sound.npy", LABELS)
    if content is not None:
        with open(name, "wb") as file:
            file.write(content)
    before = files()
    result = pearlite(
        "homogenize", "sound.npy", name, "-c", "1,2,3", "-o", "t.csv", "--plot", "p.png"
    )
    check_error(result, 1, f"{name}: {words}")
    assert files() == before


def test_bad_conductivity_file(pearlite):
    np.save("a.npy", LABELS)
    check_error(pearlite("homogenize", "a.npy", "-c", "map.json"), 1, "map.json: No such file")
    with open("map.json", "w", encoding="utf-8") as file:
        file.write("{")
    check_error(pearlite("homogenize", "a.npy", "-c", "map.json"), 1, "map.json: not valid JSON")


@pytest.mark.parametrize("value", [-1, np.nan, -np.inf])
def test_bad_pixels_are_named(pearlite, monkeypatch, value):
    from pearlite.cli import homogenize as command

    monkeypatch.setattr(command, "_CHUNK_PIXELS", 40)
    field = np.ones((6, 4, 5))
    field[5, 2, 3] = value
    np.save("a.npy", field)
    result = pearlite("homogenize", "a.npy", "-o", "t.csv")
    check_error(result, 1, "a.npy: image 5, pixel (2, 3) is", "expected a conductivity > 0")
    assert files() == ["a.npy"]


def test_voids_and_conductors_are_written(pearlite):
    layers = np.ones((2, 4, 4))
    layers[0, 1], layers[1, :, 1] = 0, np.inf
    np.save("a.npy", layers)
    code, out, _ = pearlite("homogenize", "a.npy", "--json")
    assert code == 0
    cells = json.loads(out)["cells"]
    assert [cells[0]["A11"], cells[1]["A11"]] == [0, "inf"]
    assert [cells[0]["anisotropy"], cells[1]["anisotropy"]] == ["inf", "inf"]


def test_an_input_is_never_replaced(pearlite):
    np.save("a.npy", LABELS)
    check_error(pearlite("homogenize", "./a.npy", "-c", "1,2,3", "-o", "a.npy"), 2, "also an input")
    np.testing.assert_array_equal(np.load("a.npy"), LABELS)


def test_values_that_are_not_finite(pearlite):
    np.save("a.npy", np.array([[0, 1], [np.nan, 1]]))
    check_error(pearlite("homogenize", "a.npy", "-c", "1,2"), 1, "a.npy: holds values that are not")


def test_images_too_small(pearlite):
    np.save("a.npy", np.ones((3, 1, 5)))
    check_error(pearlite("homogenize", "a.npy"), 1, "a.npy: images of 1 x 5 pixels")


def test_outputs_that_cannot_be_written(pearlite):
    np.save("a.npy", LABELS)
    command = ["homogenize", "a.npy", "-c", "1,2,3"]
    check_error(pearlite(*command, "-o", "none/t.csv"), 1, "its folder does not exist")
    os.mkdir("folder.csv")
    check_error(pearlite(*command, "-o", "folder.csv"), 1, "folder.csv: is a folder")
    with open("file", "wb"):
        pass
    check_error(pearlite("demo", "--count", 2, "-o", "file"), 1, "file: File exists")


def fail_first(monkeypatch):
    """Let the first cell of each call miss its tolerance."""
    solve = corrector.homogenize

    def homogenize(*arguments, **options):
        effective = solve(*arguments, **options)
        effective[0] = np.nan
        return effective

    monkeypatch.setattr(corrector, "homogenize", homogenize)


def test_cells_that_do_not_converge_are_reported(pearlite, monkeypatch):
    np.save("a.npy", LABELS)
    fail_first(monkeypatch)
    code, out, err = pearlite("homogenize", "a.npy", "-c", "1,2,3", "-o", "t.csv")
    assert code == 1
    assert "not converged" in out
    message = "1 of 7 cells did not reach --rtol 1e-06; the first is a.npy, image 0"
    assert err == f"pearlite: error: {message}\n"
    with open("t.csv", encoding="utf-8") as file:
        assert file.readlines()[1] == "a.npy,0,,,,\n"
    code, out, _ = pearlite("homogenize", "a.npy", "-c", "1,2,3", "--json", "--plot", "a.png")
    assert code == 1
    assert os.path.exists("a.png")
    assert json.loads(out)["cells"][0]["A11"] is None
    assert json.loads(out)["failed"] == 1


def test_no_cell_converges(pearlite, monkeypatch):
    np.save("a.npy", LABELS[0])
    fail_first(monkeypatch)
    command = ["homogenize", "a.npy", "-c", "0=1,1=2,2=3", "--plot", "a.png"]
    check_error(pearlite(*command), 1, "a.png: not drawn, no cell reached --rtol 1e-06")


def test_interrupt(pearlite, monkeypatch):
    np.save("a.npy", LABELS)

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(corrector, "homogenize", interrupt)
    result = pearlite("homogenize", "a.npy", "-c", "1,2,3", "-o", "t.csv")
    assert result == (130, "", "pearlite: interrupted\n")
    assert files() == ["a.npy"]
