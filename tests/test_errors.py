"""What messages show of the values that they are about."""

import re

import numpy as np
import pytest
from hypothesis import given
from odd_arguments import ANYTHING, quick

import pearlite as pl
from pearlite._errors import brief


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2, "2"),
        ("fast", "'fast'"),
        (np.float64(0.5), "0.5"),
        (np.float32(0.1), "0.1"),
        ((1, np.int64(2)), "(1, 2)"),
        (np.array(3), "3"),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), "[[1., 2.], [3., 4.]]"),
        (np.array([0.1, 0.2], np.float32), "[0.1, 0.2]"),
        (np.array([None, "a"]), "[None, 'a']"),
        (np.zeros((64, 64)), "an array of float64 of shape (64, 64)"),
        ([0] * 10**6, "[0, 0, 0, 0, 0, 0, 0, 0, ...]"),
        pytest.param(10**5000, "an integer of 16610 bits", id="long"),
        ("a\nb", r"'a\nb'"),
        (np.ndarray, "<class 'numpy.ndarray'>"),
    ],
)
def test_values_are_shown_as_they_are_written(value, shown):
    assert brief(value) == shown


def test_arrays_of_torch_are_told_by_type_and_shape():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert brief(torch.zeros(2, 3)) == "a Tensor of torch.float32 of shape (2, 3)"


@quick
@given(ANYTHING)
def test_whatever_comes_is_shown_in_one_printable_line(value):
    assert 0 < len(brief(value)) <= 100
    assert brief(value).isprintable()


class _Wordy:
    def __repr__(self):
        return "first\nsecond \x1b[31m" + "x" * 1000


class _Shapeless:
    shape = dtype = None


def test_what_only_looks_like_an_array_shows_itself():
    assert brief(_Shapeless()).startswith("<")


def test_what_shows_itself_in_many_lines_does_not_here():
    assert brief(_Wordy()).startswith("first second ")
    assert len(brief(_Wordy())) <= 100


MATRIX = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pl.homogenize(MATRIX, rtol=MATRIX), "rtol is [[1., 2.], [3., 4.]]; expected a"),
        (lambda: pl.homogenize(MATRIX, estimate=MATRIX), "estimate is [[1., 2.], [3., 4.]]; expe"),
        (lambda: pl.statistics.characterize(MATRIX > 2, dim=MATRIX), "dim is [[1., 2.], [3., 4.]]"),
        (lambda: pl.correlation.descriptor(MATRIX, radius=1, form=[]), "form is []; expected 'ce"),
        (
            lambda: pl.reconstruction.match(MATRIX > 2, seed=0, method=np.zeros((9, 9))),
            "method is an array of float64 of shape (9, 9); expected 'auto', ",
        ),
    ],
)
def test_an_array_in_the_place_of_a_word_or_number(call, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
