"""Gaussian fields against their definition, number by number, and the choice of pixels."""

import os
import subprocess
import sys

import numpy as np
import pytest
from reference import gaussian_field as reference
from scipy import fft

import pearlite as pl
from pearlite import _core

models = pl.microstructures
GaussianField = models.GaussianField
SHAPES = [(8, 8), (6, 10), (5, 7), (17, 3), (3, 33), (2, 2), (4, 3, 5), (2, 6, 4), (3, 17, 2)]


def drawn(shape, phases, count=1, seed=1):
    images = np.random.default_rng(seed).integers(0, phases, (count, *shape))
    images.reshape(count, -1)[:, :phases] = np.arange(phases) % np.prod(shape)
    return images


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("phases", [2, 3])
def test_samples_of_one_image_are_those_of_the_definition(shape, phases):
    image = drawn(shape, phases)[0]
    field = GaussianField.from_images(image, dim=len(shape), phases=phases)
    seed = 2**40 + 7
    got = field.sample(4, seed=seed, sample=2)
    factor = reference.image_factor(image, phases)
    for pair in (1, 2):
        expected = reference.sample_pair(factor, field.means, seed, pair)
        if phases == 2:
            expected = expected[:, 1:]
        np.testing.assert_allclose(got[2 * pair - 2 : 2 * pair], expected, atol=2e-6)


def whole(field):
    """Square roots (N − 1, N − 1, *shape) of a field's spectrum, by numpy."""
    axes = range(2, 2 + len(field.shape))
    spectrum = np.fft.fftn(field.covariance()[1:, 1:], axes=axes)
    matrices = np.moveaxis(spectrum, (0, 1), (-2, -1))
    values, vectors = np.linalg.eigh(matrices)
    roots = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ vectors.conj().swapaxes(
        -1, -2
    )
    return np.moveaxis(roots, (-2, -1), (0, 1))


@pytest.mark.parametrize("shape", [(8, 6), (5, 7), (3, 4, 5)])
@pytest.mark.parametrize("phases", [2, 3, 4])
def test_samples_of_many_images_are_those_of_the_definition(shape, phases):
    images = drawn(shape, phases, count=6)
    field = GaussianField.from_images(images, dim=len(shape), phases=phases)
    got = field.sample(2, seed=5)
    expected = reference.sample_pair(whole(field), field.means, 5, 0)
    if phases == 2:
        expected = expected[:, 1:]
    np.testing.assert_allclose(got, expected, atol=3e-6)


def noise(shape, seed, pair, rows):
    """Complex white noise (R, *shape) of a pair of samples, in double precision."""
    size = int(np.prod(shape))
    samples = np.array([2 * pair, 2 * pair + 1], np.uint64)
    parts = [_core.normals(samples, size, seed, row, 1, True, 1) for row in range(rows)]
    both = np.array(parts).reshape(rows, 2, *shape)
    return both[:, 0] + 1j * both[:, 1]


@pytest.mark.parametrize("shape", [(128, 130), (96, 257), (24, 40, 36)])
@pytest.mark.parametrize("phases", [2, 3])
def test_larger_transforms(shape, phases):
    """Against scipy's in double precision; on one thread and on more."""
    images = models.voronoi(phases, shape, sites=40, phases=phases, seed=1)
    field = GaussianField.from_images(images, dim=len(shape), phases=phases)
    got = field.sample(3, seed=3, sample=1, threads=1)
    np.testing.assert_array_equal(field.sample(3, seed=3, sample=1, threads=3), got)
    roots = whole(field) / np.sqrt(np.prod(shape))
    expected = []
    for pair in (0, 1):
        coloured = np.einsum("l...,lj...->j...", noise(shape, 3, pair, len(roots)), roots)
        fields = fft.ifftn(coloured, axes=range(1, coloured.ndim), norm="forward")
        expected += [fields.real, fields.imag]
    expected = np.array(expected[1:]) + field.means[1:].reshape(-1, *[1] * len(shape))
    np.testing.assert_allclose(got[:, -len(roots) :], expected, atol=1e-5)


SCRIPT = """
import sys
import numpy as np
import pearlite as pl
from pearlite import _core
assert _core.instruction_set() == sys.argv[1], _core.instruction_set()
images = pl.microstructures.voronoi(2, (37, 45), sites=20, phases=3, seed=1)
field = pl.microstructures.GaussianField.from_images(images)
np.savez(sys.argv[2], fields=field.sample(3, seed=1), labels=field.labels(3, seed=1))
"""


def test_every_instruction_set_draws_the_same(tmp_path):
    images = models.voronoi(2, (37, 45), sites=20, phases=3, seed=1)
    field = GaussianField.from_images(images)
    fields, labels = field.sample(3, seed=1), field.labels(3, seed=1)
    best = _core.instruction_set()
    names = ["base", "x86-64-v3", "x86-64-v4"]
    for name in names[: names.index(best) + 1]:
        file = tmp_path / f"{name}.npz"
        environment = {**os.environ, "PEARLITE_ISA": name}
        subprocess.run([sys.executable, "-c", SCRIPT, name, str(file)], env=environment, check=True)
        with np.load(file) as found:
            np.testing.assert_allclose(found["fields"], fields, atol=3e-6)
            assert np.count_nonzero(found["labels"] != labels) <= 2


# Phases ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [2, 3, 4])
@pytest.mark.parametrize("shape", [(14, 11), (5, 7, 4)])
def test_phases_are_those_of_the_definition(shape, phases):
    image = models.voronoi(1, shape, sites=6, phases=phases, seed=2)[0]
    field = GaussianField.from_images(image, dim=len(shape), phases=phases)
    fields = field.sample(3, seed=1)
    every = np.concatenate([1 - fields, fields], axis=1) if phases == 2 else fields
    axes = tuple(range(1, 1 + len(shape)))
    spectra = field._smoothing() / np.fft.rfftn(reference.box(shape)).real
    kernels = np.fft.irfftn(spectra, s=shape, axes=axes)
    kernels[np.abs(kernels) < 1e-6] = 0
    for labels, one in zip(field.segment(fields), every, strict=True):
        expected = reference.segment(one.astype(np.float64), kernels, field.means)
        np.testing.assert_array_equal(labels, expected)


def by_sorting(fields, order, numbers):
    """Labels (S,) of the pixels that each phase takes in its turn."""
    labels = np.full(fields.shape[1], order[-1])
    for field, phase, number in zip(fields, order, numbers, strict=False):
        free = np.flatnonzero(labels == order[-1])
        labels[free[np.argsort(-field[free], kind="stable")[:number]]] = phase
    return labels


@pytest.mark.parametrize("levels", [2, 5, 1000, None])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_largest_are_taken(size, levels):
    """Numbers of few levels tie; others are of any magnitude and sign."""
    rng = np.random.default_rng(size)
    for _ in range(10):
        fields = rng.standard_normal((3, 2, size)) * 10.0 ** rng.integers(-30, 30, (3, 2, size))
        if levels is not None:
            fields = np.round(rng.random((3, 2, size)) * levels) - levels // 2
        fields = fields.astype(np.float32)
        fields[rng.random(fields.shape) < 0.1] *= -0.0
        first = int(rng.integers(0, size + 1))
        numbers = np.array([first, rng.integers(0, size - first + 1)])
        order = rng.permutation(3).astype(np.uint8)
        labels = _core.largest(fields, order, numbers, 2)
        for got, one in zip(labels, fields, strict=True):
            np.testing.assert_array_equal(got, by_sorting(one, order, numbers))


def test_smoothing_keeps_the_mean_and_rounds_no_single_pixel():
    """Multipliers are 1 at frequency zero; fine structures get no kernel wider than a pixel."""
    image = (np.indices((16, 16)).sum(axis=0) % 2).astype(np.uint8)
    box = np.fft.rfftn(reference.box((16, 16))).real
    multipliers = GaussianField.from_images(image)._smoothing()
    np.testing.assert_allclose(multipliers, np.broadcast_to(box, multipliers.shape), atol=1e-5)
    coarse = models.thresholded_noise(1, (64, 64), length=5, seed=1)[0]
    kernels = np.fft.irfftn(GaussianField.from_images(coarse)._smoothing(), axes=(1, 2)) / 9
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-6)
    assert kernels.min() > -1e-6
    assert np.count_nonzero(kernels[0] > 1e-6) > 50
