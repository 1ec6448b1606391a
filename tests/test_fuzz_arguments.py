"""Any argument gives a right answer, or an error that names it: never a crash, hang or warning."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from odd_arguments import called, quick, replace

import pearlite as pl
from pearlite import microstructures as models

# Homogenization ----------------------------------------------------------------------------------

SOLVERS = [getattr(pl, n) for n in ("homogenize", "solve_correctors", "bounds") if n in pl.__all__]


@st.composite
def calls(draw):
    """Arguments of a call that works, and the names of those that were then replaced."""
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 3
    tensor = draw(st.booleans())
    phases = np.array([1.0, 2.0, 5.0])[:, None, None] * np.eye(2) if tensor else np.arange(1.0, 4)
    arguments = {
        "conductivity": labels if draw(st.booleans()) else phases[labels],
        "phases": None,
        "dim": 2,
        "tensor": tensor,
        "spacing": None,
        "rtol": 1e-6,
        "threads": 1,
        "on_failure": draw(st.sampled_from(["raise", "nan"])),
    }
    if arguments["conductivity"] is labels:
        arguments["phases"] = phases
    return arguments, replace(draw, arguments)


@pytest.mark.parametrize("function", SOLVERS, ids=lambda f: f.__name__)
@quick
@given(calls())
def test_solvers(function, call):
    arguments, replaced = call
    # Integers go with `phases`, tensors with `tensor`: either of two may be the one to blame.
    replaced = [*replaced, "conductivity", "phases"]
    result = called(function, replaced, ["conductivity"], **arguments)
    if result is None:
        return
    parts = result if function.__name__ == "bounds" else [getattr(result, "effective", result)]
    for effective in parts:
        assert effective.shape[-2:] == (arguments["dim"],) * 2
        assert np.all(np.isfinite(effective)) or arguments["on_failure"] == "nan"


MAGNITUDES = st.floats(-300, 300).map(lambda power: 10.0**power)


@st.composite
def extremes(draw):
    """Fields of two values, as far apart and as large and small as there are numbers."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    values = [draw(MAGNITUDES), draw(MAGNITUDES)]
    if dtype == np.float32:
        values = np.clip(values, 1e-37, 1e37)
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=6))
    picked = draw(hnp.arrays(np.int8, shape, elements=st.integers(0, 1)))
    spacing = draw(st.sampled_from([1.0, (1.0, 3.0), (1e-3, 1.0), (1.0, 1e-5), (1e-300, 1e-300)]))
    return np.asarray(values, dtype)[picked], spacing, draw(st.sampled_from([1e-3, 1e-6, 1e-10]))


@quick
@given(extremes())
@example((np.repeat([[10.0], [1.0]], 4, axis=1)[[0, 1, 0, 1]], (1.0, 1e-5), 1e-6))
@example((np.repeat([[10.0], [1.0]], 4, axis=1)[[0, 1, 0, 1]], (1e-5, 1.0), 1e-6))
@example((np.random.default_rng(0).choice([1, 1e18], (16, 16)), 1.0, 1e-6))
def test_what_converges_lies_between_the_means(case):
    """Wiener's bounds hold for any cell: the harmonic and the arithmetic mean."""
    field, spacing, rtol = case
    effective = pl.homogenize(field, spacing=spacing, rtol=rtol, on_failure="nan", threads=1)
    wide = field.astype(np.longdouble)
    for tensor, cell in zip(
        effective.reshape(-1, 2, 2), wide.reshape(-1, *field.shape[-2:]), strict=True
    ):
        if np.isnan(tensor).any():
            continue
        upper, lower = float(cell.mean()), float(1 / (1 / cell).mean())
        eigenvalues = np.linalg.eigvalsh(tensor.astype(np.float64) / upper)
        slack = rtol + 1e-6 * (field.dtype == np.float32) + 1e-9
        assert eigenvalues[-1] <= 1 + 2 * slack
        assert eigenvalues[0] >= lower / upper - 2 * slack


# Microstructures ---------------------------------------------------------------------------------

MODELS = {
    "voronoi": {"count": 2, "shape": (4, 6), "sites": 3, "phases": 2, "seed": 1, "sample": 0},
    "discs": {
        "count": 2,
        "shape": (12, 16),
        "number": 2,
        "fraction": 0.2,
        "overlap": False,
        "seed": 1,
        "sample": 0,
    },
    "thresholded_noise": {
        "count": 2,
        "shape": (4, 6),
        "length": 1.5,
        "fractions": (0.25, 0.75),
        "seed": 1,
        "sample": 0,
    },
    "spheres": {
        "count": 1,
        "shape": (8, 9, 10),
        "number": 2,
        "fraction": 0.1,
        "overlap": False,
        "seed": 1,
        "sample": 0,
    },
    "level_set": {
        "count": 2,
        "shape": (4, 6),
        "correlation": 1.5,
        "fractions": (0.25, 0.75),
        "seed": 1,
        "sample": 0,
    },
    "checkerboard": {"shape": (4, 6), "tiles": 2, "phases": 2, "arrangement": "diagonal"},
    "laminate": {"shape": (4, 6), "axis": 0, "fractions": (0.25, 0.75), "periods": 1},
}


@pytest.mark.parametrize("name", MODELS)
@quick
@given(st.data())
def test_models(name, data):
    arguments = dict(MODELS[name])
    replaced = replace(data.draw, arguments)
    # These say what the others may be.
    replaced += [n for n in ("shape", "phases", "fraction", "number", "count") if n in arguments]
    positional = [n for n in ("count", "shape") if n in arguments]
    labels = called(getattr(models, name), replaced, positional, **arguments)
    if labels is not None:
        assert labels.dtype == np.uint8
        assert labels.flags.c_contiguous
        assert labels.ndim in (2, 3, 4)
