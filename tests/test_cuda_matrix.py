"""The matrix of what runs on a card: whole, green, and as docs/cuda.md has it."""

import numpy as np
import pytest
from emulator import matrix
from emulator import stand_in as cupy

import pearlite as pl

FRONTS = ("laguerre", "langevin", "correlation")


def test_the_page_has_it():
    assert matrix.BEGIN + "\n" + matrix.table() + "\n" + matrix.END in matrix.PAGE.read_text()


def test_every_public_name_is_in_it():
    public = {f"{front}.{name}" for front in FRONTS for name in getattr(pl, front).__all__}
    on_card = {operation.name.split(",")[0] for operation in matrix.OPERATIONS}
    listed = [*on_card, *matrix.NO_KERNELS]
    assert {name for name in listed if name.split(".")[0] in FRONTS} == public
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("operation", matrix.OPERATIONS, ids=lambda o: o.name)
def test_tests_are_there(operation):
    """Both types of numbers and both dimensions, by tests that run each time."""
    found = matrix.row(operation)
    if operation.types != ("labels",) and "labels" not in operation.name:
        assert set(found.types) == {"float32", "float64"}
    assert found.dimensions == (operation.dimensions or (2, 3))
    assert found.cases > 1
    for test in (operation.test, operation.gradient):
        if test:
            module, name = test.split(".")
            function = getattr(__import__(module), name)
            marks = {mark.name for mark in getattr(function, "pytestmark", ())}
            assert marks <= {"parametrize"}


@pytest.mark.parametrize("name", ["volume_fractions", "chord_lengths", "components", "percolates"])
def test_what_is_not_there_says_so(name, monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    labels = cupy.asarray(np.eye(4, dtype=np.int32))
    with pytest.raises(TypeError, match="labels is a cupy ndarray; the cupy backend is not there"):
        getattr(pl.statistics, name)(labels)
