"""Any argument of `train` and `accept` gives a result, or an error that names it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_arguments import called, replace

import pearlite as pl
from pearlite.generation import Model, Schedule

IMAGE = pl.microstructures.discs(1, (20, 16), number=3, fraction=0.3, seed=1)[0]
MODEL = Model.random(phases=2, channels=2, levels=1, patch=4)
TINY = Schedule(1, 2, 4, 8, channels=2, levels=1, sigma_max=5.0)
few = settings(max_examples=40, suppress_health_check=list(HealthCheck))


@st.composite
def trainings(draw):
    """Arguments of a call that works, and the names of those that were then replaced."""
    arguments = {
        "reference": IMAGE,
        "schedule": TINY,
        "name": "",
        "seed": 1,
        "minutes": None,
        "threads": 1,
    }
    return arguments, replace(draw, arguments)


@few
@given(call=trainings())
def test_train(call):
    pytest.importorskip("torch", reason="torch is not installed")
    arguments, replaced = call
    named = isinstance(arguments["schedule"], str)
    if named or arguments["minutes"] is not None:
        arguments["reference"] = np.zeros((4, 4), int)  # which ends it before it takes its time
        replaced = [*replaced, "reference"]
    made = called(pl.generation.train, replaced, ["reference"], **arguments)
    if made is not None:
        assert made.model.training["iterations"] == 1


@st.composite
def acceptances(draw):
    """The same for `accept`."""
    arguments = {
        "model": MODEL,
        "reference": IMAGE,
        "count": 4,
        "domain": 1,
        "evaluations": 2,
        "seed": 1,
        "threads": 1,
    }
    return arguments, replace(draw, arguments)


@few
@given(call=acceptances())
def test_accept(call):
    arguments, replaced = call
    if any(isinstance(arguments[k], int | np.integer) and arguments[k] > 300
           for k in ("count", "domain", "evaluations")):  # fmt: skip
        return  # takes its time
    called(pl.generation.accept, replaced, ["model", "reference"], **arguments)
