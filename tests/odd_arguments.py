"""Arguments that no caller means and some do pass, and what a function may answer to them."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st

import pearlite as pl

# A fixture of the suite is set up once for all the examples of a test, which is meant.
quick = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def names_one(error, names):
    """Assert that the message of an error says which argument it is about, in one short line."""
    assert any(name in str(error) for name in names), error
    in_one_line(error)


def in_one_line(error, whole=""):
    """Assert that a message is one line, no more than a reader takes in beside `whole`, a path."""
    assert 0 < len(str(error)) <= 400 + len(str(whole))
    assert "\n" not in str(error)


NUMBERS = st.one_of(
    st.sampled_from([-1, 0, 1, 2, 3, 4, 257, 2**41, 2**63, 2**64, 10**400, -(10**30)]),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 1e-6, 1e-320, 1e308, np.inf, -np.inf, np.nan]),
    st.sampled_from([True, False, 1j, Decimal("0.5"), Fraction(1, 3)]),
    st.sampled_from(
        [np.float32(0.25), np.int8(2), np.uint64(2**63), np.bool_(1), np.float64("nan")]
    ),
    st.sampled_from([np.longdouble("1e4000"), np.datetime64("2020-01-01"), np.array(3)]),
)
TEXTS = st.one_of(
    st.sampled_from(["", "2", "raise", "nan", "Nan", "1e-6", b"2", "\0", "\ud800", "\x1b[31m"]),
    st.text(max_size=8),
)


def nested(depth):
    """Nest a list deeper than an array can have axes."""
    value = [1.0]
    for _ in range(depth):
        value = [value]
    return value


# What no caller means, and some do pass.
ODD = st.one_of(
    NUMBERS,
    TEXTS,
    st.sampled_from([None, ..., object, len, (), [], {}, set(), {1: 2}, range(2), slice(2)]),
    st.sampled_from([[1, 2], (2, 2), [2.0, 2.0], [None, 1], [[1], [1, 2]], ["a"], [1e300, 1e-300]]),
    st.just(nested(70)),
    st.builds(object),
)

DTYPES = [
    "f4",
    "f8",
    ">f8",
    "f2",
    "g",
    "u1",
    "u2",
    ">i4",
    "i8",
    "u8",
    "?",
    "c8",
    "O",
    "U2",
    "M8[s]",
]


@st.composite
def arrays(draw):
    """Arrays of any type, shape and layout, with any values, some of them far too large."""
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 5]), max_size=6).map(tuple))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    with np.errstate(all="ignore"):
        values = draw(st.sampled_from([0, 1, 2, 255, 1e-30, 1e30, np.nan, np.inf, -1]))
        try:
            array = np.full(shape, values).astype(dtype)
        except (ValueError, OverflowError):
            array = np.zeros(shape, dtype)
    layout = draw(
        st.sampled_from(["plain", "fortran", "backwards", "huge", "deep", "masked", "matrix"])
    )
    if layout == "huge":
        return np.broadcast_to(
            np.ones((), dtype if dtype.kind != "M" else "f8"), (2**26, 2**26, 4, 4)
        )
    if layout == "deep":
        return np.ones((1,) * 60 + (2, 2), "f8" if dtype.kind == "M" else dtype)
    if layout == "masked":
        return np.ma.masked_array(array, mask=False)
    if layout == "matrix":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asmatrix(np.ones((2, 3)))
    if layout == "backwards":
        return array[(slice(None, None, -1),) * array.ndim]
    return np.asfortranarray(array) if layout == "fortran" else array


ANYTHING = ODD | arrays()


def endless(value):
    """Tell whether there are arrays that take forever to go through, mostly views of one number."""
    if isinstance(value, list | tuple):
        return any(map(endless, value))
    return isinstance(value, np.ndarray) and value.size > 2**20


def called(function, replaced, positional=(), **arguments):
    """Call; return the result, or None after an error that names one of the arguments replaced."""
    note(f"replaced: { {name: arguments[name] for name in replaced}!r}"[:2000])
    first = [arguments.pop(name) for name in positional]
    try:
        return function(*first, **arguments)
    except pl.ConvergenceError as error:
        names_one(error, ["rtol"])
    except (TypeError, ValueError) as error:
        names_one(error, replaced)
    return None


def replace(draw, arguments, values=ANYTHING):
    """Replace one or two arguments in place; return their names."""
    names = draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True))
    for name in names:
        arguments[name] = draw(values)
    return names
