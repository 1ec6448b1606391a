"""Errors that Python has no name for, and how messages show what was given."""

import reprlib
from typing import Any

import numpy as np

_LONGEST = 100  # characters, so that a message fits on a line or two of a terminal


class ConvergenceError(RuntimeError):
    """A cell did not reach the tolerance that was asked for.

    Attributes
    ----------
    index : tuple of int
        The worst cell, as an index into the batch axes: ``()`` if there are none.
    residual : float
        The estimated relative error of its effective tensor.
    """

    def __init__(self, message: str, index: tuple[int, ...], residual: float) -> None:
        super().__init__(message)
        self.index = index
        self.residual = residual

    def __reduce__(self) -> tuple[type, tuple[str, tuple[int, ...], float]]:
        return type(self), (str(self), self.index, self.residual)


def brief(value: object) -> str:
    """Show what was given, in one printable line of bounded length.

    Numbers look as they are written; a few of them in an array look like a list, more are told by
    their type and shape, and of a long list there is the beginning.
    """
    text = " ".join(_BRIEF.repr(value).split())
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


class _Brief(reprlib.Repr):
    """Bounds the work too: a list of a million numbers is not written out to be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 8
        self.maxstring = self.maxother = self.maxlong = 60

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, np.number | np.bool_):
            return str(x)
        given = isinstance(getattr(x, "shape", None), tuple) and hasattr(x, "dtype")
        if given and not isinstance(x, np.generic):
            return self._array(x, level)
        return super().repr1(x, level)

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python does not write out thousands of digits
            return f"an integer of {x.bit_length()} bits"

    def _array(self, x: Any, level: int) -> str:
        # Other libraries' arrays may be on a card, or not yet computed: their values are not read.
        if isinstance(x, np.ndarray) and x.size <= self.maxlist:
            if x.dtype.hasobject:
                return self.repr1(x.tolist(), level)
            text = np.array2string(x, separator=", ")
            if len(text) <= _LONGEST:
                return text
        kind = "array" if isinstance(x, np.ndarray) else type(x).__name__
        article = "an" if kind[0] in "aeiouAEIOU" else "a"
        return f"{article} {kind} of {x.dtype} of shape {tuple(x.shape)}"


_BRIEF = _Brief()
