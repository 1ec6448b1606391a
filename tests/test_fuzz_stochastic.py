"""Any argument of random mosaics gives a model or an answer, or an error that names it."""

from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, quick, replace

import pearlite as pl

TRUTH = {"alpha": [2.0, 3.0], "a": [1.0, 5.0]}
MODEL = pl.inversion.StochasticMosaics(materials=2, sites=20, shape=(8, 8), threads=1)


@quick
@given(st.data())
def test_models(data):
    arguments = {
        "materials": 2, "sites": 20, "shape": (8, 8), "estimate": "bracketed",
        "surrogate": "moments", "evaluations": (10, 5), "threads": 1,
    }  # fmt: skip
    found = called(
        pl.inversion.StochasticMosaics, replace(data.draw, arguments), ["materials"], **arguments
    )
    assert found is None or found.layout.free == 2 * found.materials


@quick
@given(st.data())
def test_information_bounds(data):
    arguments = {"model": MODEL, "parameters": TRUTH, "count": 100, "samples": 64, "seed": 1}
    replaced = replace(data.draw, arguments)
    if isinstance(arguments["samples"], int) and 1000 < arguments["samples"] <= 2**24:
        arguments["samples"] = 1000
    found = called(
        pl.inversion.information_bound, replaced, ["model", "parameters", "count"], **arguments
    )
    assert found is None or found.relative["a"] > 0


@quick
@given(st.data())
def test_specimens(data):
    arguments = {
        "model": MODEL, "field": pl.microstructures.NeumannField(modes=4), "sites": 2, "cells": 4,
        "specimens": 1, "noise": 0.01,
    }  # fmt: skip
    replaced = replace(data.draw, arguments)  # `cells` limits `sites`
    found = called(pl.inversion.StationarySpecimens, [*replaced, "sites"], ["model"], **arguments)
    if found is not None and found.sites < 10:
        assert 0 < found.effective_sites() <= 1.01 * found.specimens * found.sites**2


@quick
@given(st.data())
def test_measurements(data):
    arguments = {"parameters": TRUTH, "count": 2, "seed": 1, "sample": 0}
    replaced = replace(data.draw, arguments)
    if isinstance(arguments["count"], int) and 4 < arguments["count"] < 2**41:
        arguments["count"] = 3
    found = called(MODEL.measure, replaced, ["parameters", "count"], **arguments)
    assert found is None or found.shape[1] == 3
