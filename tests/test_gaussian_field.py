"""Gaussian fields: their statistics, what is no covariance, cells of other shapes, phases."""

import numpy as np
import pytest
from scipy import fft

import pearlite as pl

models = pl.microstructures
GaussianField = models.GaussianField


def noise(shape, fractions=(0.6, 0.4), length=2.0, seed=1):
    return models.thresholded_noise(1, shape, length=length, fractions=fractions, seed=seed)[0]


def grains(shape, phases=3, count=1, seed=1):
    return models.voronoi(count, shape, sites=12, phases=phases, seed=seed)


def all_phases(fields):
    """(count, N, *shape): of two phases a sample has only the second."""
    return np.concatenate([1 - fields, fields], axis=1) if fields.shape[1] == 1 else fields


def means_and_covariances(fields):
    """Means (N,) and covariances (N, N, *shape) about them, over samples (count, N, *shape)."""
    fields = fields.astype(np.float64)
    axes = tuple(range(2, fields.ndim))
    means = fields.mean(axis=(0, *axes))
    centred = fields - means.reshape(-1, *[1] * len(axes))
    spectra = fft.fftn(centred, axes=axes)
    products = np.einsum("si...,sj...->ij...", spectra.conj(), spectra)
    return means, fft.ifftn(products, axes=axes).real / fields[:, 0].size


def assert_has_its_statistics(field, count=600, seed=3):
    """Means to rounding; covariances within what as many independent samples scatter."""
    fields = all_phases(field.sample(count, seed=seed))
    means, covariance = means_and_covariances(fields)
    np.testing.assert_allclose(means, field.means, atol=1e-6)
    np.testing.assert_allclose(fields.sum(axis=1), 1, atol=1e-5)
    expected = field.covariance()
    # var Ĉ_ij(r) = Σ_s [C_ii(s) C_jj(s) + C_ij(s+r) C_ij(s−r)] / (S count) ≤ 2 Σ √… / (S count)
    squares = (expected**2).mean(axis=tuple(range(2, expected.ndim)))
    bound = np.sqrt(2 * np.sqrt(np.outer(squares.diagonal(), squares.diagonal())) / count)
    error = np.abs(covariance - expected).max(axis=tuple(range(2, expected.ndim)))
    assert (error <= 5.5 * bound).all()
    return covariance


@pytest.mark.parametrize("shape", [(16, 12), (15, 21), (17, 13), (8, 6, 10), (2, 3), (5, 4, 3)])
def test_one_image_of_two_phases(shape):
    image = noise(shape)
    field = GaussianField.from_images(image, dim=len(shape))
    maps = pl.correlation.two_point(image, phases=[0, 1], dim=len(shape))
    np.testing.assert_allclose(field.two_point(), maps, atol=1e-14)
    np.testing.assert_array_equal(field.means, np.bincount(image.ravel()) / image.size)
    assert field.sample(3, seed=1).shape == (3, 1, *shape)
    assert_has_its_statistics(field)


@pytest.mark.parametrize("shape", [(16, 12), (15, 11), (6, 8, 10)])
@pytest.mark.parametrize("phases", [3, 5])
def test_one_image_of_many_phases(shape, phases):
    image = grains(shape, phases)[0]
    field = GaussianField.from_images(image, phases=phases, dim=len(shape))
    maps = pl.correlation.two_point(image, phases=range(phases), dim=len(shape))
    np.testing.assert_allclose(field.two_point(), maps, atol=1e-14)
    assert "noises=1" in repr(field)
    assert field.sample(3, seed=1).shape == (3, phases, *shape)
    assert_has_its_statistics(field)


@pytest.mark.parametrize("phases", [2, 3, 4])
def test_the_mean_of_many_images(phases):
    """One noise does not do: matrices of spectra have more than rank one."""
    images = grains((16, 14), phases, count=6)
    field = GaussianField.from_images(images, phases=phases)
    maps = pl.correlation.two_point(images, phases=range(phases)).mean(axis=0)
    ours, theirs = (m - m.mean(axis=(2, 3), keepdims=True) for m in (field.two_point(), maps))
    np.testing.assert_allclose(ours, theirs, atol=1e-13)
    assert f"noises={phases - 1}" in repr(field)
    assert_has_its_statistics(field)


@pytest.mark.parametrize("phases", [2, 3, 4])
@pytest.mark.parametrize("count", [1, 6])
def test_statistics(phases, count):
    images = grains((16, 14), phases, count)
    maps = pl.correlation.two_point(images, phases=range(phases)).mean(axis=0)
    field = GaussianField.from_statistics(maps)
    other = GaussianField.from_images(images, phases=phases)
    np.testing.assert_allclose(field.covariance(), other.covariance(), atol=1e-12)
    np.testing.assert_allclose(field.means, other.means, atol=1e-14)
    assert repr(field) == repr(other)
    assert field.change.negative == 0


def test_the_autocorrelation_of_one_phase():
    image = noise((12, 18))
    field = GaussianField.from_statistics(pl.correlation.two_point(image == 1))
    maps = pl.correlation.two_point(image, phases=[0, 1])
    np.testing.assert_allclose(field.two_point(), maps, atol=1e-14)


def test_a_sample_depends_on_its_number_and_the_seed_alone():
    field = GaussianField.from_images(grains((12, 10))[0])
    batch = field.sample(7, seed=5)
    for k in range(7):
        for threads in (1, 3):
            one = field.sample(1, seed=5, sample=k, threads=threads)
            np.testing.assert_array_equal(one[0], batch[k])
    np.testing.assert_array_equal(field.sample(3, seed=5, sample=3), batch[3:6])
    assert np.abs(field.sample(7, seed=6) - batch).max() > 0.1
    flat = batch.reshape(7, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(7)).max() < 0.9


def test_both_parts_of_a_transform_are_independent():
    field = GaussianField.from_images(noise((10, 12)))
    fields = field.sample(4000, seed=2)[:, 0].reshape(2000, 2, -1) - field.means[1]
    cross = np.einsum("sx,sy->xy", fields[:, 0], fields[:, 1]) / 2000
    variance = field.covariance()[1, 1, 0, 0]
    assert np.abs(cross).max() <= 5.5 * variance / np.sqrt(2000)


# What is no covariance ---------------------------------------------------------------------------


def impossible(shape=(16, 12)):
    """Statistics of phase 1 that no field has: too much correlation at one shift."""
    maps = pl.correlation.two_point(noise(shape) == 1)
    maps[0, 3] += 0.05
    maps[0, -3] += 0.05
    return maps


def test_what_is_no_covariance_is_refused_or_projected():
    maps = impossible()
    with pytest.raises(
        ValueError, match="statistics is no covariance: its spectrum goes down to -"
    ):
        GaussianField.from_statistics(maps)
    field = GaussianField.from_statistics(maps, project=True)
    spectrum = fft.fftn(maps - maps[0, 0] ** 2).real
    spectrum[0, 0] = 0
    assert field.change.negative == pytest.approx(spectrum.min() / spectrum.max())
    wanted = fft.ifftn(spectrum).real
    nearest = fft.ifftn(np.maximum(spectrum, 0)).real
    np.testing.assert_allclose(field.covariance()[1, 1], nearest, atol=1e-14)
    assert field.change.largest == pytest.approx(np.abs(nearest - wanted).max())
    assert field.change.rms == pytest.approx(np.sqrt(((nearest - wanted) ** 2).mean()))
    assert_has_its_statistics(field)


def test_many_phases_that_are_no_covariance_are_projected_to_the_nearest():
    maps = pl.correlation.two_point(grains((10, 8), count=4), phases=range(3)).mean(axis=0)
    for i, j, sign in ((1, 1, 1), (2, 2, 1), (1, 2, -1), (2, 1, -1)):
        for shift in (2, -2):
            maps[i, j, 0, shift] += 0.05 * sign
    with pytest.raises(ValueError, match="statistics is no covariance"):
        GaussianField.from_statistics(maps)
    field = GaussianField.from_statistics(maps, project=True)
    assert field.change.negative < -1e-3
    spectrum = fft.fftn(field.covariance()[1:, 1:], axes=(2, 3))
    values = np.linalg.eigvalsh(np.moveaxis(spectrum, (0, 1), (-2, -1)))
    assert values.min() >= -1e-12 * values.max()
    again = GaussianField.from_statistics(field.two_point(), means=field.means)
    np.testing.assert_allclose(again.covariance(), field.covariance(), atol=1e-12)


def test_statistics_in_single_precision_are_taken():
    maps = pl.correlation.two_point(noise((32, 24)) == 1).astype(np.float32)
    field = GaussianField.from_statistics(maps)
    np.testing.assert_allclose(field.two_point()[1, 1], maps, atol=1e-6)


# Interpolation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [2, 3])
def test_interpolated_statistics(phases):
    one, two = (GaussianField.from_images(grains((12, 16), phases, seed=s)[0]) for s in (1, 2))
    for t in (0.0, 0.3, 1.0):
        field = GaussianField.interpolate(one, two, t)
        expected = (1 - t) * one.covariance() + t * two.covariance()
        np.testing.assert_allclose(field.covariance(), expected, atol=1e-13)
        np.testing.assert_allclose(field.means, (1 - t) * one.means + t * two.means)
    assert_has_its_statistics(GaussianField.interpolate(one, two, 0.5))
    with pytest.raises(ValueError, match="t is 40"):
        GaussianField.interpolate(one, two, 40)


@pytest.mark.parametrize("fractions", [(0.4, 0.6), (0.2, 0.3, 0.5)])
def test_extrapolated_statistics(fractions):
    fine, coarse = (
        GaussianField.from_images(noise((24, 20), fractions, length)) for length in (1, 3)
    )
    with pytest.raises(ValueError, match="t is no covariance"):
        GaussianField.interpolate(fine, coarse, 2)
    field = GaussianField.interpolate(fine, coarse, 2, project=True)
    assert field.change.negative < 0
    wanted = 2 * coarse.covariance() - fine.covariance()
    error = np.abs(field.covariance() - wanted)[1:, 1:].max()
    assert field.change.largest == pytest.approx(error)


# Cells of another shape --------------------------------------------------------------------------


def faded(t):
    t = np.abs(t)
    return np.where(t < 1, (1 - t) * np.cos(np.pi * t) + np.sin(np.pi * t) / np.pi, 0)


def test_periodic_statistics_on_a_larger_cell():
    image = noise((40, 30))
    own = GaussianField.from_images(image).covariance()[1, 1]
    field = GaussianField.from_images(image, shape=(100, 90))
    wide = field.covariance()[1, 1]
    rows, columns = np.arange(-39, 40), np.arange(-29, 30)
    weights = np.outer(faded(rows / 40), faded(columns / 30))
    expected = np.zeros((100, 90))
    expected[np.ix_(rows, columns)] = weights * own[np.ix_(rows, columns)]
    expected -= expected.mean()
    np.testing.assert_allclose(wide, expected, atol=2e-4)  # the window of samples, not its limit
    maps = pl.correlation.two_point(image == 1)
    other = GaussianField.from_statistics(maps, shape=(100, 90))
    np.testing.assert_allclose(other.covariance()[1, 1], wide, atol=1e-12)
    assert_has_its_statistics(field, 60)


@pytest.mark.parametrize("shape", [(64, 50), (32, 24), (21, 70)])
@pytest.mark.parametrize("periodic", [True, False])
def test_any_shape_has_a_covariance(shape, periodic):
    images = grains((32, 24), count=3)
    field = GaussianField.from_images(images, shape=shape, periodic=periodic)
    assert field.shape == shape
    spectrum = fft.fftn(field.covariance()[1:, 1:], axes=(2, 3))
    values = np.linalg.eigvalsh(np.moveaxis(spectrum, (0, 1), (-2, -1)))
    assert values.min() >= -1e-12 * values.max()
    assert_has_its_statistics(field, 100)
    assert (np.bincount(field.labels(1, seed=1).ravel()) > 0).all()


def test_an_image_that_does_not_repeat_is_faded():
    """Its transform is that of the endless plane: the autocorrelation of the faded image."""
    image = noise((9, 7))
    fade = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) for n in image.shape))
    centred = fade * (image - (fade * image).sum() / fade.sum())
    field = GaussianField.from_images(image, shape=(20, 15), periodic=False)
    got = field.covariance()[1, 1]
    expected = np.zeros((20, 15))
    for r in np.ndindex(17, 13):
        s = r[0] - 8, r[1] - 6
        for x in np.ndindex(image.shape):
            y = x[0] + s[0], x[1] + s[1]
            if 0 <= y[0] < 9 and 0 <= y[1] < 7:
                expected[s] += centred[x] * centred[y]
    np.testing.assert_allclose(got, expected / (fade**2).sum(), atol=1e-14)


def test_statistics_that_do_not_repeat():
    image = grains((24, 20))[0]
    maps = pl.correlation.two_point(image, phases=range(3), periodic=False)
    with pytest.raises(ValueError, match="statistics is no covariance"):
        GaussianField.from_statistics(maps, periodic=False, shape=(64, 64))
    field = GaussianField.from_statistics(maps, periodic=False, shape=(64, 64), project=True)
    assert field.change.negative < 0
    assert field.change.largest < 0.03
    weights = np.outer(faded(np.arange(5) / 24), faded(np.arange(5) / 20))
    near = maps[1, 2, 23:28, 19:24] - field.means[1] * field.means[2]
    got = field.covariance()[1, 2, :5, :5]
    np.testing.assert_allclose(got, weights * near, atol=field.change.largest + 0.02)


# Phases ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 12), (15, 11), (6, 8, 10)])
@pytest.mark.parametrize("phases", [2, 3, 4])
def test_counts_are_exact(shape, phases):
    image = grains(shape, phases)[0]
    field = GaussianField.from_images(image, phases=phases, dim=len(shape))
    labels = field.labels(5, seed=1)
    assert labels.dtype == np.uint8
    assert labels.shape == (5, *shape)
    for one in labels:
        counts = np.bincount(one.ravel(), minlength=phases)
        np.testing.assert_array_equal(counts, np.bincount(image.ravel(), minlength=phases))
    wished = np.arange(1, phases + 1) / np.arange(1, phases + 1).sum()
    for one in field.labels(2, seed=1, fractions=wished):
        counts = np.bincount(one.ravel(), minlength=phases)
        assert np.abs(counts - wished * image.size).max() < 1
        assert counts.sum() == image.size


def test_labels_are_the_segmented_samples():
    field = GaussianField.from_images(grains((16, 12))[0])
    labels = field.labels(5, seed=1, sample=2)
    np.testing.assert_array_equal(labels, field.segment(field.sample(5, seed=1, sample=2)))
    np.testing.assert_array_equal(labels[3:], field.labels(2, seed=1, sample=5, threads=1))


def test_equal_pixels_are_taken_in_their_order():
    field = GaussianField.from_images(noise((4, 6), fractions=(0.5, 0.5)))
    labels = field.segment(np.full((1, 1, 4, 6), 0.5, np.float32))
    np.testing.assert_array_equal(labels[0], [[0] * 6] * 2 + [[1] * 6] * 2)


@pytest.mark.parametrize("value", [0, 1])
def test_one_phase_alone(value):
    field = GaussianField.from_images(np.full((6, 5), value))
    np.testing.assert_array_equal(field.means, [1 - value, value])
    np.testing.assert_array_equal(field.sample(2, seed=1), np.full((2, 1, 6, 5), value))
    np.testing.assert_array_equal(field.labels(2, seed=1), np.full((2, 6, 5), value))
