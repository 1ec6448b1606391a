"""Images of labels in files: what other readers see, and what is refused."""

import os

import numpy as np
import pytest

from pearlite import io, laguerre


def image(shape, dtype=np.uint8):
    count = 5 if dtype == np.uint8 else 300
    labels = np.random.default_rng(0).integers(count, size=shape).astype(dtype)
    labels.flat[0] = count - 1
    return labels


@pytest.mark.parametrize("ending", ["npy", "png", "tif", "tiff", "h5", "hdf5"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("shape", [(6, 9), (4, 5, 7)])
def test_labels_are_read_back(tmp_path, ending, dtype, shape):
    if ending == "png" and len(shape) == 3:
        pytest.skip("PNG holds two dimensions")
    labels = image(shape, dtype)
    path = tmp_path / f"cells.{ending}"
    io.write_image(path, labels, spacing=0.5, about={"seed": 3})
    assert os.listdir(tmp_path) == [path.name]
    found = io.read_images(path)
    np.testing.assert_array_equal(found, labels)
    if ending in ("npy", "h5"):
        assert found.dtype == dtype


def test_hdf5_tells_about_the_image(tmp_path):
    h5py = pytest.importorskip("h5py")
    io.write_image(tmp_path / "a.h5", image((4, 5)), spacing=(1, 2), about={"metric": "power"})
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file) == ["labels"]
        attributes = dict(file["labels"].attrs)
    assert attributes["spacing"].tolist() == [1, 2]
    assert attributes["metric"] == "power"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("shape", [(6, 9), (4, 5, 7)])
def test_vtk_reads_the_image(tmp_path, dtype, shape):
    """With the reader of VTK itself, which is ParaView's."""
    vtk_io = pytest.importorskip("vtkmodules.vtkIOXML")
    to_numpy = pytest.importorskip("vtkmodules.util.numpy_support").vtk_to_numpy
    labels = image(shape, dtype)
    spacing = (0.5, 2.0, 0.1)[: len(shape)]
    io.write_image(tmp_path / "cells.vti", labels, spacing=spacing)
    reader = vtk_io.vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "cells.vti"))
    assert reader.CanReadFile(str(tmp_path / "cells.vti"))
    reader.Update()
    found = reader.GetOutput()
    assert found.GetSpacing()[: len(shape)] == spacing
    assert [n - 1 for n in found.GetDimensions()][: len(shape)] == list(shape)
    assert found.GetNumberOfCells() == labels.size
    values = found.GetCellData().GetScalars()
    assert values.GetName() == "label"
    values = to_numpy(values)
    assert values.dtype == dtype
    # x, axis 0, counts fastest in VTK.
    np.testing.assert_array_equal(values.reshape(shape, order="F"), labels)


def test_vtk_and_pearlite_agree_where_a_pixel_is(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    labels = laguerre.assign(np.random.default_rng(1).random((9, 3)), shape=(12, 8, 10))
    io.write_image(tmp_path / "cells.vti", labels, spacing=(1 / 12, 1 / 8, 1 / 10))
    grid = pyvista.read(tmp_path / "cells.vti")
    centres, values = grid.cell_centers().points, grid.cell_data["label"]
    centroids = laguerre.centroids(labels, 9, dim=3, periodic=False)
    for k in range(9):
        np.testing.assert_allclose(centres[values == k].mean(axis=0), centroids[k], rtol=1e-5)


def test_several_arrays_in_one_vtk_file(tmp_path):
    vtk_io = pytest.importorskip("vtkmodules.vtkIOXML")
    to_numpy = pytest.importorskip("vtkmodules.util.numpy_support").vtk_to_numpy
    field = np.random.default_rng(0).random((3, 4, 5))
    arrays = {"label": image((3, 4, 5)), "<field> & more": field}
    io.write_vti(tmp_path / "a.vti", arrays, (1, 1, 1))
    reader = vtk_io.vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "a.vti"))
    reader.Update()
    cells = reader.GetOutput().GetCellData()
    for name, array in arrays.items():
        found = to_numpy(cells.GetArray(name)).reshape(array.shape, order="F")
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("shape", [(6, 9), (4, 5, 7)])
def test_neper_counts_from_one_and_x_fastest(tmp_path, shape):
    labels = image(shape)
    io.write_image(tmp_path / "a.tesr", labels, spacing=0.25)
    words = (tmp_path / "a.tesr").read_text().split()
    head, data = words[: words.index("ascii")], words[words.index("ascii") + 1 : -1]
    d = len(shape)
    sizes = [*map(str, shape), *["0.25"] * d]
    assert head == [
        "***tesr",
        "**format",
        "2.1",
        "**general",
        str(d),
        *sizes,
        "**cell",
        "5",
        "**data",
    ]
    assert words[-1] == "***end"
    np.testing.assert_array_equal(np.array(data, int).reshape(shape, order="F") - 1, labels)


# Tables ------------------------------------------------------------------------------------------


def test_columns_of_lists_and_numbers(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"cell": range(2), "volume": [0.1, np.nan], "neighbours": [[1, 2], []]}
    for name in ("a.csv", "a.json", "a.parquet"):
        io.write_columns(tmp_path / name, columns, {"count": 2})
    assert (tmp_path / "a.csv").read_text() == "cell,volume,neighbours\n0,0.1,1 2\n1,,\n"
    assert '"volume": null' in (tmp_path / "a.json").read_text()
    rows = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["neighbours"] for row in rows] == [[1, 2], []]


@pytest.mark.parametrize("name", ["a.npy", "a.xlsx", "a"])
def test_unknown_endings_of_tables(tmp_path, name):
    with pytest.raises(io.EndingError, match="unknown ending"):
        io.write_columns(tmp_path / name, {"cell": [0]})


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "labels", "error", "words"),
    [
        ("a.bmp", image((4, 4)), io.EndingError, "unknown ending '.bmp'"),
        ("a.png", image((4, 4, 4)), io.EndingError, "PNG holds two dimensions"),
        ("a.png", np.full((4, 4), 70000, np.int32), io.FileError, "a.png: PNG holds labels up to"),
        ("a.npy", np.zeros((4, 4)), TypeError, "labels is float64"),
        ("a.npy", [[1, 2]], TypeError, "labels is list"),
        ("a.npy", np.zeros(4, np.uint8), ValueError, r"labels has shape \(4,\)"),
        ("a.npy", np.full((2, 2), -1, np.int32), ValueError, "labels has a label -1"),
        ("missing/a.npy", image((4, 4)), io.FileError, "No such file"),
    ],
)
def test_refused(tmp_path, name, labels, error, words):
    with pytest.raises(error, match=words):
        io.write_image(tmp_path / name, labels)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("spacing", [0, -1, np.nan, (1, 2, 3), "a", (1, np.inf)])
def test_spacing_is_checked(tmp_path, spacing):
    with pytest.raises(ValueError, match="spacing is"):
        io.write_image(tmp_path / "a.vti", image((4, 4)), spacing=spacing)


def test_what_was_there_stays_after_an_error(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("kept")
    with pytest.raises(ValueError, match=r"about holds what \.h5 cannot"):
        io.write_image(path, image((4, 4)), about={"a": object()})
    assert path.read_text() == "kept"
    assert os.listdir(tmp_path) == ["a.h5"]
