"""dask and xarray arrays go into `homogenize` and come out lazy, with their axes and names."""

import numpy as np
import pytest

import pearlite as pl

dask_array = pytest.importorskip("dask.array")
xarray = pytest.importorskip("xarray")

PHASES = [1.0, 10.0]
CLOSE = {"rtol": 0, "atol": 2e-5}  # two solutions to a relative error of 1e-6 each
LABELS = np.random.default_rng(0).integers(2, size=(6, 5, 16, 12), dtype=np.uint8)


def test_dask_labels_in_any_chunks():
    lazy = dask_array.from_array(LABELS, chunks=(4, 3, 8, 5))
    found = pl.homogenize(lazy, phases=PHASES)
    assert isinstance(found, dask_array.Array)
    assert found.shape == (6, 5, 2, 2)
    assert found.chunks[:2] == lazy.chunks[:2]
    np.testing.assert_allclose(found.compute(), pl.homogenize(LABELS, phases=PHASES), **CLOSE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dask_conductivities(dtype):
    fields = np.random.default_rng(1).uniform(1, 2, (4, 16, 12)).astype(dtype)
    found = pl.homogenize(dask_array.from_array(fields, chunks=(2, 8, 12)))
    assert found.dtype == dtype
    result = found.compute()
    assert result.dtype == dtype
    np.testing.assert_allclose(result, pl.homogenize(fields), **CLOSE)


def test_dask_volumes_and_single_images():
    volumes = LABELS.reshape(5, 6, 16, 12)[:, :, :, :4]
    found = pl.homogenize(dask_array.from_array(volumes, chunks=(1, 6, 4, 4)), phases=PHASES, dim=3)
    assert found.shape == (5, 3, 3)
    expected = pl.homogenize(volumes, phases=PHASES, dim=3)
    np.testing.assert_allclose(found.compute(), expected, **CLOSE)
    one = pl.homogenize(dask_array.from_array(LABELS[0, 0]), phases=PHASES)
    np.testing.assert_allclose(one.compute(), pl.homogenize(LABELS[0, 0], phases=PHASES), **CLOSE)


@pytest.mark.parametrize("chunks", [None, {"sample": 2, "x": 8}])
def test_xarray_keeps_names_coordinates_and_attributes(chunks):
    cells = xarray.DataArray(
        LABELS,
        dims=("sample", "time", "x", "y"),
        coords={"sample": list("abcdef"), "x": np.arange(16.0)},
        attrs={"source": "drawn"},
    )
    found = pl.homogenize(cells if chunks is None else cells.chunk(chunks), phases=PHASES)
    assert (found.chunks is None) == (chunks is None)
    assert found.dims == ("sample", "time", "row", "column")
    assert list(found.coords) == ["sample"]
    assert found.attrs == {"source": "drawn"}
    np.testing.assert_allclose(found.values, pl.homogenize(LABELS, phases=PHASES), **CLOSE)


def test_options_reach_the_solver():
    lazy = dask_array.from_array(LABELS[0], chunks=(2, 16, 12))
    options = {"phases": PHASES, "spacing": (1.0, 2.0), "estimate": "bracketed"}
    expected = pl.homogenize(LABELS[0], **options)
    np.testing.assert_allclose(pl.homogenize(lazy, **options).compute(), expected, **CLOSE)


def test_errors():
    with pytest.raises(ValueError, match="conductivity has shape"):
        pl.homogenize(dask_array.zeros(3), phases=PHASES)
    with pytest.raises(ValueError, match="tensor is True"):
        pl.homogenize(dask_array.zeros((3, 3, 2, 2)), tensor=True)
