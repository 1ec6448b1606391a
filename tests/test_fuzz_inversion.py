"""Any argument of a fit and of what follows it gives an answer, or an error that names it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_arguments import ODD, called, names_one, quick, replace

import pearlite as pl
from pearlite.inversion import DirichletLayers

LAYERS = DirichletLayers(2)
TRUTH = {"a": np.array([1.0, 5.0]), "alpha": np.array([2.0, 3.0])}
DATA = pl.inversion.sample(LAYERS, TRUTH, 24, seed=1)
FOUND = pl.inversion.fit(LAYERS, DATA, restarts=1, iterations=2, samples=50)
few = settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)


@few
@given(st.data())
def test_fit(data):
    arguments = {
        "model": LAYERS, "data": DATA, "method": "levenberg-marquardt", "restarts": 1, "seed": 1,
        "refine": None, "samples": 40, "iterations": 2, "projections": 4, "sigma": 0.1,
        "known": {"a": [1.0, 5.0]}, "groups": np.arange(24) // 2, "effective": 12.0,
        "missing": True, "level": 0.9, "progress": None,
    }  # fmt: skip
    large = {"restarts", "samples", "iterations", "projections"}  # a long time, and memory
    kept = {name: arguments.pop(name) for name in large}
    replaced = replace(data.draw, arguments)
    # Data, noise and specimens must fit each other, and the model
    together = ["data", "groups", "sigma", "effective", "known"]
    found = called(pl.inversion.fit, [*replaced, *together], ["model", "data"], **arguments, **kept)
    if found is not None:
        assert found.parameters["a"].shape == (2,)


@few
@given(st.data())
def test_numbers_of_a_fit(data):
    name = data.draw(st.sampled_from(["restarts", "samples", "iterations", "projections"]))
    value = data.draw(ODD)
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and 3 < value < 10**9:
        return
    arguments = {"restarts": 1, "iterations": 1, "samples": 20, "refine": None, name: value}
    try:
        pl.inversion.fit(LAYERS, DATA, **arguments)
    except (TypeError, ValueError) as error:
        names_one(error, [name])


@few
@given(st.data())
def test_identifiability(data):
    arguments = {
        "model": LAYERS, "parameters": TRUTH, "count": 100, "precision": 5.0, "seed": 1,
        "sigma": 0.1, "known": {"a": [1.0, 5.0]},
    }  # fmt: skip
    replaced = replace(data.draw, arguments)
    names = [*replaced, "parameters", "known", "sigma"]
    found = called(pl.inversion.identifiability, names, [], samples=200, **arguments)
    assert found is None or found.bound["alpha"] > 0


@quick
@given(st.data())
def test_sample(data):
    arguments = {"model": LAYERS, "parameters": TRUTH, "seed": 1}
    replaced = replace(data.draw, arguments)
    names = [*replaced, "parameters"]
    found = called(pl.inversion.sample, names, [], count=3, **arguments)
    assert found is None or found.shape == (3, 1)


@few
@given(st.data())
def test_what_follows_a_fit(data):
    function, name, counted = data.draw(
        st.sampled_from(
            [
                (pl.inversion.bootstrap, "seed", {"count": 3}),
                (pl.inversion.goodness, "seed", {"count": 3}),
                (pl.inversion.profile, "name", {"count": 3}),
            ]
        )
    )
    arguments = {"fit": FOUND, name: "a_1" if name == "name" else 1}
    replaced = replace(data.draw, arguments)
    called(function, replaced, [], **arguments, **counted)


@few
@given(st.data())
def test_models_and_blocks(data):
    function, arguments = data.draw(
        st.sampled_from(
            [
                (pl.inversion.DirichletLayers, {"materials": 2}),
                (pl.inversion.UniformLayers, {"materials": 2}),
                (
                    pl.inversion.PeriodicLaguerre,
                    {
                        "materials": 2,
                        "shape": (8, 8),
                        "metric": "power",
                        "mixing": "geometric",
                        "coarse": (8, 8),
                        "widths": (0.1,),
                        "threads": 1,
                    },
                ),
                (
                    pl.inversion.Block,
                    {
                        "name": "a",
                        "size": 2,
                        "constraint": "free",
                        "gauge": True,
                        "materials": True,
                    },
                ),
            ]
        )
    )
    arguments = dict(arguments)
    replaced = replace(data.draw, arguments)
    made = called(function, replaced, [], **arguments)
    assert made is None or isinstance(made, function)


@pytest.mark.parametrize("count", [1, 7])
def test_points_of_specimens(count):
    model = pl.inversion.PeriodicLaguerre(2, (8, 8))
    specimen = pl.microstructures.LocallyPeriodic(pl.microstructures.LaguerreCells((8, 8), 2))
    for points in (np.ones(count), np.full((count, 2), 1.5), "here", None):
        with pytest.raises((TypeError, ValueError), match="points"):
            pl.inversion.effective_count(
                model, {"a": [1.0, 2.0], "w": [0.0, 0.1]}, specimen, points
            )
