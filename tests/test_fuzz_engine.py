"""Any argument of an engine gives scores, or an error that names it."""

import numpy as np
from hypothesis import given, note, settings
from hypothesis import strategies as st
from odd_arguments import ANYTHING, called, names_one, quick, replace

from pearlite.generation import Engine, Model

MODEL = Model.random(phases=2, channels=3, levels=2)
ENGINE = Engine(MODEL, threads=1)


@st.composite
def calls(draw):
    """Arguments of a call that works, and the names of those that were then replaced."""
    image = draw(st.sampled_from([np.zeros((1, 1, 4, 4)), np.ones((2, 1, 8, 12))]))
    arguments = {
        "x": image.astype(np.float32),
        "sigma": draw(st.sampled_from([0.5, [1.0] * len(image)])),
        "padding": draw(st.sampled_from(["zero", "periodic"])),
        "out": draw(st.sampled_from([None, np.empty(image.shape, np.float32)])),
    }
    return arguments, replace(draw, arguments)


@settings(quick)
@given(calls())
def test_score(call):
    arguments, replaced = call
    score = called(ENGINE.score, replaced, ["x", "sigma"], **arguments)
    if score is not None:
        assert score.shape == np.shape(arguments["x"])
        assert np.isfinite(score).all()


@settings(quick)
@given(ANYTHING, ANYTHING)
def test_engine(model, threads):
    note(f"{model!r}, {threads!r}"[:2000])
    for name, arguments in (("model", (model, 1)), ("threads", (MODEL, threads))):
        try:
            Engine(*arguments)
        except (TypeError, ValueError) as error:
            names_one(error, [name])
