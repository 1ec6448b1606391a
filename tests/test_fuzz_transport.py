"""Any argument of a distance between samples gives an answer, or an error that names it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, names_one, quick, replace

import pearlite as pl

X = np.random.default_rng(1).random((6, 2))
Y = np.random.default_rng(2).random((5, 2))


@quick
@given(st.data())
def test_sliced_wasserstein(data):
    arguments = {
        "x": X, "y": Y, "directions": 5, "weights": np.ones(6), "y_weights": np.ones(5),
        "method": "quasi", "seed": 1, "order": 2, "root": False, "gradient": False, "threads": 1,
    }  # fmt: skip
    replaced = replace(data.draw, arguments)
    replaced += ["x", "weights", "y_weights", "directions"]  # must go with x and y
    found = called(pl.inversion.sliced_wasserstein, replaced, ["x", "y"], **arguments)
    assert found is None or arguments["gradient"] or found >= 0


@quick
@given(st.data())
def test_sorted_projections(data):
    arguments = {
        "y": Y, "directions": 5, "weights": np.ones(5), "method": "random", "seed": 1, "threads": 1,
    }  # fmt: skip
    replaced = [*replace(data.draw, arguments), "y", "weights", "directions"]
    found = called(pl.inversion.SortedProjections, replaced, ["y"], **arguments)
    if found is not None:
        assert np.all(np.diff(found.sorted, axis=1) >= 0)


@quick
@given(st.data())
def test_gauss_newton(data):
    arguments = {
        "x": X, "jacobian": np.ones((6, 2, 3)), "weights": np.ones(6), "bins": 2, "threads": 1,
    }  # fmt: skip
    replaced = [*replace(data.draw, arguments), "jacobian", "weights", "bins"]
    target = pl.inversion.SortedProjections(Y, directions=4)
    found = called(target.gauss_newton, replaced, ["x", "jacobian"], **arguments)
    assert found is None or np.all(np.diagonal(found.matrix) >= 0)


@quick
@given(st.data())
def test_divergences(data):
    arguments = {
        "x": X, "y": Y, "weights": np.ones(6), "y_weights": np.ones(5), "gradient": False,
        "threads": 1,
    }  # fmt: skip
    function = pl.inversion.energy_distance
    if data.draw(st.booleans()):
        function = pl.inversion.mmd
        arguments |= {"bandwidth": 1.0, "unbiased": False}
    replaced = [*replace(data.draw, arguments), "x", "weights", "y_weights"]
    called(function, replaced, ["x", "y"], **arguments)


TABLE = pl.inversion.Measurements(
    np.random.default_rng(3).random((90, 3)) + 1, ("A11", "A22", "A12"),
    locations=np.random.default_rng(4).random((90, 2)),
)  # fmt: skip
FITTED = pl.inversion.variogram(TABLE)


@quick
@given(st.data())
def test_measurements(data):
    arguments = {
        "data": TABLE.data, "components": TABLE.components, "sigma": np.ones((90, 3)),
        "specimen": np.arange(90), "locations": TABLE.locations,
    }  # fmt: skip
    replaced = [*replace(data.draw, arguments), *arguments]
    called(pl.inversion.Measurements, replaced, ["data", "components"], **arguments)


@quick
@given(st.data())
def test_thinning(data):
    arguments = {"table": TABLE, "bins": 6, "seed": 1}
    replaced = [*replace(data.draw, arguments), "table"]
    called(pl.inversion.variogram, replaced, ["table"], **arguments)
    arguments = {"table": TABLE, "distance": 0.1, "fitted": FITTED}
    replaced = replace(data.draw, arguments)
    called(pl.inversion.thin, replaced, ["table"], **arguments)


@quick
@given(st.data())
def test_read_measurements(data):
    arguments = {"path": "none.csv", "unit": "GPa"}
    replaced = replace(data.draw, arguments)
    with pytest.raises((TypeError, ValueError)) as caught:
        pl.inversion.read_measurements(**arguments)
    if not isinstance(caught.value, pl.io.FileError):  # which names the file
        names_one(caught.value, replaced)
