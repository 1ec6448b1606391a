"""Averages of maps, ensembles, principal components, distances."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pearlite as pl

stats = pl.statistics
borders = pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])


def lengths_of(shape, periodic, sizes):
    """Length of the vector of each entry of a map; shape that of the image."""
    axes = []
    for n, h in zip(shape, sizes, strict=True):
        k = np.arange(n if periodic else 2 * n - 1)
        axes.append((np.minimum(k, n - k) if periodic else np.abs(k - n + 1)) * h)
    return np.sqrt(sum(a**2 for a in np.ix_(*axes)))


# Radial and directional --------------------------------------------------------------------------


@borders
@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (5, 6, 8)], ids=str)
@pytest.mark.parametrize("spacing", [None, 0.1, "uneven"])
def test_radial_average_by_definition(shape, periodic, spacing):
    rng = np.random.default_rng(0)
    dim = len(shape)
    sizes = {None: np.ones(dim), 0.1: np.full(dim, 0.1)}.get(spacing, np.array([1, 2.5, 0.8])[:dim])
    lengths = lengths_of(shape, periodic, sizes)
    values = rng.normal(size=(2, 3, *lengths.shape))
    given = sizes if spacing == "uneven" else spacing
    found = stats.radial_average(values, periodic=periodic, spacing=given, dim=dim)
    h = sizes.min()
    assert len(found.distance) == int(min(np.array(shape) * sizes) / 2 / h + 1e-9) + 1
    for k in range(len(found.distance)):
        inside = (np.round(lengths / h, 9) >= k - 0.5) & (np.round(lengths / h, 9) < k + 0.5)
        assert found.vectors[k] == inside.sum()
        if inside.any():
            assert found.distance[k] == pytest.approx(lengths[inside].mean())
            assert_allclose(found.values[..., k], values[..., inside].mean(axis=-1), atol=1e-14)
        else:
            assert np.isnan([found.distance[k], *found.values[..., k].ravel()]).all()


def test_radial_average_of_own_bins_and_unknown_entries():
    values = np.arange(49.0).reshape(7, 7)
    values[0, 1] = np.nan
    found = stats.radial_average(values, edges=[0.5, 1.2, 5])
    assert_array_equal(found.vectors, [4, 44])
    assert found.values[0] == np.mean([values[1, 0], values[0, 6], values[6, 0]])
    known = np.delete(values.ravel(), [0, 1, 6, 7, 42])
    assert found.values[1] == pytest.approx(known.mean())


@borders
def test_profiles_are_entries_of_the_map(periodic):
    image = pl.microstructures.thresholded_noise(2, (12, 9), length=1, seed=3)
    s2 = pl.correlation.two_point(image == 1, periodic=periodic)
    for direction in ((1, 0), (0, 1), (1, 1), (2, -1), (-1, 0)):
        found = stats.directional_profile(s2, direction, periodic=periodic, spacing=(2.0, 1.0))
        step = np.hypot(2 * direction[0], direction[1])
        assert_allclose(found.distance, step * np.arange(len(found.distance)))
        for k in range(len(found.distance)):
            r = np.array(direction) * k
            index = r % (12, 9) if periodic else r + np.array([11, 8])
            assert_array_equal(found.values[..., k], s2[(..., *index)])
    last = stats.directional_profile(s2, (1, 0), periodic=periodic).distance[-1]
    assert last == (6 if periodic else 11)


# Ensembles ---------------------------------------------------------------------------------------


def test_ensemble():
    values = np.random.default_rng(0).normal(size=(5, 4, 3))
    found = stats.ensemble(values, axis=1)
    assert found.images == 4
    assert_allclose(found.mean, values.mean(axis=1))
    assert_allclose(found.deviation, values.std(axis=1, ddof=1))
    assert_allclose(found.error, found.deviation / 2)
    single = stats.ensemble(values[:1])
    assert_array_equal(single.mean, values[0])
    assert np.isnan(single.deviation).all()


def test_principal_components_against_the_covariance():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 3, 2)) * [1, 4] + 5
    found = stats.principal_components(values)
    flat = values.reshape(20, 6)
    variance, axes = np.linalg.eigh(np.cov(flat.T))
    assert_allclose(found.explained_variance, variance[::-1])
    assert_allclose(found.explained_variance_ratio, variance[::-1] / variance.sum())
    for k, component in enumerate(found.components.reshape(6, 6)):
        assert abs(component @ axes[:, ::-1][:, k]) == pytest.approx(1)
        assert component[np.abs(component).argmax()] > 0
    assert_allclose(found.mean, values.mean(axis=0))
    assert_allclose(found.scores.mean(axis=0), 0, atol=1e-13)
    assert_allclose(found.scores.var(axis=0, ddof=1), found.explained_variance)
    assert_allclose(found.transform(values), found.scores, atol=1e-13)
    assert_allclose(found.reconstruct(found.scores), values)
    few = stats.principal_components(values, count=2)
    assert few.components.shape == (2, 3, 2)
    assert_allclose(few.explained_variance_ratio, found.explained_variance_ratio[:2])
    assert_allclose(few.reconstruct(few.scores), found.reconstruct(found.scores[:, :2]))


def test_principal_components_of_fewer_images_than_entries_and_of_equal_ones():
    values = np.random.default_rng(1).normal(size=(4, 100))
    found = stats.principal_components(values)
    assert found.components.shape == (3, 100)
    assert_allclose(found.components @ found.components.T, np.eye(3), atol=1e-13)
    assert_allclose(found.reconstruct(found.scores), values)
    same = stats.principal_components(np.ones((3, 4)))
    assert_array_equal(same.explained_variance, 0)
    assert_array_equal(same.explained_variance_ratio, 0)


# Distances ---------------------------------------------------------------------------------------


def test_total_variation():
    assert stats.total_variation([1, 0], [0, 0, 3]) == 1
    assert stats.total_variation([1, 2], [2, 4, 0]) == 0
    assert_array_equal(stats.total_variation([[1, 1], [0, 1]], [1, 3]), [0.25, 0.25])
    assert np.isnan(stats.total_variation([0, 0], [1, 3]))
    image = pl.microstructures.thresholded_noise(2, (32, 32), length=2, seed=1)
    chords = [stats.chord_lengths(part) for part in image]
    found = stats.total_variation(*chords)
    assert found.shape == (2, 2)
    assert_allclose(found, stats.total_variation(chords[1].counts, chords[0].counts))
    assert_array_equal(stats.total_variation(chords[0], chords[0]), 0)


def test_compare_is_what_it_says():
    draw = pl.microstructures.thresholded_noise
    first = draw(2, (40, 30), length=2, seed=1)
    second = draw(1, (33, 36), length=1, fractions=(0.7, 0.3), seed=1)[0] == 1
    found = stats.compare(first, second, radius=4, periodic=(False, True), phases=[1])
    shift = np.arange(-4, 5)
    s2 = [
        pl.correlation.two_point(first == 1, periodic=False)[:, 35:44, 25:34].mean(axis=0),
        pl.correlation.two_point(second)[np.ix_(shift, shift)],
    ]
    assert found.phases == (1,)
    assert found.radius == 4
    assert_allclose(found.two_point, np.sqrt(np.mean((s2[0] - s2[1]) ** 2)))
    phi = [(first == 1).mean(), second.mean()]
    assert_allclose(found.fractions, phi[1] - phi[0])
    excess = (s2[0] - phi[0] ** 2) - (s2[1] - phi[1] ** 2)
    assert_allclose(found.covariance, np.sqrt(np.mean(excess**2)))
    chords = [
        stats.chord_lengths(first, phases=[1], periodic=False).pooled().counts[0],
        stats.chord_lengths(second, phases=[1]).counts[0],
    ]
    assert_allclose(found.chords_along[0], stats.total_variation(*chords))
    assert_allclose(found.chords, stats.total_variation(*(c.sum(axis=0) for c in chords)))


@pytest.mark.parametrize("dim", [2, 3])
def test_an_image_does_not_differ_from_itself(dim):
    image = pl.microstructures.thresholded_noise(1, (13,) * dim, length=1, seed=1)[0]
    found = stats.compare(image, np.roll(image, 3, axis=0), dim=dim)
    assert_allclose(found.two_point, 0, atol=1e-14)
    assert_array_equal(found.chords_along, 0)
    assert found.radius == 6
    # Phases that only one of the two has count as well.
    other = np.where(image == 1, 2, image)
    found = stats.compare(image, other, dim=dim)
    assert found.phases == (0, 1, 2)
    assert_allclose(found.fractions, [0, -(image == 1).mean(), (image == 1).mean()], atol=1e-14)
    assert np.isnan(found.chords[1:]).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_scatter_of_halves(dim):
    image = pl.microstructures.thresholded_noise(1, (17, 12, 10)[:dim], length=1, seed=1)[0]
    found = [stats.natural_scatter(image, dim=dim, axis=axis) for axis in range(dim)]
    middle = stats.compare(image[:8], image[9:], periodic=False, dim=dim, radius=found[0].radius)
    assert_allclose(found[0].two_point, middle.two_point)
    assert_allclose(found[0].chords, middle.chords)
    assert_allclose(found[0].fractions, np.abs(middle.fractions))
    every = stats.natural_scatter(image, dim=dim, radius=1)
    each = [stats.natural_scatter(image, dim=dim, radius=1, axis=k).two_point for k in range(dim)]
    assert_allclose(every.two_point, np.sqrt(np.mean(np.square(each), axis=0)))
    tiled = np.tile(image, 2 if dim == 2 else (2, 1, 1))
    if dim == 2:
        assert_array_equal(stats.natural_scatter(tiled, axis=1).two_point, 0)
