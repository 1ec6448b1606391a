"""Any path, table or text gives a right answer, or an error that names it."""

import os
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_arguments import (
    ANYTHING,
    NUMBERS,
    ODD,
    TEXTS,
    called,
    endless,
    in_one_line,
    names_one,
    quick,
)

from pearlite import io

PATHS = st.one_of(
    ODD,
    st.sampled_from(["a" * 5000 + ".png", "no\0ne.npy", b"none.npy", ".", "..", "/", "-", "~"]),
    st.builds(
        "{}.{}{}".format,
        st.text(max_size=5),
        st.sampled_from(
            [
                "png",
                "tif",
                "npy",
                "npz",
                "h5",
                "zarr",
                "json",
                "csv",
                "parquet",
                "JPG",
                "vti",
                "mha",
                "mhd",
                "nrrd",
                "nhdr",
                "raw",
            ]
        ),
        st.sampled_from(["", ":", ":a", "/:a/b", ":\0", "/", ":2x2:u1", ":2x2:?:-1"]),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(tmp_path_factory):
    """Whatever is written, is written into a folder of its own."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("fuzz"))
    yield
    os.chdir(before)


def refused_by_name(function, path, *others, named=("path",)):
    """Call with a path that may be none: TypeError names the argument, FileError the file."""
    try:
        return function(path, *others)
    except io.FileError as error:
        in_one_line(error, whole=path)
    except TypeError as error:
        names_one(error, named)
    return None


@quick
@given(PATHS)
def test_paths_to_read(path):
    assert refused_by_name(io.read_images, path) is None
    assert refused_by_name(io.read_grid, path) is None


@quick
@given(PATHS)
def test_paths_to_write(path):
    result = refused_by_name(io.table_format, path)
    assert result is None or result in (".csv", ".parquet", ".npy", ".json")
    refused_by_name(io.write_table, path, np.eye(2))

    def replace_nothing(path):
        with io.replacing(path) as temporary:
            temporary.write_text("")

    refused_by_name(replace_nothing, path)


@quick
@given(
    ANYTHING,
    st.none() | ODD | st.dictionaries(st.text(max_size=3), st.lists(NUMBERS | TEXTS, max_size=3)),
    st.none() | ODD | st.dictionaries(st.text(max_size=3), NUMBERS | TEXTS),
    st.sampled_from(["csv", "json", "npy", "parquet"]),
)
def test_tables(effective, columns, about, ending):
    called(
        io.write_table,
        ["effective", "columns", "about"],
        ["path"],
        path=f"table.{ending}",
        effective=effective,
        columns=columns,
        about=about,
    )
    # Nothing half-written stays, whatever went wrong.
    assert not [name for name in os.listdir(".") if name.endswith(".tmp")]


CONDUCTIVITIES = st.one_of(
    ODD,
    st.text(alphabet='0123456789=,.-+einfa[]{}": \n', max_size=20),
    st.lists(st.builds("{}={}".format, NUMBERS, NUMBERS) | NUMBERS.map(str), max_size=4).map(
        ",".join
    ),
)


@settings(quick, max_examples=300)
@given(CONDUCTIVITIES)
@example("none\0.json")
def test_conductivities(text):
    try:
        phases = io.parse_conductivity(text)
    except (io.PhaseError, io.FileError) as error:
        in_one_line(error)
    except TypeError as error:
        names_one(error, ["text"])
    else:
        assert not np.any(np.isnan(phases.conductivities))
        assert phases.values is None or np.all(np.diff(phases.values) > 0)


JSON = st.recursive(
    st.sampled_from(
        ["1", "-1", "0", "true", "null", '"2"', "1e999", "9" * 400, "9" * 5000, "NaN", '"x"']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(inner, max_size=3).map(
            lambda parts: "{" + ",".join(f'"{k}": {v}' for k, v in enumerate(parts)) + "}"
        )
    ),
    max_leaves=8,
)


@settings(quick, max_examples=300)
@given(JSON.map(str.encode) | st.binary(max_size=20))
@example(b"[" * 100_000)
@example(b'{"0": [[1e308, 1e308], [1e308, 1e308]]}')
@example(b"[1e-320, [[1e-320, 0], [0, 1e308]]]")
def test_conductivities_in_json(content):
    with open("phases.json", "wb") as file:
        file.write(content)
    try:
        phases = io.parse_conductivity("phases.json")
    except (io.PhaseError, io.FileError) as error:
        in_one_line(error)
    else:
        assert not np.any(np.isnan(phases.conductivities))


@quick
@given((st.lists(ANYTHING, max_size=3) | ODD).filter(lambda images: not endless(images)))
def test_values_of_images(images):
    try:
        present = io.distinct_values(images)
        phases = io.PhaseMap(np.arange(1.0, 3)).fitted(present)
        assert phases.labels(present).tolist() == [0, 1]
    except (io.PhaseError, io.FileError) as error:
        in_one_line(error)
    except TypeError as error:
        names_one(error, ["images"])


# Defects that fuzzing found ----------------------------------------------------------------------


def overwrite(path, place, content):
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(content)


def test_tiff_whose_last_page_is_followed_by_its_first():
    """It made the decoder go round for ever."""
    with tifffile.TiffWriter("round.tif") as file:
        for rows in (6, 4):
            file.write(np.ones((rows, 8), np.uint8), metadata=None)
    with tifffile.TiffFile("round.tif") as file:
        first, last = file.pages[0], file.pages[-1]
        following = last.offset + 2 + 12 * len(last.tags)
    overwrite("round.tif", following, struct.pack("<I", first.offset))
    with pytest.raises(io.FileError, match=r"round\.tif: "):
        io.read_images("round.tif")


def test_tiff_that_claims_millions_of_strips():
    tifffile.imwrite("long.tif", np.ones((6, 8), np.uint8), rowsperstrip=1, metadata=None)
    with tifffile.TiffFile("long.tif") as file:
        rows = file.pages[0].tags["ImageLength"]
    overwrite("long.tif", rows.offset + 2, struct.pack("<HII", 4, 1, 2**28))
    with pytest.raises(io.FileError, match=r"long\.tif: not a readable tif"):
        io.read_images("long.tif")


def test_values_that_are_not_whole_do_not_shift_the_labels():
    phases = io.parse_conductivity("0=1,1.2=2,1.5=3,2=4,4=5")
    image = np.array([[0, 2], [4, 2]], np.uint8)
    fitted = phases.fitted(io.distinct_values([image]))
    assert fitted.conductivities[fitted.labels(image)].tolist() == [[1, 4], [5, 4]]
    fitted = io.parse_conductivity("2=1,2.5=10").fitted(np.array([2], np.uint8))
    assert fitted.labels(np.full((2, 2), 2, np.uint8)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("high", [7, 2**63, 2**64 - 1])
def test_labels_of_unsigned_64_bits(high):
    image = np.array([[0, high], [high, 0]], np.uint64)
    present = io.distinct_values([image])
    assert present.tolist() == [0, high]
    labels = io.parse_conductivity("1,10").fitted(present).labels(image)
    assert labels.tolist() == [[0, 1], [1, 0]]
