"""Labels of tessellations against the definition, which they meet to the last pixel."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from reference import laguerre as reference

import pearlite as pl
from pearlite import _core

METRICS = ["power", "additive"]
SHAPES = [(2, 2), (2, 37), (16, 16), (17, 33), (64, 64), (130, 97), (3, 200), (2, 2, 2), (5, 3, 19),
          (16, 16, 16), (17, 9, 33), (40, 33, 20)]  # fmt: skip

metrics = pytest.mark.parametrize("metric", METRICS)
boundaries = pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])


def draw(count, dimension, metric="power", *, spread=0.3, seed=0):
    """-> sites (K, d) and weights (K,), these with a spread relative to the distance of seeds."""
    rng = np.random.default_rng([seed, count, dimension])
    spacing = count ** (-1 / dimension)
    scale = spacing**2 if metric == "power" else spacing
    return rng.random((count, dimension)), spread * scale * rng.normal(size=count)


def agree(sites, weights, shape, metric="power", periodic=True):
    labels = pl.laguerre.assign(sites, weights, shape=shape, metric=metric, periodic=periodic)
    assert_array_equal(labels, reference.assign(sites, weights, shape, metric, periodic))
    return labels


@metrics
@boundaries
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 10, 40, 300])
def test_agrees_with_the_definition(count, shape, metric, periodic):
    for spread in (0, 0.3, 3):
        sites, weights = draw(count, len(shape), metric, spread=spread)
        agree(sites, weights, shape, metric, periodic)


@metrics
@pytest.mark.parametrize(
    ("shape", "count"), [((200, 270), 1500), ((30, 40, 50), 1500)], ids=["2d", "3d"]
)
def test_many_seeds(shape, count, metric):
    agree(*draw(count, len(shape), metric), shape, metric)


@metrics
@boundaries
@pytest.mark.parametrize("shape", [(64, 64), (20, 30, 40)], ids=str)
@pytest.mark.parametrize("side", [2, 3, 4, 5, 8])
def test_ties_of_lattices_go_to_the_first(side, shape, metric, periodic):
    axes = [np.arange(side) / side] * len(shape)
    sites = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
    agree(sites, np.zeros(len(sites)), shape, metric, periodic)
    agree(sites[::-1], np.zeros(len(sites)), shape, metric, periodic)


@metrics
@boundaries
def test_duplicate_seeds(metric, periodic):
    sites, weights = draw(30, 2, metric)
    twice = np.concatenate([sites, sites]), np.concatenate([weights, weights])
    labels = agree(*twice, (70, 60), metric, periodic)
    assert labels.max() < 30
    same = np.full((5, 2), 0.3), np.zeros(5)
    assert not agree(*same, (32, 33), metric, periodic).any()


@metrics
@boundaries
@pytest.mark.parametrize("scale", [1e2, 1e5, 1e12, 1e100])
def test_weights_far_above_the_spacing(scale, metric, periodic):
    sites, weights = draw(50, 2)
    heavy = scale * weights / np.abs(weights).max()
    assert np.unique(agree(sites, heavy, (64, 48), metric, periodic)).size == 1
    # Nearly alike, far from zero: digits are lost, and ties are many.
    agree(sites, scale + weights, (64, 48), metric, periodic)


@metrics
def test_empty_cells(metric):
    """A seed beaten at its own site, and one that only looks so."""
    sites = np.array([[0.5, 0.5], [0.52, 0.5], [0.25, 0.2]])
    labels = agree(sites, np.array([0.2, 0.0, 0.0]), (50, 50), metric)
    assert set(np.unique(labels)) == {0, 2}


@metrics
@boundaries
@pytest.mark.parametrize(
    ("shape", "count"), [((16, 16), 4000), ((6, 5, 20), 4000), ((2, 2), 5000)], ids=str
)
def test_more_seeds_than_pixels(shape, count, metric, periodic):
    agree(*draw(count, len(shape), metric), shape, metric, periodic)


@metrics
@boundaries
def test_seeds_in_a_line_and_in_a_heap(metric, periodic):
    rng = np.random.default_rng(3)
    line = np.column_stack([rng.random(200), np.full(200, 0.5)])
    agree(line, np.zeros(200), (90, 80), metric, periodic)
    heap = 0.5 + 1e-6 * rng.random((200, 2))
    agree(heap, np.zeros(200), (90, 80), metric, periodic)
    diagonal = np.repeat(rng.random((40, 1)), 3, axis=1)
    agree(diagonal, np.zeros(40), (20, 20, 20), metric, periodic)


@metrics
@pytest.mark.parametrize("offset", [-3.0, 1e3, 1e9])
def test_sites_outside_the_cell(offset, metric):
    rng = np.random.default_rng(4)
    sites = 4 * rng.random((60, 2)) + offset
    wrapped = sites - np.floor(sites)
    weights = draw(60, 2, metric)[1]
    labels = pl.laguerre.assign(sites, weights, shape=(40, 50), metric=metric)
    assert_array_equal(labels, reference.assign(wrapped, weights, (40, 50), metric))
    agree(sites, weights, (40, 50), metric, periodic=False)


def test_a_site_just_below_zero_is_at_zero():
    sites = np.array([[-1e-20, 0.0], [0.5, 0.5]])
    expected = reference.assign(np.array([[0.0, 0.0], [0.5, 0.5]]), np.zeros(2), (16, 16))
    assert_array_equal(pl.laguerre.assign(sites, shape=(16, 16)), expected)


# Properties --------------------------------------------------------------------------------------

quick = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def dyadic_cells(draw):
    """Cells whose scores have no rounding in the metric `power`: sites and weights in 2^-10."""
    dimension = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.sampled_from([2, 4, 8, 16, 32])) for _ in range(dimension))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 40))
    sites = rng.integers(0, 1024, size=(count, dimension)) / 1024
    weights = rng.integers(-60, 60, size=count) / 1024
    return sites, weights, shape, draw(st.sampled_from(METRICS))


@quick
@given(dyadic_cells(), st.integers(-(10**6), 10**6))
def test_a_shift_of_all_weights_changes_nothing(cell, shift):
    sites, weights, shape, metric = cell
    labels = pl.laguerre.assign(sites, weights, shape=shape, metric=metric)
    shifted = pl.laguerre.assign(sites, weights + shift / 16, shape=shape, metric=metric)
    if metric == "power":
        assert_array_equal(shifted, labels)
    else:  # roots are rounded: where labels differ, so little do scores
        unlike = shifted != labels
        scores = [
            reference.score(c, w, shape, metric, True) for c, w in zip(sites, weights, strict=True)
        ]
        pick = np.stack(scores)
        first = np.take_along_axis(pick, labels[np.newaxis].astype(int), 0)[0]
        other = np.take_along_axis(pick, shifted[np.newaxis].astype(int), 0)[0]
        assert np.abs(first - other)[unlike].max(initial=0) < 1e-10


@quick
@given(dyadic_cells(), st.data())
def test_translation_by_whole_pixels(cell, data):
    sites, weights, shape, metric = cell
    steps = [data.draw(st.integers(-n, n)) for n in shape]
    labels = pl.laguerre.assign(sites, weights, shape=shape, metric=metric)
    moved = pl.laguerre.assign(sites + np.array(steps) / shape, weights, shape=shape, metric=metric)
    assert_array_equal(moved, np.roll(labels, steps, axis=range(len(shape))))


@quick
@given(dyadic_cells(), st.randoms(use_true_random=False))
def test_permutation_of_seeds(cell, random):
    sites, weights, shape, metric = cell
    order = np.array(random.sample(range(len(sites)), len(sites)))
    labels = pl.laguerre.assign(sites, weights, shape=shape, metric=metric)
    permuted = pl.laguerre.assign(sites[order], weights[order], shape=shape, metric=metric)
    # Ties may go to another seed, of the same score.
    for pixel in np.argwhere(order[permuted] != labels):
        scores = [
            reference.score(sites[k], weights[k], shape, metric, True)[tuple(pixel)]
            for k in (labels[tuple(pixel)], order[permuted[tuple(pixel)]])
        ]
        assert scores[0] == scores[1]


# Batches, types, threads -------------------------------------------------------------------------


@metrics
@pytest.mark.parametrize("shape", [(33, 40), (9, 12, 20)], ids=str)
def test_batches_and_threads_change_nothing(shape, metric):
    rng = np.random.default_rng(5)
    sites = rng.random((3, 4, 12, len(shape)))
    weights = 0.01 * rng.random((4, 12))
    labels = pl.laguerre.assign(sites, weights, shape=shape, metric=metric, threads=3)
    assert labels.shape == (3, 4, *shape)
    for index in np.ndindex(3, 4):
        alone = pl.laguerre.assign(
            sites[index], weights[index[1]], shape=shape, metric=metric, threads=1
        )
        assert_array_equal(labels[index], alone)
    one = pl.laguerre.assign(sites[0, 0], weights, shape=shape, metric=metric)
    assert one.shape == (4, *shape)


def test_an_empty_batch():
    assert pl.laguerre.assign(np.zeros((0, 5, 2)), shape=(8, 8)).shape == (0, 8, 8)


def test_float32_is_the_same_numbers_in_float64():
    sites, weights = (array.astype(np.float32) for array in draw(30, 3))
    wide = pl.laguerre.assign(
        sites.astype(np.float64), weights.astype(np.float64), shape=(20, 20, 20)
    )
    assert_array_equal(pl.laguerre.assign(sites, weights, shape=(20, 20, 20)), wide)


@pytest.mark.parametrize(
    ("count", "dtype"),
    [(256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.int32)],
)
def test_the_smallest_labels_that_fit(count, dtype):
    sites, _ = draw(count, 2)
    labels = pl.laguerre.assign(sites, shape=(30, 30))
    assert labels.dtype == dtype
    assert_array_equal(labels, pl.laguerre.assign(sites, shape=(30, 30), dtype=np.int32))
    if dtype != np.int32:
        too_small = np.uint8 if dtype == np.uint16 and count > 256 else None
        if too_small:
            with pytest.raises(ValueError, match=f"dtype is uint8.*up to {count - 1}"):
                pl.laguerre.assign(sites, shape=(30, 30), dtype=too_small)


SCRIPT = """
import sys
import numpy as np
import pearlite as pl
from pearlite import _core

with np.load(sys.argv[1]) as cells:
    for name, expected in cells.items():
        if name.endswith("labels"):
            metric, *shape = name.split("_")[:-1]
            labels = pl.laguerre.assign(
                cells[name[:-6] + "sites"], cells[name[:-6] + "weights"],
                shape=[int(n) for n in shape], metric=metric,
            )
            assert np.array_equal(labels, expected), name
print(_core.instruction_set())
"""


@pytest.mark.parametrize("name", ["base", "x86-64-v3", "x86-64-v4"])
def test_instruction_sets(name, tmp_path):
    cells = {}
    for shape, count in (((100, 83), 10), ((64, 64), 300), ((20, 35, 50), 200), ((5, 6, 7), 900)):
        for metric in METRICS:
            sites, weights = draw(count, len(shape), metric)
            stem = "_".join(map(str, (metric, *shape)))
            cells[f"{stem}_sites"], cells[f"{stem}_weights"] = sites, weights
            cells[f"{stem}_labels"] = reference.assign(sites, weights, shape, metric)
    np.savez(tmp_path / "cells.npz", **cells)
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "cells.npz")],
        env={**os.environ, "PEARLITE_ISA": name},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    if process.stdout.strip() != name:
        pytest.skip(f"this processor has no {name}: it ran {process.stdout.strip()}")


# Torch -------------------------------------------------------------------------------------------


def test_torch():
    torch = pytest.importorskip("torch")
    sites, weights = draw(20, 2)
    expected = pl.laguerre.assign(sites, weights, shape=(32, 32))
    tensor = torch.from_numpy(sites).requires_grad_()
    labels = pl.laguerre.assign(tensor, torch.from_numpy(weights), shape=(32, 32))
    assert isinstance(labels, torch.Tensor)
    assert labels.dtype == torch.uint8
    assert not labels.requires_grad
    assert_array_equal(labels.numpy(), expected)
    wide = pl.laguerre.assign(tensor, weights, shape=(32, 32), dtype=torch.int32)
    assert wide.dtype == torch.int32
    assert_array_equal(wide.numpy(), expected)


# Bad input ---------------------------------------------------------------------------------------

GOOD = {"sites": np.full((4, 2), 0.5), "weights": np.zeros(4), "shape": (8, 8)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sites": np.zeros((4, 5))}, ValueError, r"sites has shape \(4, 5\)"),
        ({"sites": np.zeros(2)}, ValueError, r"sites has shape \(2,\)"),
        ({"sites": np.zeros((0, 2))}, ValueError, r"sites has shape \(0, 2\).*K at least 1"),
        ({"sites": np.array([[0.5, 0.5], [0.5, np.nan]])}, ValueError, r"sites\[1, 1\] is nan"),
        ({"sites": np.array([[[0.5, np.inf]]])}, ValueError, r"sites\[0, 0, 1\] is inf"),
        ({"sites": np.zeros((4, 2), int)}, TypeError, "sites has dtype int64"),
        ({"sites": np.zeros((4, 2), complex)}, TypeError, "sites has dtype complex128"),
        ({"weights": np.zeros(3)}, ValueError, r"weights has shape \(3,\).*\(\.\.\., 4\)"),
        ({"weights": np.array([0, 0, np.nan, 0])}, ValueError, r"weights\[2\] is nan"),
        ({"weights": np.full(4, 1e200)}, ValueError, r"weights\[0\] is 1e\+200"),
        ({"weights": np.zeros(4, np.float32)}, TypeError, "weights has dtype float32.*float64"),
        ({"sites": np.zeros((3, 4, 2)), "weights": np.zeros((2, 4))}, ValueError,
         r"weights has batch axes \(2,\).*\(3,\)"),
        ({"shape": (8,)}, ValueError, r"shape is \(8,\); expected 2 integers"),
        ({"shape": (8, 1)}, ValueError, r"shape is \(8, 1\).*at least 2"),
        ({"shape": (8, 8, 8)}, ValueError, "sites are 2-D"),
        ({"shape": (8, 2.5)}, TypeError, "shape is"),
        ({"shape": 8}, TypeError, "shape is 8"),
        ({"shape": (True, 8)}, ValueError, "shape is"),
        ({"shape": (2**30, 2**30)}, ValueError, "shape is.*2\\^46"),
        ({"metric": "euclidean"}, ValueError, "metric is 'euclidean'.*'power' or 'additive'"),
        ({"metric": 2}, ValueError, "metric is 2"),
        ({"periodic": 1}, TypeError, "periodic is a int"),
        ({"dtype": np.int64}, TypeError, "dtype is int64"),
        ({"dtype": "seven"}, TypeError, "dtype is 'seven'"),
        ({"threads": 0}, ValueError, "threads is 0"),
    ],
)  # fmt: skip
def test_bad_input_is_named(change, error, message):
    arguments = GOOD | change
    sites, weights = arguments.pop("sites"), arguments.pop("weights")
    with pytest.raises(error, match=message):
        pl.laguerre.assign(sites, weights, **arguments)


def test_lists_are_fine():
    labels = pl.laguerre.assign([[0, 0], [0.5, 0.5]], [0, 0.1], shape=[4, 4])
    assert labels.dtype == np.uint8
    small = pl.laguerre.assign(np.zeros((2, 2), np.float32), [0.5, 1], shape=[4, 4])
    assert (small == 1).all()


def test_the_kernel_backs_up_the_front():
    sites, weights = np.zeros((1, 4, 2)), np.zeros((1, 4))
    for bad in (
        (sites, weights, (8, 8, 8)),
        (sites[0], weights, (8, 8)),
        (sites, weights[:, 1:], (8, 8)),
    ):
        with pytest.raises(ValueError, match="wrong shape"):
            _core.assign(*bad, False, True, 1, 1)
    with pytest.raises(TypeError):
        _core.assign(sites.astype(np.float32), weights, (8, 8), False, True, 1, 1)
