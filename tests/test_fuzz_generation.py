"""Any argument of `generate` gives images, or an error that names it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_arguments import called, in_one_line, replace
from reference.toy_score import ToyEngine

import pearlite as pl
from pearlite.generation import Model, _generate

IMAGE = pl.microstructures.thresholded_noise(1, (16, 18), length=1, seed=1)[0]
MODEL = Model.random(phases=2, channels=2, levels=1)


@st.composite
def calls(draw):
    """Arguments of a call that works, and the names of those that were then replaced."""
    arguments = {
        "model": MODEL,
        "count": 2,
        "seed": 1,
        "shape": draw(st.sampled_from([None, (16, 20)])),
        "statistics": IMAGE,
        "volume_fraction": draw(st.sampled_from([None, 0.4, (0.3, 0.7)])),
        "method": draw(st.sampled_from(["fast", "annealed"])),
        "evaluations": 2,
        "field": draw(st.booleans()),
        "conditioned": True,
        "start": 0.75,
        "periodic": True,
        "padding": "periodic",
        "sample": 0,
        "threads": 1,
    }
    return arguments, replace(draw, arguments)


@pytest.fixture(scope="module")
def toy():
    """No network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_generate, "_engine", lambda model, threads: ToyEngine(model.phases))
        yield


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(call=calls())
def test_generate(call, toy):
    arguments, replaced = call
    huge = isinstance(arguments["count"], int) and arguments["count"] > 300
    steps = arguments["evaluations"]
    if huge or (isinstance(steps, int | np.integer) and steps > 1000):
        return  # takes its time
    if isinstance(arguments["model"], str):  # no file, whose name need not be that of an argument
        with pytest.raises((TypeError, ValueError)) as caught:
            pl.generation.generate(**arguments)
        in_one_line(caught.value)
        return
    made = called(pl.generation.generate, replaced, ["model", "count"], **arguments)
    if made is not None:
        assert made.images.max() <= 1
        assert made.images.shape[0] == arguments["count"]
