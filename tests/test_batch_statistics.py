"""Statistics of long runs are those of the images."""

import csv

import numpy as np
import pytest

import pearlite as pl

LABELS = np.random.default_rng(5).integers(3, size=(11, 12, 16), dtype=np.uint8)


def test_two_point_of_labels(tmp_path):
    zarr = pytest.importorskip("zarr")
    pl.batch.two_point(LABELS, tmp_path / "maps.zarr", phases=[0, 2], chunk=4)
    found = zarr.open(str(tmp_path / "maps.zarr"), mode="r")["two_point"]
    assert found.chunks == (4, 2, 2, 12, 16)
    expected = pl.correlation.two_point(LABELS, phases=[0, 2])
    np.testing.assert_allclose(found[:], expected, atol=1e-12)


def test_two_point_of_fields_that_do_not_repeat(tmp_path):
    fields = np.random.default_rng(1).standard_normal((5, 8, 9))
    fields[3, 1, 2] = np.inf
    report = pl.batch.two_point(fields, tmp_path / "maps.npy", periodic=False)
    found = np.load(tmp_path / "maps.npy")
    assert report.failures == [pl.batch.Failure(3, "pixel (1, 2) is inf; expected a finite number")]
    assert np.isnan(found[3]).all()
    rest = [0, 1, 2, 4]
    expected = pl.correlation.two_point(fields[rest], periodic=False)
    np.testing.assert_allclose(found[rest], expected, atol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_characterize(dim, tmp_path):
    images = LABELS if dim == 2 else LABELS.reshape(11, 4, 6, 8)
    pl.batch.characterize(images, tmp_path / "t.csv", phases=[0, 1, 2], dim=dim, chunk=3)
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = pl.statistics.characterize(images, phases=[0, 1, 2], dim=dim)
    column = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if "_" in name}
    np.testing.assert_allclose(column["fraction_2"], expected.fractions[:, 2])
    np.testing.assert_allclose(column["mean_chord_1_0"], expected.chords.mean[:, 1, 0])
    np.testing.assert_array_equal(column["percolates_0_1"], expected.percolates[:, 0, 1])
    np.testing.assert_array_equal(column["clusters_1"], expected.clusters[:, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phases": None}, "phases is None"),
        ({"phases": [-1]}, "phases is -1"),
        ({"dim": 5}, "dim is 5"),
        ({"periodic": 2}, "periodic is a int"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_errors(change, message, tmp_path):
    arguments = {"phases": [0, 1], **change}
    with pytest.raises((TypeError, ValueError), match=message):
        pl.batch.characterize(LABELS, tmp_path / "t.csv", **arguments)
