"""Components, percolation and cluster functions, in two and three dimensions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import percolation, statistics

import pearlite as pl

stats = pl.statistics
SHAPES = [(2, 2), (7, 5), (2, 9), (3, 4, 5), (2, 2, 3), (6, 6, 6)]
KINDS = [
    (shape, kind)
    for shape in SHAPES
    for kind in (("faces", "corners") if len(shape) == 2 else ("faces", "edges", "corners"))
]
cases = pytest.mark.parametrize(("shape", "connectivity"), KINDS, ids=str)
borders = pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])


def reach_of(connectivity, dim):
    return {"faces": 1, "edges": dim - 1, "corners": dim}[connectivity]


def masks_of(shape, number=12):
    """From almost empty to almost full."""
    rng = np.random.default_rng([7, *shape])
    return rng.random((number, *shape)) < np.linspace(0.1, 0.8, number).reshape(
        -1, *(1,) * len(shape)
    )


@cases
@borders
def test_components_against_flooding(shape, connectivity, periodic):
    masks, dim = masks_of(shape), len(shape)
    labels, counts = stats.components(
        masks, connectivity=connectivity, periodic=periodic, dim=dim, threads=2
    )
    assert labels.dtype == np.int32
    for mask, image, count in zip(masks, labels, counts, strict=True):
        expected, _ = percolation.flood(mask, reach_of(connectivity, dim), periodic)
        assert count == len(set(expected.values()))
        got = {x: int(image[x]) for x in np.ndindex(shape) if image[x]}
        assert got == expected  # both number them by their first pixels


@cases
def test_percolation_against_flooding(shape, connectivity):
    masks, dim = masks_of(shape), len(shape)
    reach = reach_of(connectivity, dim)
    found = stats.percolates(masks, connectivity=connectivity, dim=dim)
    assert_array_equal(found, [percolation.percolates_within(mask, reach) for mask in masks])
    found = stats.percolates(masks, connectivity=connectivity, dim=dim, periodic=False)
    for mask, spans in zip(masks, found, strict=True):
        labels, _ = percolation.flood(mask, reach, periodic=False)
        for axis in range(dim):
            first = {c for x, c in labels.items() if x[axis] == 0}
            last = {c for x, c in labels.items() if x[axis] == shape[axis] - 1}
            assert spans[axis] == bool(first & last)


def test_a_helix_winds_along_one_axis_as_often_as_it_closes():
    """A staircase around axes 0 and 1 that shifts along axis 2 closes after several turns."""
    mask = np.zeros((6, 6, 6), bool)
    for k in range(6):
        mask[k, :, k] = True  # six lines along axis 1
    assert_array_equal(stats.percolates(mask, connectivity="faces", dim=3), [False, True, False])
    # Edges join the lines to a sheet along (1, 0, 1), which winds around axes 0 and 2 together.
    assert stats.percolates(mask, connectivity="edges", dim=3).all()
    line = np.zeros((6, 6, 6), bool)
    line[range(6), range(6), range(6)] = True
    assert stats.percolates(line, connectivity="corners", dim=3).all()
    assert not stats.percolates(line, connectivity="edges", dim=3).any()
    assert not stats.percolates(line[:, ::-1], connectivity="edges", dim=3).any()


def test_three_independent_windings_of_rank_two_each():
    """Two sheets that do not touch: each spans a plane, together they span space."""
    mask = np.zeros((5, 5, 5), bool)
    mask[0] = True
    assert_array_equal(stats.percolates(mask, connectivity="faces", dim=3), [False, True, True])
    mask[0] = False
    mask[:, 0, 0] = mask[2, :, 2] = True  # two lines that do not touch
    assert_array_equal(stats.percolates(mask, connectivity="corners", dim=3), [True, True, False])


@pytest.mark.parametrize(
    ("shape", "connectivity"), [case for case in KINDS if np.prod(case[0]) < 100], ids=str
)
@borders
def test_cluster_function_by_definition(shape, connectivity, periodic):
    masks, dim = masks_of(shape, 4), len(shape)
    options = {"connectivity": connectivity, "periodic": periodic, "dim": dim}
    found = stats.two_point_cluster(masks, **options)
    labels, _ = stats.components(masks, **options)
    for image, c2 in zip(labels, found, strict=True):
        assert_array_equal(c2, statistics.same_component(image, periodic))


@borders
@pytest.mark.parametrize("dim", [2, 3])
def test_large_and_small_clusters_alike(monkeypatch, periodic, dim):
    """Counting pairs and transforming give the same integers."""
    masks = masks_of((17, 12) if dim == 2 else (9, 8, 7), 5)
    found = []
    for pairs in (0, 1, 10**9):
        monkeypatch.setattr("pearlite.statistics._connected._PAIRS_PER_PIXEL", pairs)
        found.append(stats.two_point_cluster(masks, periodic=periodic, dim=dim, threads=2))
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])


@borders
def test_a_single_cluster_has_the_two_point_correlation(periodic):
    image = pl.microstructures.thresholded_noise(1, (64, 48), length=3, seed=2)[0]
    labels, _ = stats.components(image, 1, periodic=periodic)
    largest = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    assert_allclose(
        stats.two_point_cluster(largest, periodic=periodic),
        pl.correlation.two_point(largest, periodic=periodic),
        rtol=0,
        atol=1e-12,
    )
    s2 = pl.correlation.two_point(image == 1, periodic=periodic)
    c2 = stats.two_point_cluster(image, 1, periodic=periodic)
    assert (c2 <= s2 + 1e-12).all()
    zero = (0, 0) if periodic else (63, 47)
    assert c2[zero] == (image == 1).mean()


def test_batches_and_layouts():
    masks = masks_of((7, 5)).reshape(3, 4, 7, 5)
    labels, counts = stats.components(masks)
    assert labels.shape == masks.shape
    assert counts.shape == (3, 4)
    turned = np.asfortranarray(masks)
    assert_array_equal(stats.components(turned).labels, labels)
    assert_array_equal(stats.components(masks[:, ::-1]).labels, labels[:, ::-1])
    empty = np.zeros((0, 7, 5), bool)
    assert stats.components(empty).labels.shape == (0, 7, 5)
    assert stats.percolates(empty).shape == (0, 2)
    assert stats.percolates(empty, periodic=False).shape == (0, 2)
    assert stats.two_point_cluster(empty).shape == (0, 7, 5)
