"""Cells of labelled images under any argument: a right answer, or an error that names it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, quick, replace

import pearlite as pl

LABELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 3
SITES = np.array([[0.1, 0.2], [0.5, 0.7], [0.8, 0.3]])
MEASURES = {
    "volumes": {"spacing": None},
    "centroids": {"spacing": None, "periodic": True},
    "neighbours": {"periodic": True},
    "face_areas": {"spacing": None, "periodic": True, "sites": SITES, "estimate": "plane"},
}


@pytest.mark.parametrize("name", MEASURES)
@quick
@given(st.data())
def test_measures(name, data):
    arguments = {"labels": LABELS, "count": 3, "dim": 2, "threads": 1, **MEASURES[name]}
    replaced = replace(data.draw, arguments)
    # Labels go with `count`, `dim` and `sites`: any of them may be the one to blame.
    blamed = [*replaced, *({"labels", "sites"} & set(arguments))]
    found = called(getattr(pl.laguerre, name), blamed, ["labels"], **arguments)
    if found is not None and name == "volumes" and arguments["spacing"] is None:
        np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-12)


@pytest.mark.parametrize("name", ["fit_volumes", "lloyd"])
@quick
@given(st.data())
def test_fits(name, data):
    arguments = {
        "sites": SITES,
        "volumes": [0.2, 0.3, 0.5],
        "shape": (8, 12),
        "periodic": True,
        "tolerance": 4.0,
        "threads": 1,
        **({"max_iterations": 5} if name == "fit_volumes" else {"iterations": 2}),
    }
    replaced = replace(data.draw, arguments)
    if isinstance(arguments.get("iterations"), int | np.integer):
        arguments["iterations"] = min(arguments["iterations"], 3)
    try:
        # Sites go with `volumes` and `shape`.
        found = called(
            getattr(pl.laguerre, name), [*replaced, "sites", "volumes"], ["sites"], **arguments
        )
    except AssertionError as error:
        # What does not converge says how close it is to `tolerance`.
        cause = error.__context__
        if not (isinstance(cause, pl.ConvergenceError) and "tolerance" in str(cause)):
            raise
        return
    if found is not None:
        assert np.all(np.isfinite(found if name == "fit_volumes" else found.sites))
