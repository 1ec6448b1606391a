"""The command line on volumes: found out by the file or asked for, tables, fields and pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from one_line_errors import check_error

import pearlite as pl
from pearlite import io, microstructures

LABELS = microstructures.thresholded_noise(1, (12, 10, 14), length=3, seed=3)[0]
SPACING = (2.0, 2.0, 3.0)
EXPECTED = pl.homogenize(LABELS, phases=[1, 10], dim=3, spacing=SPACING)
ENTRIES = ["A11", "A22", "A33", "A12", "A13", "A23"]
INDEX = ([0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2])


# --- homogenize -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["tif", "h5", "vti", "mha", "mhd", "nrrd"])
def test_a_file_tells_that_it_is_a_volume_and_its_spacing(pearlite, ending):
    io.write_image(f"a.{ending}", LABELS * np.uint8(255), spacing=SPACING, unit="µm")
    code, out, err = pearlite("homogenize", f"a.{ending}", "-c", "0=1,255=10", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["dim"] == 3
    assert found["shape"] == [12, 10, 14]
    assert found["spacing"] == list(SPACING)
    assert found["unit"] == ("" if ending == "vti" else "µm")
    shown = [found["cells"][0][name] for name in ENTRIES]
    np.testing.assert_allclose(shown, EXPECTED[INDEX], rtol=1e-9)
    assert list(found["cells"][0])[2:] == [*ENTRIES, "anisotropy"]


def test_files_that_do_not_tell(pearlite):
    np.save("a.npy", LABELS)
    io.write_image("b.raw", LABELS)
    options = ["-c", "1,10", "--spacing", "2,2,3", "-o", "t.npy"]
    for arguments in (
        ["a.npy", "--dim", "3"],
        ["b.raw", "--shape", "12,10,14", "--dtype", "uint8"],
        ["b.raw:12x10x14:u1"],
    ):
        assert pearlite("homogenize", *arguments, *options)[0] == 0
        np.testing.assert_allclose(np.load("t.npy"), EXPECTED, rtol=1e-9)


def test_a_batch_of_volumes(pearlite):
    np.save("a.npy", np.stack([LABELS, 1 - LABELS]))
    code, out, err = pearlite("homogenize", "a.npy", "--dim", "3", "-c", "1,10", "-o", "t.csv")
    assert (code, err) == (0, "")
    assert out.split("\n")[0].split() == ["file", "index", *ENTRIES, "anisotropy"]
    rows = np.loadtxt("t.csv", delimiter=",", skiprows=1, usecols=range(2, 9))
    expected = pl.homogenize(np.stack([LABELS, 1 - LABELS]), phases=[1, 10], dim=3)
    np.testing.assert_allclose(rows[:, :6], expected[:, INDEX[0], INDEX[1]], rtol=1e-9)
    values = np.linalg.eigvalsh(expected)
    np.testing.assert_allclose(rows[:, 6], values[:, 2] / values[:, 0], rtol=1e-9)


def test_tensors_per_phase(pearlite):
    """Crystals by number; what the fields show is the flux of the tensor of each."""
    turned = [[10, 1, 0], [1, 5, 2], [0, 2, 4]]
    Path("phases.json").write_text(json.dumps({"0": 2.0, "255": turned}))
    io.write_image("a.nrrd", LABELS * np.uint8(255), spacing=SPACING)
    command = ["homogenize", "a.nrrd", "-c", "phases.json", "-o", "t.npy"]
    assert pearlite(*command, "--bounds")[0] == 0
    phases = np.array([2 * np.eye(3), turned])
    settings = {"phases": phases, "dim": 3, "tensor": True, "spacing": SPACING}
    tensor = pl.homogenize(LABELS, **settings)
    np.testing.assert_allclose(np.load("t.npy")[0], pl.bounds(LABELS, **settings).estimate)
    assert pearlite(*command, "--fields", "flux.vti")[0] == 0
    np.testing.assert_allclose(np.load("t.npy"), tensor, atol=1e-6)  # in float32
    Path("flat.json").write_text(json.dumps({"0": 2.0, "255": [[2, 1], [1, 2]]}))
    code, _, err = pearlite("homogenize", "a.nrrd", "-c", "flat.json")
    assert code == 1
    assert "(..., P, 3, 3)" in err
    np.testing.assert_allclose(field_means("flux.vti")["flux"], tensor[:, 0], atol=5e-3)


def test_a_volume_may_be_taken_as_a_batch(pearlite):
    io.write_image("a.tif", LABELS)
    assert pearlite("homogenize", "a.tif", "--dim", "2", "-c", "1,10", "-o", "t.npy")[0] == 0
    np.testing.assert_allclose(np.load("t.npy"), pl.homogenize(LABELS, phases=[1, 10]), rtol=1e-9)


def field_means(path):
    """Mean vectors of the fields in a file, by VTK's own reader."""
    vtk_io = pytest.importorskip("vtkmodules.vtkIOXML")
    to_numpy = pytest.importorskip("vtkmodules.util.numpy_support").vtk_to_numpy
    reader = vtk_io.vtkXMLImageDataReader()
    reader.SetFileName(path)
    reader.Update()
    cells = reader.GetOutput().GetCellData()
    return {name: to_numpy(cells.GetArray(name)).mean(axis=0) for name in ("gradient", "flux")}


def test_fields_for_paraview(pearlite):
    io.write_image("a.nrrd", LABELS, spacing=SPACING)
    code, out, err = pearlite(
        "homogenize", "a.nrrd", "-c", "1,10", "--fields", "f.vti", "--load", "1"
    )
    assert (code, err) == (0, "")
    assert "wrote f.vti" in out
    np.testing.assert_array_equal(io.read_images("f.vti:label"), LABELS)
    assert io.read_grid("f.vti:label").spacing == SPACING
    means = field_means("f.vti")
    np.testing.assert_allclose(means["gradient"], [0, 1, 0], atol=1e-6)
    # The mean flux is the column of the tensor: this has the error of the correctors.
    np.testing.assert_allclose(means["flux"], EXPECTED[:, 1], atol=5e-3)


@pytest.mark.parametrize("image", [LABELS, LABELS[:, :, 0]], ids=["3D", "2D"])
def test_fields_of_conductivities(pearlite, image):
    np.save("a.npy", np.where(image, 10.0, 1.0))
    dim = image.ndim
    assert pearlite("homogenize", "a.npy", "--dim", dim, "--fields", "f.vti")[0] == 0
    np.testing.assert_array_equal(io.read_images("f.vti:conductivity"), np.where(image, 10.0, 1.0))


def test_a_picture_of_three_sections(pearlite):
    io.write_image("a.h5", LABELS, spacing=SPACING, unit="µm")
    assert pearlite("homogenize", "a.h5", "-c", "0,10", "--plot", "p.svg")[0] == 0
    text = Path("p.svg").read_text(encoding="utf-8")
    assert [text.count(f"a.h5, middle of x{i}") for i in "₁₂₃"] == [1, 1, 1]
    assert "x₃ (µm)" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.npy", "b.tif"], "b.tif holds images of 3 axes, and a.npy of 2: say which with --dim"),
        (["b.tif", "--spacing", "1,2"], "--spacing: 2 lengths for 3 axes"),
        (["b.tif", "--spacing", "1,2,3,4"], "is not one to three lengths > 0"),
        (["a.npy", "--shape", "2,2", "--dtype", "u1"], "for .raw files, and there is none"),
        (["a.raw", "--shape", "2,2"], "--shape and --dtype go together"),
        (["b.tif", "--load", "1"], "--load goes with --fields"),
        (["a.npy", "--fields", "f.vti"], "--fields is for one image, and there are 12"),
        (["b.tif", "--fields", "f.h5"], "unknown ending '.h5'; expected .vti"),
        (["b.tif", "--fields", "f.vti", "--bounds"], "--fields does not go with --bounds"),
        (["c.npy", "--fields", "f.vti", "--load", "2"], "--load: 2 is not an axis of 2, from 0"),
        (["d.vti", "--fields", "d.vti"], "d.vti is also an input"),
    ],
)
def test_wrong_usage(pearlite, arguments, words):
    np.save("a.npy", LABELS)
    np.save("c.npy", LABELS[0])
    io.write_image("b.tif", LABELS)
    io.write_image("d.vti", LABELS)
    io.write_image("a.raw", LABELS)
    check_error(pearlite("homogenize", *arguments, "-c", "1,10"), 2, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.npy", "--dim", "3"], "a.npy: has the shape (10, 14); expected 3 axes"),
        (["thin.npy", "--dim", "3"], "images of 1 x 10 x 14 pixels; expected at least 2 x 2 x 2"),
        (["b.raw"], "b.raw: a .raw file says nothing of itself"),
        (["b.raw", "--shape", "12,10,15", "--dtype", "u1"], "holds 1680 bytes of numbers; exp"),
        (["b.raw", "--shape", "12,10,14", "--dtype", "c8"], "'c8' is no type of number"),
    ],
)
def test_bad_files(pearlite, arguments, words):
    np.save("a.npy", LABELS[0])
    np.save("thin.npy", LABELS[:1])
    io.write_image("b.raw", LABELS)
    check_error(pearlite("homogenize", *arguments, "-c", "1,10"), 1, words)


def test_a_bad_voxel_is_named(pearlite):
    field = np.ones((4, 5, 6))
    field[1, 2, 3] = -1
    np.save("a.npy", field)
    check_error(pearlite("homogenize", "a.npy", "--dim", "3"), 1, "image 0, pixel (1, 2, 3) is -1")


# --- statistics, reconstruct, tessellate ----------------------------------------------------


@pytest.mark.parametrize("ending", ["nrrd", "npy"])
def test_statistics_of_a_volume(pearlite, ending):
    io.write_image(f"a.{ending}", LABELS * np.uint8(9), spacing=SPACING, unit="µm")
    options = [] if ending == "nrrd" else ["--dim", "3", "--spacing", "2,2,3"]
    code, out, err = pearlite("statistics", f"a.{ending}", "--json", *options)
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown.get("unit") == ("µm" if ending == "nrrd" else None)
    found = pl.statistics.characterize(LABELS, dim=3, spacing=SPACING)
    expected = found.columns()
    for place, row in enumerate(shown["phases"]):
        assert row.pop("phase") == 9 * place
        for name in expected.keys() - {"phase"}:
            assert row[name] == pytest.approx(expected[name][place]), name


def test_statistics_of_a_volume_to_the_terminal(pearlite):
    io.write_image("a.tif", LABELS, spacing=SPACING, unit="µm")
    code, out, err = pearlite("statistics", "a.tif")
    assert (code, err) == (0, "")
    assert [f"chord {axis}" in out.split("\n")[0] for axis in range(3)] == [True] * 3
    assert "lengths in µm" in out
    np.save("b.npy", LABELS[0])
    check_error(pearlite("statistics", "a.tif", "b.npy"), 2, "b.npy holds images of 2 axes")
    check_error(pearlite("statistics", "a.tif", "--spacing", "1,2"), 2, "2 lengths for 3 axes")


@pytest.mark.parametrize("ending", ["tif", "h5", "vti", "mhd", "nrrd"])
def test_a_volume_is_found_again(pearlite, ending):
    volume = microstructures.thresholded_noise(1, (16, 16, 16), length=1, seed=1)[0]
    io.write_image("a.nrrd", volume * np.uint8(200), spacing=SPACING, unit="mm")
    assert pearlite("reconstruct", "a.nrrd", "--match", "-q", "-o", f"b.{ending}")[0] == 0
    grid = io.read_grid(f"b.{ending}")
    assert (grid.dim, grid.spacing) == (3, SPACING)
    assert set(np.unique(grid.images)) == {0, 200}
    assert pl.reconstruction.overlap(grid.images // 200, volume).best == 1


def test_a_volume_from_sections(pearlite, monkeypatch):
    given = []

    def sample(references, *, shape, **options):
        given.append((references, shape))
        return pl.reconstruction.match(LABELS, seed=0)

    monkeypatch.setattr(pl.reconstruction, "sample", sample)
    sections = microstructures.thresholded_noise(3, (20, 18), length=2, seed=1)
    for axis, section in enumerate(sections):
        io.write_image(f"{axis}.h5", section, spacing=0.5, unit="µm")
    files = ["0.h5", "1.h5", "2.h5"]
    options = ["-q", "-o", "out.nrrd", "--shape", "16"]
    assert pearlite("reconstruct", *files, *options, "--normal", "0,1,2")[0] == 0
    (references, shape) = given.pop()
    assert shape == (16, 16, 16)
    for axis in range(3):
        np.testing.assert_array_equal(references[axis], [sections[axis]])
    assert io.read_grid("out.nrrd").spacing == (0.5, 0.5, 0.5)
    result = pearlite("reconstruct", *files, *options, "--normal", "0,1")
    check_error(result, 2, "--normal: 2 axes for 3 files")
    check_error(pearlite("reconstruct", *files, *options, "--normal", "0,3"), 2, "list of axes")
    result = pearlite("reconstruct", *files, *options, "--normal", "0,1,2", "--match")
    check_error(result, 2, "--normal is for sections")


def test_tessellate_writes_volumes_that_homogenize_reads(pearlite):
    options = ["--cells", "9", "--shape", "8,12,10", "-q"]
    assert pearlite("tessellate", *options, "-o", "cells.mha")[0] == 0
    grid = io.read_grid("cells.mha")
    assert grid.images.shape == (8, 12, 10)
    np.testing.assert_allclose(grid.spacing, (1 / 8, 1 / 12, 1 / 10), rtol=1e-15)
