"""Reading images: every format there and back, and every kind of bad file."""

import os
import zipfile

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from pearlite import io
from pearlite.io import errors

GREY8 = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
GREY16 = GREY8.astype(np.uint16) * 257
STACK = np.random.default_rng(0).integers(0, 5, (3, 6, 8), dtype=np.uint8)


def same(read, expected):
    assert read.dtype == expected.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, expected)


def refused(path):
    """Read what cannot be read and return the message, which is one line and names the file."""
    with pytest.raises(io.FileError) as caught:
        io.read_images(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(os.fspath(path))
    return message


# --- PNG and TIFF ---------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [GREY8, GREY16], ids=["8", "16"])
def test_png_keeps_grey_values(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.png")
    same(io.read_images(tmp_path / "a.png"), grey)


def test_png_of_one_bit_is_zero_and_one(tmp_path):
    Image.fromarray(GREY8 > 100).save(tmp_path / "a.PNG", format="PNG")
    same(io.read_images(tmp_path / "a.PNG"), (GREY8 > 100).astype(np.uint8))


def test_png_with_a_palette_gives_indices(tmp_path):
    picture = Image.fromarray(STACK[0], mode=None).convert("P")
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9, 8, 8, 8])
    picture.putdata(STACK[0].ravel().tolist())
    picture.save(tmp_path / "a.png")
    same(io.read_images(tmp_path / "a.png"), STACK[0])


@pytest.mark.parametrize("alpha", [False, True])
def test_png_in_colour_counts_if_it_is_grey(tmp_path, alpha):
    channels = [GREY8] * 3 + [np.full_like(GREY8, 255)] * alpha
    Image.fromarray(np.stack(channels, axis=-1)).save(tmp_path / "a.png")
    same(io.read_images(tmp_path / "a.png"), GREY8)


def test_png_in_colour_is_refused(tmp_path):
    Image.fromarray(np.stack([GREY8, GREY8, GREY8 + 1], axis=-1)).save(tmp_path / "a.png")
    with pytest.raises(io.FileError, match=r"a\.png: is a colour image; expected grey values"):
        io.read_images(tmp_path / "a.png")


def test_png_that_is_transparent_is_refused(tmp_path):
    Image.fromarray(np.stack([GREY8, GREY8], axis=-1)).save(tmp_path / "a.png")
    with pytest.raises(io.FileError, match="is partly transparent"):
        io.read_images(tmp_path / "a.png")


def test_png_animation_is_refused(tmp_path):
    frames = [Image.fromarray(image) for image in STACK]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(io.FileError, match="is an animation"):
        io.read_images(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", ["u1", "u2", "<i4", ">u2", ">f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_stack_is_a_batch(tmp_path, dtype, compression):
    stack = STACK.astype(dtype)
    order = ">" if dtype.startswith(">") else "<"
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        compression=compression,
        byteorder=order,
        photometric="minisblack",
    )
    same(io.read_images(tmp_path / "a.tif"), STACK.astype(dtype[-2:]))


@pytest.mark.parametrize("grey", [GREY8, GREY16], ids=["8", "16"])
@pytest.mark.parametrize("count", [1, 3])
def test_tiff_packed_by_lzw(tmp_path, grey, count):
    first, *others = [Image.fromarray(grey)] * count
    path = tmp_path / "a.tif"
    first.save(path, compression="tiff_lzw", save_all=True, append_images=others)
    same(io.read_images(path), grey if count == 1 else np.stack([grey] * count))
    os.truncate(path, path.stat().st_size // 2)
    assert "not a readable tif" in refused(path)


def test_tiff_of_one_page(tmp_path):
    tifffile.imwrite(tmp_path / "a.tiff", GREY16)
    same(io.read_images(tmp_path / "a.tiff"), GREY16)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_in_colour(tmp_path, planar):
    axis = -1 if planar == "contig" else 0
    grey = np.stack([GREY8] * 3, axis=axis)
    tifffile.imwrite(tmp_path / "grey.tif", grey, photometric="rgb", planarconfig=planar)
    same(io.read_images(tmp_path / "grey.tif"), GREY8)
    colour = np.stack([GREY8, GREY8, GREY8 + 1], axis=axis)
    tifffile.imwrite(tmp_path / "colour.tif", colour, photometric="rgb", planarconfig=planar)
    with pytest.raises(io.FileError, match="is a colour image"):
        io.read_images(tmp_path / "colour.tif")


def test_tiff_pages_of_two_sizes_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY8)
        file.write(GREY8[:4])
    with pytest.raises(io.FileError, match=r"holds 2 image series, of shapes \(6, 8\), \(4, 8\)"):
        io.read_images(tmp_path / "a.tif")


# --- arrays ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("u1", "u1"),
        ("?", "u1"),
        (">u2", "u2"),
        ("i8", "i8"),
        ("f2", "f4"),
        (">f4", "f4"),
        (">f8", "f8"),
    ],
)
def test_number_types(tmp_path, stored, read):
    np.save(tmp_path / "a.npy", STACK.astype(stored))
    same(io.read_images(tmp_path / "a.npy"), STACK.astype(stored).astype(read))


def test_npy_is_mapped_into_memory(tmp_path):
    np.save(tmp_path / "a.npy", STACK)
    assert isinstance(io.read_images(tmp_path / "a.npy"), np.memmap)
    np.save(tmp_path / "f.npy", np.asfortranarray(STACK))
    same(io.read_images(tmp_path / "f.npy"), STACK)


def test_npz(tmp_path):
    np.savez_compressed(tmp_path / "one.npz", only=STACK)
    np.savez(tmp_path / "two.npz", a=STACK, b=GREY16)
    same(io.read_images(tmp_path / "one.npz"), STACK)
    same(io.read_images(f"{tmp_path}/two.npz:b"), GREY16)


def test_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cells"] = STACK
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file.create_dataset("run/cells", data=STACK, compression="gzip")
        file["run/grey"] = GREY16
    same(io.read_images(tmp_path / "a.h5"), STACK)
    same(io.read_images(f"{tmp_path}/b.hdf5:/run/cells"), STACK)
    same(io.read_images(f"{tmp_path}/b.hdf5:run/grey"), GREY16)


def test_zarr(tmp_path):
    zarr.save_array(str(tmp_path / "a.zarr"), STACK)
    group = zarr.open_group(str(tmp_path / "b.zarr"), mode="w")
    group.create_array("run/cells", data=STACK)
    group.create_array("grey", data=GREY16)
    same(io.read_images(tmp_path / "a.zarr"), STACK)
    same(io.read_images(f"{tmp_path}/b.zarr:/run/cells"), STACK)
    same(io.read_images(f"{tmp_path}/b.zarr/:grey"), GREY16)


@pytest.mark.parametrize("ending", ["npz", "h5", "zarr"])
def test_the_name_of_an_array_is_asked_for_or_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "npz":
        np.savez(path, a=STACK, b=GREY16)
    elif ending == "h5":
        with h5py.File(path, "w") as file:
            file["a"], file["b"] = STACK, GREY16
    else:
        group = zarr.open_group(str(path), mode="w")
        group.create_array("a", data=STACK)
        group.create_array("b", data=GREY16)
    with pytest.raises(io.FileError, match=r"holds 2 arrays; add :NAME to choose one of a, b"):
        io.read_images(path)
    with pytest.raises(io.FileError, match=r"holds no array 'c', but a, b"):
        io.read_images(f"{path}:c")


# --- bad files ------------------------------------------------------------------------------


def write_sound(folder):
    """Write one sound file of each kind, large enough to lose its second half."""
    large = np.random.default_rng(1).integers(0, 255, (4, 64, 64), dtype=np.uint8)
    Image.fromarray(large[0]).save(folder / "a.png")
    tifffile.imwrite(folder / "plain.tif", large, photometric="minisblack")
    tifffile.imwrite(folder / "packed.tif", large, photometric="minisblack", compression="zlib")
    np.save(folder / "a.npy", large)
    np.savez(folder / "a.npz", large)
    with h5py.File(folder / "a.h5", "w") as file:
        file["cells"] = large
    zarr.save_array(str(folder / "a.zarr"), large)


FILES = ["a.png", "plain.tif", "packed.tif", "a.npy", "a.npz", "a.h5"]


@pytest.mark.parametrize("kept", [0.98, 0.5, 0.1, 4])
@pytest.mark.parametrize("name", FILES)
def test_truncated(tmp_path, name, kept):
    write_sound(tmp_path)
    path = tmp_path / name
    size = path.stat().st_size
    os.truncate(path, kept if kept > 1 else int(kept * size))
    assert "readable" in refused(path) or name == "a.npy"


@pytest.mark.parametrize("name", FILES)
def test_empty_garbage_folder_missing(tmp_path, name):
    path = tmp_path / name
    assert "no such file" in refused(path)
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)
    path.write_bytes(b"These are words and not an image. " * 40)
    assert "not a readable" in refused(path)
    path.unlink()
    path.mkdir()
    assert "is a folder, not a file" in refused(path)


def test_damaged_in_the_middle(tmp_path):
    """Checksums are looked at: a PNG and a packed TIFF whose bytes changed."""
    write_sound(tmp_path)
    for name in ("a.png", "packed.tif"):
        content = bytearray((tmp_path / name).read_bytes())
        middle = len(content) // 2
        content[middle : middle + 40] = bytes(40)
        (tmp_path / name).write_bytes(content)
        assert "not a readable" in refused(tmp_path / name)


def test_bad_zarr(tmp_path):
    assert "no such file" in refused(tmp_path / "none.zarr")
    (tmp_path / "file.zarr").write_bytes(b"x")
    assert "not a folder" in refused(tmp_path / "file.zarr")
    (tmp_path / "empty.zarr").mkdir()
    assert "not a readable zarr" in refused(tmp_path / "empty.zarr")
    write_sound(tmp_path)
    chunk = max((p for p in (tmp_path / "a.zarr").rglob("*") if p.is_file()), key=os.path.getsize)
    os.truncate(chunk, chunk.stat().st_size // 2)
    assert "not a readable zarr" in refused(tmp_path / "a.zarr")
    zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    assert "holds no array" in refused(tmp_path / "group.zarr")


def test_damaged_zip_member(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(10000).reshape(100, 100))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[200:240] = bytes(40)
    (tmp_path / "a.npz").write_bytes(content)
    assert "not a readable npz" in refused(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("words.txt", "no array")
    refused(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), r"shape \(5,\) is not an image"),
        (np.float64(3), r"shape \(\) is not an image"),
        (np.zeros((0, 4, 4)), "holds no pixels"),
        (np.zeros((4, 4), complex), "holds complex128 values"),
        (np.array([["a", "b"]]), "holds <U1 values"),
        (np.array([[None, 1]]), "holds object values"),
        (np.zeros((2, 2), [("x", "f4")]), "expected integers or real numbers"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(io.FileError, match=message):
        io.read_images(tmp_path / "a.npy")
    assert "\n" not in refused(tmp_path / "a.npy")


def test_unknown_ending(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert "unknown ending '.jpg'; expected one of .png, .tif" in refused(tmp_path / "a.jpg")


def test_a_name_with_a_colon_is_a_name(tmp_path):
    np.save(tmp_path / "12:30.npy", GREY8)
    same(io.read_images(tmp_path / "12:30.npy"), GREY8)


def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch):
    Image.fromarray(GREY8).save(tmp_path / "a.png")

    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(errors.importlib, "import_module", missing)
    assert "pip install 'pearlite[images]'" in refused(tmp_path / "a.png")
