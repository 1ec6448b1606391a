"""Any argument of the kernel loss and of `match` gives an answer, or an error that names it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import called, quick, replace

import pearlite as pl

IMAGE = pl.microstructures.thresholded_noise(1, (6, 8), length=1, seed=1)[0]


@quick
@given(st.data())
def test_kernel_loss(data):
    arguments = {
        "field": IMAGE * 0.5,
        "reference": IMAGE,
        "orders": (2, 3),
        "weights": (0.5, 0.5),
        "threads": 1,
    }
    replaced = replace(data.draw, arguments)
    # These say what the others may be; the references are the reference's.
    replaced += ["field", "reference", "weights", "orders"]
    found = called(pl.correlation.kernel_loss, replaced, ["field", "reference"], **arguments)
    assert found is None or isinstance(found, float | np.ndarray)


@quick
@given(st.data())
def test_bispectrum(data):
    arguments = {"field": np.linspace(0, 1, 12).reshape(3, 4), "threads": 1}
    replaced = replace(data.draw, arguments)
    found = called(pl.correlation.bispectrum, replaced, ["field"], **arguments)
    assert found is None or found.ndim == 7


@quick
@given(st.data())
def test_bispectrum_loss(data):
    field = np.linspace(0, 1, 12).reshape(3, 4)
    arguments = {"field": field, "target": pl.correlation.bispectrum(field), "threads": 1}
    # The field says what the target may be.
    replaced = [*replace(data.draw, arguments), "field", "target"]
    for loss in (pl.correlation.bispectrum_loss, pl.correlation.bispectrum_loss_with_gradient):
        called(loss, replaced, ["field", "target"], **arguments)


@quick
@given(st.data())
def test_match(data):
    arguments = {
        "target": IMAGE,
        "method": "identity",
        "shape": None,
        "seed": 1,
        "phases": None,
        "evaluations": 20,
        "tolerance": None,
        "threads": 1,
    }
    replaced = replace(data.draw, arguments)
    replaced += ["target", "shape", "phases"]
    found = called(pl.reconstruction.match, replaced, ["target"], **arguments)
    if found is not None:
        assert found.image.dtype == np.uint8
        assert found.exact == (found.wrong_pixels == 0)


@quick
@given(st.data())
def test_overlap(data):
    arguments = {"image": IMAGE, "reference": IMAGE, "seed": 0}
    replaced = replace(data.draw, arguments)
    found = called(pl.reconstruction.overlap, replaced, ["image", "reference"], **arguments)
    assert found is None or 0 <= found.best <= 1
