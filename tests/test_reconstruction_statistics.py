"""Reconstruction from a descriptor alone, and by the paper's method."""

import numpy as np
import pytest
from tests.reference import descriptor as reference

import pearlite as pl
from pearlite.reconstruction import _logistic, _statistics


def wrong_pixels(image, reference):
    """-> the least over translations and the point reflection."""
    return round((1 - pl.reconstruction.overlap(image, reference).best) * reference.size)


def noise(shape, seed=5):
    return pl.microstructures.thresholded_noise(1, shape, length=1.5, seed=seed)[0]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "image",
    [
        pl.microstructures.checkerboard((64, 64), tiles=8),
        noise((64, 64)),
        noise((32, 48)),
        np.random.default_rng(0).integers(2, size=(32, 32), dtype=np.uint8),
    ],
    ids=["checkerboard", "noise", "oblong", "white"],
)
def test_exact_from_the_descriptor_alone(image, seed):
    target = pl.correlation.descriptor(image, radius=8)
    assert len(target.vectors) == 145
    result = pl.reconstruction.match(target, seed=seed)
    assert result.method == "descriptor"
    assert result.exact
    assert wrong_pixels(result.image, image) == 0
    assert result.rounded_loss == 0
    assert len(result.history) > 2


def test_three_phases():
    layers = pl.microstructures.thresholded_noise(2, (32, 32), length=2, seed=1)
    image = layers.sum(0, dtype=np.uint8)
    target = pl.correlation.descriptor(image, radius=8)
    assert len(target.fractions) == 3
    result = pl.reconstruction.match(target, seed=0)
    assert result.exact
    assert wrong_pixels(result.image, image) == 0


def test_three_dimensions():
    image = pl.microstructures.thresholded_noise(1, (8, 8, 8), length=1.2, seed=2)[0]
    target = pl.correlation.descriptor(image, radius=3)
    result = pl.reconstruction.match(target, seed=0)
    assert result.exact
    assert wrong_pixels(result.image, image) == 0


def test_too_few_vectors_are_no_copy():
    """A window of nine vectors has fewer numbers than pixels: never called exact without need."""
    image = noise((32, 32))
    target = pl.correlation.descriptor(image, radius=2, levels=1)
    result = pl.reconstruction.match(target, seed=0, evaluations=120)
    assert not result.exact
    assert result.loss < 0.05
    assert "No labels" in result.why


def test_same_seed_same_result_for_any_threads():
    target = pl.correlation.descriptor(noise((32, 32)), radius=8)
    first, second = (pl.reconstruction.match(target, seed=3, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.history.loss, second.history.loss)


def test_other_shape_and_averages():
    images = [noise((32, 32), seed=k) for k in (1, 2)]
    found = [pl.correlation.descriptor(image, radius=4) for image in images]
    larger = pl.reconstruction.match(found[0], shape=(64, 32), seed=0, evaluations=150)
    assert larger.image.shape == (64, 32)
    assert not larger.exact
    mean = pl.reconstruction.match(images, method="descriptor", radius=4, seed=0, evaluations=150)
    assert mean.image.shape == (32, 32)
    fraction = np.mean([image.mean() for image in images])
    assert mean.image.mean() == pytest.approx(fraction, abs=0.05)


def test_bad_targets():
    image = noise((16, 16))
    product = pl.correlation.descriptor(image, radius=2, form="product")
    with pytest.raises(ValueError, match="form 'product'"):
        pl.reconstruction.match(product, method="descriptor", seed=0)
    centred = pl.correlation.descriptor(image, radius=2)
    with pytest.raises(TypeError, match="'centred' descriptor"):
        pl.reconstruction.match(centred, method="logistic", seed=0)
    with pytest.raises(ValueError, match="expected multiples of 4"):
        pl.reconstruction.match(centred, shape=(15, 16), seed=0)
    with pytest.raises(ValueError, match="expected 2 axes"):
        pl.reconstruction.match(centred, shape=(16, 16, 16), seed=0)
    with pytest.raises(TypeError, match="steepness is no option"):
        pl.reconstruction.match(centred, seed=0, steepness=3)
    with pytest.raises(ValueError, match="optimizer is 'sgd'"):
        pl.reconstruction.match(image, method="logistic", optimizer="sgd", seed=0)
    with pytest.raises(ValueError, match="3 phases"):
        pl.reconstruction.match(image, method="logistic", phases=3, seed=0)


def test_resumes_from_a_checkpoint(tmp_path, monkeypatch):
    target = pl.correlation.descriptor(noise((32, 32)), radius=8)
    path = tmp_path / "state.npz"
    monkeypatch.setattr("pearlite.reconstruction._watch._CHECKPOINT_SECONDS", 0.0)
    begun = pl.reconstruction.match(target, seed=0, evaluations=40, checkpoint=path)
    assert not begun.exact
    assert int(np.load(path)["evaluations"]) > 10
    resumed = pl.reconstruction.match(target, seed=0, resume=path)
    assert resumed.exact
    assert resumed.history.evaluation[0] == 1
    assert len(resumed.history) > len(begun.history)


def test_interruption_returns_the_best(monkeypatch):
    target = pl.correlation.descriptor(noise((32, 32)), radius=8)

    def progress(record):
        if record.evaluation > 30:
            raise KeyboardInterrupt

    result = pl.reconstruction.match(target, seed=0, progress=progress)
    assert result.interrupted
    assert result.image.shape == (32, 32)
    logistic = pl.correlation.descriptor(noise((32, 32)), radius=4, form="logistic")
    result = pl.reconstruction.match(logistic, seed=0, progress=progress)
    assert result.interrupted
    assert result.image.shape == (32, 32)


# Parts -------------------------------------------------------------------------------------------


def test_gradient_and_curvature_of_a_level():
    rng = np.random.default_rng(0)
    target = pl.correlation.descriptor(noise((16, 16)), radius=3)
    level = _statistics.Level(target, 0, (16, 16), 1)
    x, direction = rng.random((16, 16)), rng.standard_normal((16, 16))
    mean, vectors = target.mean, target.vectors

    def loss(x):
        gram, s2 = reference.descriptor(x - mean, vectors, "centred")
        of_s2, of_gram = level._weights
        return (
            of_s2 * ((s2 - target.s2[0]) ** 2).sum()
            + of_gram * ((gram - target.gram[0]) ** 2).sum()
        )

    value, gradient = level.evaluate(x.astype(np.float32))
    assert value == pytest.approx(loss(x), rel=1e-5)
    slope = (loss(x + 1e-5 * direction) - loss(x - 1e-5 * direction)) / 2e-5
    assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3)
    # Where the residuals vanish the curvature is that of Gauss and Newton: of a single pixel.
    image = noise((16, 16)).astype(np.float64)
    curvature = level.curvature(image.astype(np.float32))
    exact = []
    for pixel in [(0, 0), (3, 7), (8, 2), (15, 15), (5, 5)]:
        step = np.zeros_like(image)
        step[pixel] = 1e-3
        exact.append((loss(image + step) - 2 * loss(image) + loss(image - step)) / 1e-6)
    ratio = np.array(exact) / [curvature[p] for p in [(0, 0), (3, 7), (8, 2), (15, 15), (5, 5)]]
    assert ratio.max() / ratio.min() < 2.5  # cross terms are left out
    assert curvature.min() > 0


def test_counts():
    image = noise((16, 16))
    target = pl.correlation.descriptor(image, radius=3)
    level = _statistics.Level(target, 0, (16, 16), 1)
    assert level.missed(np.roll(image, 3, 0).astype(np.float64), 2) == 0
    assert level.missed(image[::-1, ::-1].astype(np.float64), 2) > 0  # S2 is the same, S3 is not
    other = image.copy()
    ones, zeros = np.argwhere(image == 1)[0], np.argwhere(image == 0)[0]
    other[tuple(ones)], other[tuple(zeros)] = 0, 1
    assert level.missed(other.astype(np.float64), 2) > 1


@pytest.mark.parametrize("form", ["logistic", "product"])
def test_gradient_of_the_papers_loss(form):
    rng = np.random.default_rng(0)
    target = pl.correlation.descriptor(noise((16, 16)), radius=2, levels=3, form=form)
    run = _logistic.Run(target, 1, pl.reconstruction._watch.Watch(), 1)
    x, direction = rng.uniform(-0.2, 1.2, (16, 16)), rng.standard_normal((16, 16))

    def loss(x):
        square, field = 0.0, x
        for level, weight in enumerate((1, 2, 4)):
            if level:
                n = len(field) // 2
                field = field.reshape(n, 2, n, 2).mean((1, 3))
            gram, _ = reference.descriptor(field, target.vectors, form)
            square += weight**2 * ((gram - target.gram[level]) ** 2).sum()
        overshoot = x - x.clip(0, 1)
        return np.sqrt(square) * (1 + 10 * (overshoot**2).mean())

    value, gradient = run.evaluate(x.astype(np.float32), 10)
    assert value == pytest.approx(loss(x), rel=1e-5)
    slope = (loss(x + 1e-5 * direction) - loss(x - 1e-5 * direction)) / 2e-5
    assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "l-bfgs-b"])
def test_the_papers_method(optimizer):
    image = pl.microstructures.checkerboard((16, 16), tiles=4)
    target = pl.correlation.descriptor(image, radius=7, levels=1, form="logistic")
    result = pl.reconstruction.match(target, seed=0, optimizer=optimizer, snapshots=(1, 50))
    assert result.method == "logistic"
    assert result.exact
    assert wrong_pixels(result.image, image) == 0
    rounded = result.history.rounded_loss[np.isfinite(result.history.rounded_loss)]
    assert rounded[-1] == 0
    assert len(result.details["snapshots"]) >= 1
    if optimizer == "adam":  # of a grey field the labels are worse than at the start
        assert rounded.max() > rounded[0]
        assert np.all(np.diff(result.history.loss[:200]) < 1e-3 * result.history.loss[0])


def test_a_window_that_misses_vectors_may_fit_another_image():
    """All counts of 61 vectors of 12² pixels agree, which all but those of Nyquist are, yet 4
    pixels differ: exact means the counts that were given."""
    image = pl.microstructures.checkerboard((12, 12), tiles=2)
    target = pl.correlation.descriptor(image, radius=5, levels=1, form="logistic")
    result = pl.reconstruction.match(target, seed=0, optimizer="l-bfgs-b")
    assert result.exact
    assert wrong_pixels(result.image, image) == 4
    for radius, same in ((5, True), (6, False)):
        counts = [
            np.rint(144 * pl.correlation.descriptor(x, radius=radius, form="product").gram[0])
            for x in (image, result.image)
        ]
        assert np.array_equal(*counts) == same


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("size", [64, 128])
def test_exact_for_any_seed(size, seed):
    image = noise((size, size))
    target = pl.correlation.descriptor(image, radius=12)
    result = pl.reconstruction.match(target, seed=seed)
    assert result.exact
    assert wrong_pixels(result.image, image) == 0
