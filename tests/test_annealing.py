"""Annealing on integer two-point counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import quick

import pearlite as pl
from pearlite import _core
from pearlite.reconstruction import _annealing
from pearlite.reconstruction._methods import Options
from pearlite.reconstruction._watch import Watch

Correlations = pl.reconstruction.Correlations


def counts(labels, first, phases):
    masks = np.stack([labels == first + i for i in range(phases)])
    return pl.correlation.two_point(masks, dim=3, counts=True)


def energy(labels, goal, first):
    return int(((counts(labels, first, len(goal)) - goal) ** 2).sum())


@quick
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 70)),
    phases=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_nothing_drifts(shape, phases, seed):
    rng = np.random.default_rng(seed)
    aim = rng.integers(0, phases, shape).astype(np.int32)
    start = rng.permutation(aim.ravel()).reshape(shape)
    if start.min() == start.max():
        return
    first = 1 if phases == 2 else 0
    goal = counts(aim, first, phases - first)
    chain = _core.Annealer(start, goal, first)
    assert chain.energy == energy(start, goal, first)
    for k, temperature in enumerate([1e9, 10.0, 0.1]):  # all exchanges, some, those that help
        chain.run(100, temperature, 0.99, seed, 0, 100 * k)
        labels = chain.labels()
        assert chain.energy == energy(labels, goal, first)
        assert chain.wrong == np.count_nonzero(counts(labels, first, phases - first) != goal)
        np.testing.assert_array_equal(np.bincount(labels.ravel()), np.bincount(start.ravel()))


def test_large_differences_take_two_numbers():
    """Counts beyond 16 bits, and back."""
    shape = (160, 1, 256)
    start = np.zeros(shape, np.int32)
    start[:100] = 1
    aim = np.random.default_rng(0).permutation(start.ravel()).reshape(shape)
    goal = counts(aim, 1, 1)
    chain = _core.Annealer(start, goal, 1)
    assert np.abs(counts(start, 1, 1) - goal).max() < 16383  # so one number does
    far = _core.Annealer(start, np.zeros_like(goal), 1)
    for kernel, target in ((chain, goal), (far, np.zeros_like(goal))):
        kernel.run(300, 1e12, 1.0, 1, 0, 0)
        assert kernel.energy == energy(kernel.labels(), target, 1)


def test_runs_do_not_depend_on_how_they_are_cut():
    rng = np.random.default_rng(1)
    aim = (rng.random((16, 1, 16)) < 0.4).astype(np.int32)
    start = rng.permutation(aim.ravel()).reshape(aim.shape)
    goal = counts(aim, 1, 1)
    one, two = (_core.Annealer(start, goal, 1) for _ in range(2))
    one.run(1000, 50.0, 1.0, 7, 3, 0)
    for k in range(10):
        two.run(100, 50.0, 1.0, 7, 3, 100 * k)
    np.testing.assert_array_equal(one.labels(), two.labels())


def anneal(target, **options):
    evaluations = options.pop("evaluations", 300_000)
    settings = Options(evaluations=evaluations, extra=options)
    return _annealing.solve(target, None, 5, settings, Watch())


def test_checkerboard():
    image = pl.microstructures.checkerboard((16, 16), tiles=4)
    result = anneal(Correlations.from_images(image), cooling=0.9999)
    assert result.details["wrong_counts"] == 0
    np.testing.assert_array_equal(
        pl.correlation.two_point(result.image == 1, counts=True),
        pl.correlation.two_point(image == 1, counts=True),
    )
    assert not result.exact  # two-point counts alone never are


def test_three_phases():
    image = np.indices((12, 12)).sum(axis=0) // 2 % 3
    result = anneal(Correlations.from_images(image), cooling=0.9998, evaluations=200_000)
    assert result.details["wrong_counts"] == 0
    np.testing.assert_array_equal(np.bincount(result.image.ravel()), np.bincount(image.ravel()))


def test_errors():
    image = pl.microstructures.checkerboard((8, 8), tiles=4)
    with pytest.raises(TypeError, match="no option"):
        anneal(Correlations.from_images(image), colling=0.9)
    with pytest.raises(ValueError, match="cooling"):
        anneal(Correlations.from_images(image), cooling=2)
    with pytest.raises(TypeError, match="target is a str"):
        anneal("image")
