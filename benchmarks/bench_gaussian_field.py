"""Gaussian fields beside numpy, scipy and GSTools, in one run.

    make bench ARGS="-k gaussian_field"

All peers but GSTools draw the same law: two-phase statistics of one image on its own periodic cell.
numpy filters real white noise there and back; scipy colours complex white noise in single precision
and takes two samples from each transform, on all threads, as ours does. GSTools randomizes 1000
waves of a covariance model that is fitted to nothing: its time is what counts. Before anything is
timed, each peer's correlations at short shifts are compared with those of the image. Labels are
compared with the same thresholding by scipy's transforms and numpy's partition.
"""

from importlib.metadata import version

import numpy as np
import pytest
from recorder import record
from scipy import fft
from turns import seconds

import pearlite as pl
from pearlite import _threads

THREADS = _threads.available()
SHAPES = [(256, 256), (128, 128, 128)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=["n256", "n128x3"])


def image_of(shape):
    noise = pl.microstructures.thresholded_noise
    return noise(1, shape, length=3, fractions=(0.6, 0.4), seed=1)[0]


class Numpy:
    """Real white noise in double precision, there and back."""

    def __init__(self, image):
        root = np.sqrt(np.abs(np.fft.rfftn(image - image.mean())) ** 2 / image.size)
        self.root, self.mean, self.shape = root, image.mean(), image.shape
        self.rng = np.random.default_rng(1)

    def pair(self):
        return np.stack([self.one(), self.one()])

    def one(self):
        white = np.fft.rfftn(self.rng.standard_normal(self.shape))
        return self.mean + np.fft.irfftn(white * self.root, s=self.shape, axes=range(white.ndim))


class Scipy:
    """Two samples from a complex transform, in single precision, on all threads."""

    def __init__(self, image):
        root = np.abs(fft.fftn(image - image.mean())) / image.size
        self.root, self.mean = root.astype(np.float32), np.float32(image.mean())
        self.rng = np.random.default_rng(1)

    def pair(self):
        white = self.rng.standard_normal((*self.root.shape, 2), np.float32)
        coloured = white.view(np.complex64)[..., 0] * self.root
        field = fft.ifftn(coloured, norm="forward", overwrite_x=True, workers=THREADS)
        return np.stack([field.real, field.imag]) + self.mean


def correlations(fields):
    """<m(x) m(x + r)> at shifts of 0 to 5 pixels along the last axis, over all samples."""
    return np.array([np.mean(fields * np.roll(fields, r, -1)) for r in range(6)])


def assert_has_statistics(fields, image, scale):
    expected = correlations(image.astype(np.float64))
    np.testing.assert_allclose(correlations(fields), expected, atol=scale)


@shapes
def test_gaussian_field_samples(benchmark, shape):
    """-> ms a sample: of many (batch), and of a single pair."""
    image = image_of(shape)
    field = pl.microstructures.GaussianField.from_images(image, dim=len(shape))
    peers = {"numpy": Numpy(image), "scipy": Scipy(image)}
    pairs, scale = (40, 5e-3) if len(shape) == 2 else (2, 1e-2)
    assert_has_statistics(field.sample(2 * pairs, seed=1), image, scale)
    for peer in peers.values():
        assert_has_statistics(np.concatenate([peer.pair() for _ in range(pairs)]), image, scale)
    batch = 16 if len(shape) == 2 else 4
    calls = {
        "pearlite": lambda: field.sample(batch, seed=1),
        "pearlite, a pair": lambda: field.sample(2, seed=1),
        "pearlite, one thread": lambda: field.sample(batch, seed=1, threads=1),
        "labels": lambda: field.labels(batch, seed=1),
        "numpy": peers["numpy"].pair,
        "scipy": peers["scipy"].pair,
    }
    samples = {"pearlite": batch, "pearlite, one thread": batch, "labels": batch}
    taken = seconds(calls, rounds=9 if benchmark.enabled else 1)
    benchmark.pedantic(calls["pearlite, a pair"], rounds=1)
    for name, spent in taken.items():
        package = name if name in peers else "pearlite"
        record(
            group="gaussian field", solver=name, shape="x".join(map(str, shape)), phases=2,
            version=pl.__version__ if package == "pearlite" else version(package),
            threads=1 if name in ("numpy", "pearlite, one thread") else THREADS,
            cells=samples.get(name, 2), ms_per_cell=1e3 * spent / samples.get(name, 2),
        )  # fmt: skip
        print(f"\n{shape} {name}: {1e3 * spent / samples.get(name, 2):.3g} ms a sample", end="")


def by_partition(field, fields):
    """Labels of two phases, by scipy's transforms and numpy's partition."""
    phase = int(field.means[1] > field.means[0])  # the one that has the rest
    count = round(float(field.means[1 - phase]) * fields[0].size)
    multiplier = field._smoothing()[1 - phase]
    labels = np.full((len(fields), fields[0].size), phase, np.uint8)
    axes = range(1, fields.ndim - 1)
    for one, image in zip(fields, labels, strict=True):
        spectrum = fft.rfftn(one if phase == 0 else 1 - one, axes=axes, workers=THREADS)
        smooth = fft.irfftn(spectrum * multiplier, s=fields.shape[2:], axes=axes, workers=THREADS)
        image[np.argpartition(smooth.ravel(), -count)[-count:]] = 1 - phase
    return labels.reshape(-1, *fields.shape[2:])


@shapes
def test_gaussian_field_labels(benchmark, shape):
    """-> ms an image, from fields that are there."""
    image = image_of(shape)
    field = pl.microstructures.GaussianField.from_images(image, dim=len(shape))
    fields = field.sample(2, seed=1)
    ours, theirs, fused = (
        field.segment(fields),
        by_partition(field, fields),
        field.labels(2, seed=1),
    )
    for other in (theirs, fused):
        assert np.count_nonzero(ours != other) <= 1e-5 * ours.size + 4  # equal but for rounding
    calls = {
        "segment": lambda: field.segment(fields),
        "numpy partition": lambda: by_partition(field, fields),
    }
    taken = seconds(calls, rounds=9 if benchmark.enabled else 1)
    benchmark.pedantic(calls["segment"], rounds=1)
    for name, spent in taken.items():
        record(
            group="gaussian field labels", solver=name, shape="x".join(map(str, shape)), phases=2,
            version=version("numpy") if name.startswith("numpy") else pl.__version__,
            threads=THREADS, cells=2, ms_per_cell=1e3 * spent / 2,
        )  # fmt: skip


def test_gaussian_field_gstools(benchmark):
    """-> ms a field of GSTools, 256²; a cube would take a minute."""
    gstools = pytest.importorskip("gstools", reason="GSTools is not installed")
    model = gstools.Gaussian(dim=2, var=0.24, len_scale=5)
    axes = [np.arange(256.0)] * 2
    field = gstools.SRF(model, mean=0.4, seed=1)
    fields = [field.structured(axes, seed=k) for k in range(3)]
    assert abs(np.var(fields) - 0.24) < 0.05
    taken = seconds({"gstools": lambda: field.structured(axes)}, rounds=3)
    benchmark.pedantic(lambda: field.structured(axes), rounds=1)
    record(
        group="gaussian field", solver="gstools", version=version("gstools"), shape="256x256",
        phases=2, threads=1, cells=1, ms_per_cell=1e3 * taken["gstools"],
    )  # fmt: skip


@pytest.mark.parametrize("phases", [3, 5])
@pytest.mark.parametrize("images", [1, 8])
def test_gaussian_field_many_phases(benchmark, phases, images):
    """-> ms a sample of N fields, of one image's statistics and of the mean of eight."""
    drawn = pl.microstructures.voronoi(images, (256, 256), sites=150, phases=phases, seed=1)
    field = pl.microstructures.GaussianField.from_images(drawn)
    fields = field.sample(8, seed=1)
    assert np.abs(fields.sum(axis=1) - 1).max() < 1e-5
    assert np.abs(fields.mean(axis=(2, 3)) - field.means).max() < 1e-5
    taken = seconds(
        {"sample": lambda: field.sample(8, seed=1)}, rounds=9 if benchmark.enabled else 1
    )
    benchmark.pedantic(lambda: field.sample(2, seed=1), rounds=1)
    record(
        group="gaussian field", solver=f"pearlite, {len(field._factor)} noises", shape="256x256",
        version=pl.__version__, phases=phases, threads=THREADS, cells=8,
        ms_per_cell=1e3 * taken["sample"] / 8,
    )  # fmt: skip
