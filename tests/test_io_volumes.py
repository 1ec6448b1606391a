"""Volumes in files: what is read back, what other programs wrote, and what a file tells of axes."""

import os

import h5py
import numpy as np
import pytest
import tifffile

from pearlite import io
from pearlite.io import flat, vti

VOLUME = np.random.default_rng(0).integers(0, 200, (5, 7, 9), dtype=np.uint8)
SPACING = (2.5, 2.5, 4.0)


def refused(path, *words):
    """Read what cannot be read; the message is one line, names the file, and says these words."""
    with pytest.raises(io.FileError) as caught:
        io.read_grid(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(os.fspath(path))
    for word in words:
        assert word in message


# --- there and back -------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["tif", "h5", "vti", "mha", "mhd", "nrrd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("dim", [2, 3])
def test_what_is_written_is_read_with_its_axes(tmp_path, ending, dtype, dim):
    image = VOLUME[0].astype(dtype) if dim == 2 else VOLUME.astype(dtype)
    path = tmp_path / f"scan.{ending}"
    io.write_image(path, image, spacing=SPACING[-dim:], unit="µm")
    grid = io.read_grid(path)
    np.testing.assert_array_equal(grid.images, image)
    assert grid.images.dtype.isnative
    assert grid.dim == (None if ending == "tif" and dim == 2 else dim)
    assert grid.spacing == SPACING[-dim:]
    assert grid.unit == ("" if ending == "vti" else "µm")
    assert sorted(os.listdir(tmp_path)) == [path.name, *(["scan.raw"] if ending == "mhd" else [])]


def test_raw_numbers(tmp_path):
    path = tmp_path / "scan.raw"
    io.write_image(path, VOLUME)
    np.testing.assert_array_equal(io.read_images(f"{path}:5x7x9:uint8"), VOLUME)
    np.testing.assert_array_equal(io.read_images(f"{path}:5,7,9:u1"), VOLUME)
    assert isinstance(io.read_images(f"{path}:5x7x9:uint8"), np.memmap)
    path.write_bytes(b"header" + VOLUME.astype(">u2").tobytes())
    found = io.read_images(f"{path}:5x7x9:>u2:6")
    np.testing.assert_array_equal(found, VOLUME)
    assert found.dtype == np.uint16
    refused(f"{path}:5x7x9:>u2:7", "expected 630", "5 × 7 × 9 of uint16")
    refused(f"{path}:5x7x9:uint8", "holds 636 bytes", "expected 315")
    refused(path, "add its shape and type of number")
    refused(f"{path}:5x7x9", "':5x7x9' is not a shape")
    refused(f"{path}:5x7x9:u16", "'u16' is no type of number")
    refused(f"{path}:5x7x9:c8", "'c8' is no type of number")


@pytest.mark.parametrize("ending", ["nrrd", "mha", "vti"])
def test_a_volume_is_mapped_not_loaded(tmp_path, ending):
    io.write_image(tmp_path / f"a.{ending}", VOLUME)
    images = io.read_images(tmp_path / f"a.{ending}")
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


# --- what other programs write --------------------------------------------------------------


def test_tiff_of_imagej(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        VOLUME,
        imagej=True,
        resolution=(1 / 2.5, 1 / 2),
        metadata={"axes": "ZYX", "spacing": 4.0, "unit": "\\u00B5m"},
    )
    grid = io.read_grid(tmp_path / "a.tif")
    np.testing.assert_array_equal(grid.images, VOLUME)
    assert (grid.dim, grid.unit) == (3, "µm")
    np.testing.assert_allclose(grid.spacing, (4.0, 2.0, 2.5), rtol=1e-6)


def test_tiff_of_ome(tmp_path):
    sizes = {"PhysicalSizeX": 2.5, "PhysicalSizeY": 2.0, "PhysicalSizeZ": 4.0}
    units = {f"{name}Unit": "nm" for name in sizes}
    tifffile.imwrite(tmp_path / "a.ome.tif", VOLUME, metadata={"axes": "ZYX", **sizes, **units})
    grid = io.read_grid(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(grid.images, VOLUME)
    assert (grid.dim, grid.spacing, grid.unit) == (3, (4.0, 2.0, 2.5), "nm")


def test_a_tiff_that_does_not_tell_is_a_batch(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", VOLUME, resolution=(72, 72), resolutionunit="INCH")
    grid = io.read_grid(tmp_path / "a.tif")
    assert (grid.dim, grid.spacing, grid.unit) == (None, None, "")


def test_hdf5_of_ilastik(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scan"] = VOLUME
        file["scan"].attrs["element_size_um"] = SPACING
    grid = io.read_grid(tmp_path / "a.h5")
    assert (grid.dim, grid.spacing, grid.unit) == (3, SPACING, "µm")


def test_a_batch_in_hdf5_keeps_its_axis(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cells"] = VOLUME
        file["cells"].attrs["spacing"] = (1.0, 2.0)
    grid = io.read_grid(tmp_path / "a.h5")
    assert (grid.dim, grid.spacing) == (2, (1.0, 2.0))


def test_metaimage_of_itk(tmp_path):
    """As ITK writes it: packed, in another order of bytes, with keys that do not matter here."""
    import zlib

    numbers = zlib.compress(VOLUME.T.astype(">i2").tobytes())
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = True\n"
        f"CompressedData = True\nCompressedDataSize = {len(numbers)}\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nAnatomicalOrientation = RAI\n"
        "ElementSpacing = 2.5 2.5 4\nDimSize = 5 7 9\nElementType = MET_SHORT\n"
        "ElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(head.encode() + numbers)
    grid = io.read_grid(tmp_path / "a.mha")
    np.testing.assert_array_equal(grid.images, VOLUME)
    assert grid.images.dtype == np.int16
    assert (grid.dim, grid.spacing) == (3, SPACING)


@pytest.mark.parametrize("skip", ["HeaderSize = 11\n", "HeaderSize = -1\n"])
def test_metaimage_beside_other_bytes(tmp_path, skip):
    (tmp_path / "a.raw").write_bytes(b"some header" + VOLUME.T.tobytes())
    head = f"NDims = 3\nDimSize = 5 7 9\nElementType = MET_UCHAR\n{skip}ElementDataFile = a.raw\n"
    (tmp_path / "a.mhd").write_text(head)
    np.testing.assert_array_equal(io.read_images(tmp_path / "a.mhd"), VOLUME)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", "gzip"), ("bzip2", "bz2"), ("raw", None)])
def test_nrrd_of_slicer(tmp_path, encoding, pack):
    """As pynrrd and 3D Slicer write it: directions of the axes in space, numbers packed."""
    import importlib

    numbers = VOLUME.T.astype("<u2").tobytes()
    if pack:
        numbers = importlib.import_module(pack).compress(numbers)
    head = (
        "NRRD0005\n# Complete NRRD file format specification at:\ntype: unsigned short\n"
        "dimension: 3\nspace: left-posterior-superior\nsizes: 5 7 9\n"
        "space directions: (0,2.5,0) (2.5,0,0) (0,0,4)\nkinds: domain domain domain\n"
        f'endian: little\nencoding: {encoding}\nspace units: "mm" "mm" "mm"\n'
        "space origin: (0,0,0)\nmy key:=my value: with a colon\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(head.encode() + numbers)
    (tmp_path / "b.raw").write_bytes(b"0123" + numbers)
    detached = head.strip("\n") + "\ndata file: b.raw\n"
    if not pack:
        detached += "byte skip: 4\n"
    (tmp_path / "b.nhdr").write_text(detached)
    for name in ("a.nrrd", "b.nhdr"):
        if pack and name == "b.nhdr":
            (tmp_path / "b.raw").write_bytes(numbers)
        grid = io.read_grid(tmp_path / name)
        np.testing.assert_array_equal(grid.images, VOLUME)
        assert (grid.dim, grid.spacing, grid.unit) == (3, SPACING, "mm")


# --- VTK ------------------------------------------------------------------------------------


def vtk_file(path, field, points, mode, packer, header=64):
    """Write with VTK's own writer, which is ParaView's."""
    vtk_io = pytest.importorskip("vtkmodules.vtkIOXML")
    data = pytest.importorskip("vtkmodules.vtkCommonDataModel").vtkImageData()
    to_vtk = pytest.importorskip("vtkmodules.util.numpy_support").numpy_to_vtk
    data.SetDimensions(*(n + (not points) for n in field.shape))
    data.SetSpacing(*SPACING)
    array = to_vtk(field.ravel(order="F"), deep=True)
    array.SetName("grey")
    (data.GetPointData() if points else data.GetCellData()).AddArray(array)
    writer = vtk_io.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(data)
    {"ascii": writer.SetDataModeToAscii, "binary": writer.SetDataModeToBinary}.get(
        mode, writer.SetDataModeToAppended
    )()
    writer.SetEncodeAppendedData(mode != "raw")
    {"zlib": writer.SetCompressorTypeToZLib, "lzma": writer.SetCompressorTypeToLZMA}.get(
        packer, writer.SetCompressorTypeToNone
    )()
    writer.SetBlockSize(96)  # several blocks, the last one smaller
    (writer.SetHeaderTypeToUInt64 if header == 64 else writer.SetHeaderTypeToUInt32)()
    assert writer.Write() == 1


@pytest.mark.parametrize("mode", ["ascii", "binary", "base64", "raw"])
@pytest.mark.parametrize("packer", [None, "zlib", "lzma"])
@pytest.mark.parametrize("points", [False, True])
def test_what_vtk_writes(tmp_path, mode, packer, points):
    for header, dtype in ((64, np.uint8), (32, np.int16), (32, np.float64)):
        field = VOLUME.astype(dtype)
        vtk_file(tmp_path / "a.vti", field, points, mode, packer, header)
        for name in ("a.vti", "a.vti:grey"):
            grid = io.read_grid(tmp_path / name)
            assert grid.images.dtype == dtype
            np.testing.assert_array_equal(grid.images, field)
            assert (grid.dim, grid.spacing) == (3, SPACING)


def test_vtk_reads_vectors(tmp_path):
    vtk_io = pytest.importorskip("vtkmodules.vtkIOXML")
    to_numpy = pytest.importorskip("vtkmodules.util.numpy_support").vtk_to_numpy
    flux = np.random.default_rng(1).random((5, 7, 9, 3)).astype(np.float32)
    fields = {
        "label": vti.Field(lambda part: VOLUME[..., part], np.uint8),
        "flux": vti.Field(lambda part: flux[:, :, part], np.float32, 3),
    }
    vti.write_fields(tmp_path / "a.vti", VOLUME.shape, fields, SPACING)
    reader = vtk_io.vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "a.vti"))
    reader.Update()
    cells = reader.GetOutput().GetCellData()
    assert cells.GetScalars().GetName() == "label"
    assert cells.GetVectors().GetName() == "flux"
    found = to_numpy(cells.GetArray("flux"))
    np.testing.assert_array_equal(found.reshape(9, 7, 5, 3), flux.transpose(2, 1, 0, 3))
    found = to_numpy(cells.GetArray("label"))
    np.testing.assert_array_equal(found.reshape(9, 7, 5).T, VOLUME)


def test_fields_are_written_in_parts(tmp_path, monkeypatch):
    field = np.random.default_rng(1).random((4, 3, 11))
    vector = np.random.default_rng(2).random((4, 3, 11, 3))
    fields = {
        "a": vti.Field(lambda part: field[..., part], np.float32),
        "b": vti.Field(lambda part: vector[..., part, :], np.float64, 3),
    }
    done = []
    vti.write_fields(tmp_path / "whole.vti", field.shape, fields, (1, 1, 1), done.append)
    assert sum(done) == 2 * field.size
    monkeypatch.setattr(vti, "_TOGETHER", 24)
    vti.write_fields(tmp_path / "parts.vti", field.shape, fields, (1, 1, 1))
    assert (tmp_path / "whole.vti").read_bytes() == (tmp_path / "parts.vti").read_bytes()
    found = io.read_images(tmp_path / "parts.vti:a")
    np.testing.assert_array_equal(found, field.astype(np.float32))
    refused(tmp_path / "parts.vti:b", "array 'b' holds vectors")
    refused(tmp_path / "parts.vti", "holds 2 arrays; add :NAME")


# --- what cannot be read --------------------------------------------------------------------

META = "NDims = 3\nDimSize = 5 7 9\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
NRRD = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 5 7 9\nencoding: raw\n\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("5 7 9", "5 7 10", "expected 350, 5 × 7 × 10 of uint8"),
        ("5 7 9", "5 7", "has NDims = 3, but DimSize = 5 7"),
        ("5 7 9", "5 -7 9", "has the sizes [5, -7, 9]"),
        ("5 7 9", "5 seven 9", "has DimSize = 5 seven 9; expected integers"),
        ("DimSize", "Sizes", "has DimSize = None"),
        ("MET_UCHAR", "MET_STRING", "has ElementType = 'MET_STRING'; expected one of MET_CHAR"),
        ("LOCAL", "other.raw", "no such file beside it"),
        ("LOCAL", "../a.raw", "expected a file in the same folder"),
        ("LOCAL", "/etc/passwd", "expected a file in the same folder"),
        ("LOCAL", "LIST", "in many files"),
        ("ElementDataFile", "Elements", "there is no ElementDataFile"),
        ("NDims", "BinaryData = False\nNDims", "has its numbers as text"),
        ("NDims", "CompressedData = True\nNDims", "not a readable mha file"),
        ("NDims", "HeaderSize = -7\nNDims", "has HeaderSize = -7"),
        ("NDims", "ElementNumberOfChannels = 3\nNDims", "has several channels"),
    ],
)
def test_bad_metaimages(tmp_path, old, new, words):
    assert old in META
    content = META.replace(old, new)
    body = b"" if "Elements" in content else VOLUME.tobytes()
    (tmp_path / "a.mha").write_bytes(content.encode() + body)
    refused(tmp_path / "a.mha", words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("5 7 9", "5 7 10", "expected 350"),
        ("5 7 9", "5 7", "has dimension 3, but sizes 5 7"),
        ("5 7 9", "0 7 9", "has the sizes [0, 7, 9]"),
        ("uint8", "block", "has type 'block'"),
        ("raw", "ascii", "has the encoding 'ascii'"),
        ("raw", "gzip", "not a readable nrrd file"),
        ("raw\n", "raw\nendian: middle\n", "has endian 'middle'"),
        ("raw\n", "raw\nbyte skip: 9999\n", "ends too early"),
        ("raw\n", "raw\nline skip: 2\n", "has a line skip"),
        ("raw\n", "raw\ndata file: LIST\n", "in many files"),
        ("NRRD", "NRRT", "it does not begin as one"),
        ("\n\n", "\n", "its header does not end"),
    ],
)
def test_bad_nrrds(tmp_path, old, new, words):
    assert old in NRRD
    content = NRRD.replace(old, new)
    body = b"" if "\n\n" not in content else VOLUME.tobytes()
    (tmp_path / "a.nrrd").write_bytes(content.encode() + body)
    refused(tmp_path / "a.nrrd", words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('Piece Extent="0 5', 'Piece Extent="0 6', "holds [315] bytes of numbers; expected 378"),
        ('Extent="0 5', 'Extent="0 x', "expected 6 numbers"),
        ("ImageData", "PolyData", "holds PolyData; expected VTK ImageData"),
        ('"UInt64"', '"UInt16"', "needs UInt16"),
        ('header_type="UInt64"', 'compressor="vtkLZ4DataCompressor"', "needs vtkLZ4"),
        ('"UInt8"', '"String"', "'string' is no type of number"),
        ('"appended"', '"detached"', "in the format 'detached'"),
        ("<ImageData", "<!DOCTYPE a><ImageData", "it declares entities"),
        ("</Piece>", "", "not a readable vti file (mismatched tag"),
    ],
)
def test_bad_vtk_files(tmp_path, old, new, words):
    io.write_image(tmp_path / "a.vti", VOLUME)
    content = (tmp_path / "a.vti").read_bytes()
    assert old.encode() in content
    (tmp_path / "a.vti").write_bytes(content.replace(old.encode(), new.encode()))
    refused(tmp_path / "a.vti", words)


@pytest.mark.parametrize("ending", ["vti", "mha", "nrrd"])
def test_truncated_files(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    io.write_image(path, VOLUME)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 100])
    refused(path, "expected 315")


def test_no_more_is_unpacked_than_was_told():
    import zlib

    packed = zlib.compress(bytes(10**7))
    assert flat.unpacked(packed, "zlib", np.dtype("u1"), (2, 3)).shape == (2, 3)
    with pytest.raises(io.FileError, match="holds 10000000 bytes of numbers, unpacked"):
        flat.unpacked(packed, "zlib", np.dtype("u1"), (10**4, 10**4))


@pytest.mark.parametrize("unit", ['"', "a\nb", 3])
def test_bad_units(tmp_path, unit):
    with pytest.raises(ValueError, match="unit is"):
        io.write_image(tmp_path / "a.nrrd", VOLUME, unit=unit)
