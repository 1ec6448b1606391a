"""Any argument beside an array on a card gives a right answer, or an error that names it."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, endless, quick, replace
from test_fuzz_arguments import calls
from test_fuzz_cells import LABELS, MEASURES

import pearlite as pl


@pytest.fixture(autouse=True, scope="module")
def _card():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEARLITE_CUDA", "emulate")
        yield


def sent(value):
    """Return arrays of numbers on the card; some are but broadcast, and have no room there."""
    numbers = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    return cupy.asarray(value) if numbers and not endless(value) else value


@pytest.mark.parametrize("function", [pl.homogenize, pl.solve_correctors, pl.bounds])
@quick
@given(calls(), st.booleans())
def test_solvers(function, call, both):
    arguments, replaced = call
    replaced = [*replaced, "conductivity", "phases"]
    for name in ("conductivity", "phases") if both else ("conductivity",):
        arguments[name] = sent(arguments[name])
    result = called(function, replaced, ["conductivity"], **arguments)
    if isinstance(arguments["conductivity"], cupy.ndarray) and result is not None:
        parts = result if function is pl.bounds else [getattr(result, "effective", result)]
        for effective in parts:
            assert isinstance(effective, cupy.ndarray)
            assert effective.shape[-2:] == (arguments.get("dim", 2),) * 2
            found = effective.get()
            assert np.all(np.isfinite(found)) or arguments["on_failure"] == "nan"


@pytest.mark.parametrize("name", MEASURES)
@quick
@given(st.data())
def test_measures(name, data):
    arguments = {"labels": LABELS, "count": 3, "dim": 2, "threads": 1, **MEASURES[name]}
    there = {"labels", "sites"} & set(arguments)
    replaced = [*replace(data.draw, arguments), *there]
    for key in there:
        arguments[key] = sent(arguments[key])
    result = called(getattr(pl.laguerre, name), replaced, ["labels"], **arguments)
    if isinstance(arguments["labels"], cupy.ndarray) and name == "volumes" and result is not None:
        assert isinstance(result, cupy.ndarray)
