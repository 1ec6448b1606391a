"""Any argument of `sample` gives a structure, or an error that names it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_arguments import called, replace

import pearlite as pl

IMAGE = pl.microstructures.thresholded_noise(1, (16, 17), length=1, seed=1)[0]


@st.composite
def calls(draw):
    """Arguments of a call that works, and the names of those that were then replaced."""
    arguments = {
        "references": IMAGE,
        "shape": draw(st.sampled_from([None, (17, 16), (16, 16, 16)])),
        "seed": 1,
        "effort": 0.1,
        "threads": 1,
    }
    return arguments, replace(draw, arguments)


@settings(max_examples=40)
@given(calls())
def test_sample(call):
    arguments, replaced = call
    result = called(pl.reconstruction.sample, replaced, ["references"], **arguments)
    if result is not None:
        assert len(np.unique(result.image)) >= 2
        assert not result.interrupted
