"""Any argument of a distance between samples gives an answer, or an error that names it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, quick, replace

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
