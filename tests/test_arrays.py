"""Bad input through the public functions: refused, by name and before any work."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pearlite as pl

RNG = np.random.default_rng(1)
FIELD = RNG.uniform(1, 10, (3, 5, 6))
LABELS = RNG.integers(3, size=(3, 5, 6)).astype(np.uint8)
PHASES = np.array([1.0, 2.0, 5.0])
TENSORS = np.einsum("...,ij->...ij", FIELD, [[2.0, 0.5], [0.5, 1.0]])


@pytest.fixture(params=[pl.homogenize, pl.solve_correctors], ids=lambda f: f.__name__)
def solve(request):
    return request.param


def refused(solve, error, message, *args, **options):
    """Assert that the call raises exactly `error`, with a message that contains `message`."""
    with pytest.raises(error, match=re.escape(message)) as caught:
        solve(*args, **options)
    assert caught.type is error


def changed(array, index, value):
    copy = array.copy()
    copy[index] = value
    return copy


# Shapes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (4,), (0,), (1, 4), (4, 1), (0, 4), (3, 4, 0), (7, 1, 1)])
def test_shape_of_scalars(solve, shape):
    refused(solve, ValueError, f"conductivity has shape {shape}", np.ones(shape))
    refused(
        solve,
        ValueError,
        f"conductivity has shape {shape}",
        np.zeros(shape, np.uint8),
        phases=PHASES,
    )


@pytest.mark.parametrize(
    "shape", [(), (2, 2), (4, 4, 2), (4, 4, 2, 3), (4, 4, 3, 3), (4, 2, 2), (1, 4, 2, 2)]
)
def test_shape_of_tensors(solve, shape):
    refused(
        solve, ValueError, f"conductivity has shape {shape}; expected", np.ones(shape), tensor=True
    )


@pytest.mark.parametrize(
    ("shape", "tensor"),
    [
        ((), False),
        ((0,), False),
        ((4, 3), False),
        ((3, 0), False),
        ((2, 2), True),
        ((3,), True),
        ((3, 3, 3), True),
        ((0, 2, 2), True),
        ((4, 3, 2, 2), True),
    ],
)
def test_shape_of_phases(solve, shape, tensor):
    refused(
        solve,
        ValueError,
        f"phases has shape {shape}",
        LABELS,
        phases=np.ones(shape),
        tensor=tensor,
    )


def test_tensor_phases_have_to_be_announced(solve):
    refused(solve, ValueError, "tensor=True", LABELS, phases=np.stack([np.eye(2)] * 3))


def test_ragged_lists(solve):
    refused(solve, ValueError, "conductivity is not an array", [[1.0, 2.0], [3.0]])


def test_cells_whose_indices_overflow(solve):
    huge = np.broadcast_to(np.float32(1), (2**15, 2**15))
    refused(solve, ValueError, "conductivity has cells of 32768 x 32768 pixels", huge)


@pytest.mark.parametrize("batch", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_empty_batch(batch, dtype):
    field = np.ones((*batch, 4, 5), dtype)
    assert_array_equal(pl.homogenize(field), np.empty((*batch, 2, 2), dtype), strict=True)
    solution = pl.solve_correctors(field)
    assert solution.correctors.shape == (*batch, 2, 4, 5)
    assert solution.correctors.dtype == dtype
    assert solution.iterations.shape == solution.residual.shape == batch
    labels = np.zeros((*batch, 4, 5), np.uint8)
    assert pl.homogenize(labels, phases=[1, 2]).shape == (*batch, 2, 2)
    per_cell = np.ones((*batch, 7))
    assert pl.homogenize(labels, phases=per_cell).shape == (*batch, 2, 2)


# Types -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "c8", "c16", "O", "U8", "S8", "g", "M8[s]", "?", "V8"])
def test_dtype_of_conductivity(solve, dtype):
    dtype = np.dtype(dtype)
    refused(solve, TypeError, f"conductivity has dtype {dtype}", np.zeros((4, 4), dtype))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8"])
def test_labels_need_phases(solve, dtype):
    refused(solve, TypeError, "need phases", np.ones((4, 4), dtype))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "O", "U8"])
def test_dtype_of_labels(solve, dtype):
    dtype = np.dtype(dtype)
    refused(
        solve,
        TypeError,
        f"conductivity has dtype {dtype}; with phases",
        np.zeros((4, 4), dtype),
        phases=[1],
    )


@pytest.mark.parametrize("dtype", ["f2", "c8", "O", "U8", "?"])
def test_dtype_of_phases(solve, dtype):
    values = np.ones(3).astype(dtype)
    refused(solve, TypeError, f"phases has dtype {values.dtype}", LABELS, phases=values)


@pytest.mark.parametrize(("dtype", "value"), [("i8", 2**31), ("i8", -(2**40)), ("u8", 2**63)])
def test_labels_that_do_not_fit(solve, dtype, value):
    labels = changed(np.zeros((4, 4), dtype), (1, 2), value)
    refused(solve, TypeError, f"conductivity has dtype {labels.dtype}", labels, phases=PHASES)


def test_masked_array(solve):
    refused(solve, TypeError, "conductivity is a masked array", np.ma.masked_less(FIELD, 2))


@pytest.mark.parametrize("home", ["torch", "cupy", "dask", "jax"])
def test_arrays_of_other_libraries(solve, home):
    foreign = type("Tensor", (), {"__module__": f"{home}.core"})
    child = type("MyTensor", (foreign,), {})
    refused(solve, TypeError, f"conductivity is a {home} Tensor", foreign())
    refused(solve, TypeError, f"conductivity is a {home} MyTensor", child())
    refused(solve, TypeError, f"phases is a {home} Tensor", LABELS, phases=foreign())


# Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [-1.0, -0.5, np.nan, -np.inf])
def test_value_of_a_pixel(solve, value, dtype):
    bad = changed(FIELD, (2, 4, 1), value).astype(dtype)
    bad[2, 4, 3] = -7  # the first one is named
    refused(solve, ValueError, f"conductivity[2, 4, 1] is {value}; expected", bad)
    refused(solve, ValueError, f"conductivity[4, 1] is {value}; expected", bad[2])
    shaped = np.stack([FIELD.astype(dtype), bad])
    refused(solve, ValueError, f"conductivity[1, 2, 4, 1] is {value}; expected", shaped)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        ([[1, 0.1], [0.2, 1]], "a symmetric tensor"),
        ([[1, 1], [1, 1]], "a positive definite tensor"),
        ([[1, 2], [2, 1]], "a positive definite tensor"),
        ([[-1, 0], [0, -1]], "a positive definite tensor"),
        ([[1, 0], [0, 0]], "a positive definite tensor"),
        ([[1, np.nan], [np.nan, 1]], "numbers; tensors finite"),
        ([[np.inf, 0], [0, 1]], "numbers; tensors finite"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_of_a_tensor(solve, tensor, expected, dtype):
    tensor = np.array(tensor, dtype)
    said = f"is {tensor.tolist()}; expected {expected}"
    fields = changed(TENSORS.astype(dtype), (1, 0, 5), tensor)
    refused(solve, ValueError, f"conductivity[1, 0, 5] {said}", fields, tensor=True)
    phases = np.stack([np.eye(2, dtype=dtype), np.eye(2, dtype=dtype), tensor])
    refused(solve, ValueError, "phases[2] is [[", LABELS, phases=phases, tensor=True)


@pytest.mark.parametrize(("dtype", "asymmetry"), [(np.float32, 3e-7), (np.float64, 3e-13)])
def test_asymmetry_of_rounding_is_forgiven(dtype, asymmetry):
    tensors = TENSORS.astype(dtype)
    exact = pl.homogenize(tensors, tensor=True)
    tensors[..., 0, 1] += dtype(asymmetry)
    assert_allclose(pl.homogenize(tensors, tensor=True), exact, rtol=3e-6)
    phases = np.stack([np.eye(2), np.eye(2), [[2, 0.5 + asymmetry], [0.5, 1]]]).astype(dtype)
    assert pl.homogenize(LABELS, phases=phases, tensor=True).dtype == dtype


@pytest.mark.parametrize("value", [-1.0, np.nan, -np.inf])
def test_value_of_a_phase(solve, value):
    refused(solve, ValueError, f"phases[1] is {value}", LABELS, phases=[1, value, 2])
    per_cell = changed(np.ones((3, 3)), (2, 0), value)
    refused(solve, ValueError, f"phases[2, 0] is {value}", LABELS, phases=per_cell)
    # The index is one of the array that was given, not of the batch that it is spread over.
    spread = changed(np.ones((2, 1, 3)), (1, 0, 2), value)
    refused(solve, ValueError, f"phases[1, 0, 2] is {value}", LABELS, phases=spread)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8", "u8", "i2", ">i4"])
def test_label_without_a_phase(solve, dtype):
    labels = changed(LABELS.astype(dtype), (1, 3, 4), 3)
    refused(
        solve, ValueError, "conductivity[1, 3, 4] is 3; expected a label", labels, phases=PHASES
    )
    spread = np.ones((4, 1, 3))
    refused(
        solve, ValueError, "conductivity[1, 3, 4] is 3; expected a label", labels, phases=spread
    )


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
def test_negative_label(solve, dtype):
    labels = changed(LABELS.astype(dtype), (0, 0, 2), -1)
    refused(
        solve, ValueError, "conductivity[0, 0, 2] is -1; expected a label", labels, phases=PHASES
    )


# Options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dim": 4}, ValueError, "dim is 4; expected 2 or 3"),
        ({"dim": 1}, ValueError, "dim is 1; expected 2 or 3"),
        ({"dim": "2"}, ValueError, "dim is '2'; expected 2 or 3"),
        ({"tensor": 1}, TypeError, "tensor is a int; expected a bool"),
        ({"spacing": 0.0}, ValueError, "spacing is 0.0"),
        ({"spacing": -1}, ValueError, "spacing is -1"),
        ({"spacing": np.nan}, ValueError, "spacing is nan"),
        ({"spacing": (1, np.inf)}, ValueError, "spacing is (1, inf)"),
        ({"spacing": (1, 1, 1)}, ValueError, "spacing has shape (3,)"),
        ({"spacing": [1]}, ValueError, "spacing has shape (1,)"),
        ({"spacing": "1"}, TypeError, "spacing is '1'"),
        ({"spacing": True}, TypeError, "spacing is True"),
        ({"rtol": 0.0}, ValueError, "rtol is 0.0"),
        ({"rtol": 9e-11}, ValueError, "rtol is 9e-11"),
        ({"rtol": 0.2}, ValueError, "rtol is 0.2"),
        ({"rtol": -1e-6}, ValueError, "rtol is -1e-06"),
        ({"rtol": np.nan}, ValueError, "rtol is nan"),
        ({"rtol": "1e-6"}, TypeError, "rtol is '1e-6'"),
        ({"rtol": None}, TypeError, "rtol is None"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"threads": -2}, ValueError, "threads is -2"),
        ({"threads": 2.0}, TypeError, "threads is a float"),
        ({"threads": True}, TypeError, "threads is a bool"),
        ({"on_failure": "ignore"}, ValueError, "on_failure is 'ignore'"),
        ({"on_failure": None}, ValueError, "on_failure is None"),
    ],
    ids=str,
)
def test_options(solve, options, error, message):
    refused(solve, error, message, FIELD, **options)


def test_options_are_keywords(solve):
    with pytest.raises(TypeError, match="positional"):
        solve(LABELS, PHASES)
