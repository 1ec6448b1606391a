"""Conductivities of grey values, and tables that appear whole or not at all."""

import json
import os

import numpy as np
import pyarrow.parquet
import pytest

from pearlite import io
from pearlite.io import phases

# --- conductivities -------------------------------------------------------------------------


def test_conductivities_in_increasing_order_of_value():
    phases = io.parse_conductivity("1, 10,100").fitted(np.array([0, 128, 255]))
    labels = phases.labels(np.array([[255, 0], [128, 128]], np.uint8))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, [[2, 0], [1, 1]])
    np.testing.assert_array_equal(phases.conductivities, [1, 10, 100])


def test_conductivities_by_value():
    phases = io.parse_conductivity("255=10,0=1,7=3").fitted(np.array([0, 255]))
    np.testing.assert_array_equal(phases.labels(np.array([[255, 0]], np.uint8)), [[2, 0]])
    np.testing.assert_array_equal(phases.conductivities, [1, 3, 10])


@pytest.mark.parametrize(
    "image",
    [
        np.array([[-5, 70000], [3, -5]], np.int32),
        np.array([[-5, 70000], [3, -5]], np.int64),
        np.array([[-5.0, 70000], [3, -5]], np.float32),
        np.array([[-(2**40), 2**40], [3, 3]], np.int64),
    ],
)
def test_any_values_become_labels(image):
    present = io.distinct_values([image])
    np.testing.assert_array_equal(present, np.unique(image))
    labels = io.parse_conductivity("1,2,3").fitted(present).labels(image)
    np.testing.assert_array_equal(present[labels], image)


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 3, 1, 9), (40,), (3, 8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_are_looked_for_in_blocks_of_limited_size(shape, order, monkeypatch):
    """Also of a volume of one plane, or a plane of one row."""
    monkeypatch.setattr(phases, "_BLOCK", 8)
    image = np.arange(np.prod(shape)).reshape(shape, order=order)
    blocks = list(phases._blocks(image))
    assert max(block.size for block in blocks) <= 8
    assert sum(block.size for block in blocks) == image.size
    np.testing.assert_array_equal(io.distinct_values([image]), np.arange(image.size))


def test_many_phases_need_wider_labels():
    image = np.arange(400, dtype=np.uint16).reshape(20, 20)
    text = ",".join(str(k + 1) for k in range(400))
    labels = io.parse_conductivity(text).fitted(io.distinct_values([image])).labels(image)
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, image)


def test_conductivities_from_json(tmp_path):
    file = tmp_path / "map.json"
    file.write_text(json.dumps({"255": [[10, 1], [1, 5]], "0": 2}))
    phases = io.parse_conductivity(str(file))
    np.testing.assert_array_equal(phases.values, [0, 255])
    np.testing.assert_array_equal(phases.conductivities, [[[2, 0], [0, 2]], [[10, 1], [1, 5]]])
    file.write_text("[1, 10]")
    assert io.parse_conductivity(str(file)).values is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a number"),
        ("1,,2", "'' is not a number"),
        ("1,ten", "'ten' is not a number"),
        ("1,nan", "'nan' is not a number"),
        ("1,-3", "conductivity -3 is not > 0, 0"),
        ("0=1,10", "not a mixture"),
        ("0=1,0=10", "stands twice"),
        ("0=1,0.0=10", "stands twice"),
        ("zero=1", "'zero' is not a number"),
    ],
)
def test_bad_conductivities(text, message):
    with pytest.raises(io.PhaseError, match=message):
        io.parse_conductivity(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("{}", "expected an object"),
        ("3", "expected an object"),
        ('{"0": "x"}', "'x' is not a number"),
        ('{"0": null}', "None is not a number"),
        ('{"0": [[1, 2], [3, 4]]}', "is not symmetric"),
        ('{"0": [[1, 2, 0], [2, 9, 1], [0, 0, 5]]}', "is not symmetric"),
        ('{"0": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "1": [[1, 0], [0, 1]]}', "a 3×3 matrix"),
        ('{"0": [[1, 2], [2, 1]]}', "is not finite and positive definite"),
        ('{"0": [[1, 2, 3]]}', "is not a number or a 2×2 matrix"),
        ('{"0": [1, 2]}', "is not a number or a 2×2 matrix"),
    ],
)
def test_bad_json(tmp_path, content, message):
    file = tmp_path / "map.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        io.parse_conductivity(str(file))


def test_values_and_conductivities_must_match():
    with pytest.raises(io.PhaseError, match="2 conductivities for 3 distinct values: 0, 1, 7"):
        io.parse_conductivity("1,10").fitted(np.array([0, 1, 7]))
    with pytest.raises(io.PhaseError, match="no conductivity for 2, 3, 4, 5, 6, 7 and 2 more"):
        io.parse_conductivity("0=1,1=10").fitted(np.arange(10))


def test_values_that_are_not_finite():
    with pytest.raises(io.FileError, match="not finite"):
        io.distinct_values([np.array([[1.0, np.nan]])])


# --- tables ---------------------------------------------------------------------------------

TENSORS = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1 / 3, 0], [0, 1e-7]], [[np.nan] * 2] * 2])
COLUMNS = {"file": ["a.png", 'odd, "name"', "c"], "index": [0, 1, 2]}


def test_csv(tmp_path):
    io.write_table(tmp_path / "t.csv", TENSORS, COLUMNS)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "file,index,A11,A22,A12,anisotropy"
    assert lines[2].startswith('"odd, ""name""",1,0.3333333333333333,1e-07,0.0,')
    assert lines[3] == "c,2,,,,"


def test_parquet(tmp_path):
    io.write_table(tmp_path / "t.parquet", TENSORS, COLUMNS)
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pydict()
    assert table["file"] == COLUMNS["file"]
    np.testing.assert_array_equal(table["A11"], TENSORS[:, 0, 0])
    np.testing.assert_array_equal(table["A12"], TENSORS[:, 0, 1])


def test_json(tmp_path):
    io.write_table(tmp_path / "t.json", TENSORS, COLUMNS, {"rtol": 1e-6})
    content = json.loads((tmp_path / "t.json").read_text())
    assert content["rtol"] == 1e-6
    assert content["cells"][0]["A22"] == 1.0
    assert content["cells"][2]["A11"] is None


def test_npy_keeps_the_shape(tmp_path):
    io.write_table(tmp_path / "t.npy", TENSORS.reshape(3, 1, 2, 2), COLUMNS)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), TENSORS.reshape(3, 1, 2, 2))


def test_anisotropy_is_the_ratio_of_eigenvalues(tmp_path):
    rotation = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    io.write_table(tmp_path / "t.json", (rotation * [4, 0.5]) @ rotation.T)
    cells = json.loads((tmp_path / "t.json").read_text())["cells"]
    assert cells[0]["anisotropy"] == pytest.approx(8)


def fail_while_writing(target, failure):
    with io.replacing(target) as temporary:
        temporary.write_text("half a ta")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError, OSError(28, "disk full")])
def test_nothing_half_written(tmp_path, failure):
    target = tmp_path / "t.csv"
    target.write_text("the old table")
    expected = io.FileError if isinstance(failure, OSError) else failure
    with pytest.raises(expected):
        fail_while_writing(target, failure)
    assert target.read_text() == "the old table"
    assert os.listdir(tmp_path) == ["t.csv"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    io.write_table(tmp_path / "link.csv", TENSORS, COLUMNS)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("file,")


def test_a_table_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    io.write_table(tmp_path / "t.csv", TENSORS, COLUMNS)
    assert (tmp_path / "t.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_tables_that_cannot_be_written(tmp_path):
    with pytest.raises(io.EndingError, match=r"unknown ending '\.xlsx'; expected one of \.csv"):
        io.write_table(tmp_path / "t.xlsx", TENSORS)
    with pytest.raises(io.FileError, match="No such file or directory"):
        io.write_table(tmp_path / "none" / "t.csv", TENSORS)


def test_tensors_of_volumes(tmp_path):
    tensors = np.array([np.diag([3.0, 2.0, 1.0]), np.full((3, 3), np.nan), np.eye(3)])
    tensors[0, 0, 2] = tensors[0, 2, 0] = 0.5
    tensors[2, 1, 1] = np.inf
    tensors[2, 0, 2] = tensors[2, 2, 0] = 0.25
    io.write_table(tmp_path / "t.csv", tensors, COLUMNS)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "file,index,A11,A22,A33,A12,A13,A23,anisotropy"
    low, high = np.linalg.eigvalsh(tensors[0])[[0, 2]]
    assert lines[1].split(",")[2:8] == ["3.0", "2.0", "1.0", "0.0", "0.5", "0.0"]
    assert float(lines[1].split(",")[8]) == pytest.approx(high / low)
    assert lines[2].endswith(",,,,,,,")
    assert lines[3].split(",")[2:] == ["1.0", "inf", "1.0", "0.0", "0.25", "0.0", "inf"]
    with pytest.raises(ValueError, match=r"expected \(..., 2, 2\) or \(..., 3, 3\)"):
        io.write_table(tmp_path / "t.csv", np.ones((4, 4)))
