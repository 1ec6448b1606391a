"""The bispectrum, and reconstruction from three-point correlations that are given as such."""

import numpy as np
import pytest
from reference.three_point import three_point

import pearlite as pl
from pearlite import _core
from pearlite.correlation._bispectrum import doubled_transform
from pearlite.reconstruction import _bispectrum, _phases
from pearlite.reconstruction._methods import Options
from pearlite.reconstruction._watch import Watch

Correlations = pl.reconstruction.Correlations

SHAPES = [(4, 5), (6, 4), (2, 2), (3, 17), (2, 3, 4), (3, 2, 5)]


def random(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_is_the_distance_of_three_point_correlations(shape, dtype):
    field, other = random(shape, 0), random(shape, 1)
    goal = _core.bispectrum(doubled_transform(other).astype(dtype), 1)
    loss, _ = _core.bispectrum_loss(doubled_transform(field).astype(dtype), goal, 1)
    expected = ((three_point(field) - three_point(other)) ** 2).sum()
    assert loss == pytest.approx(expected, rel=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_is_that_of_the_loss(shape):
    image = (random(shape, 2) > 0).astype(np.uint8)
    if image.min() == image.max():
        image.flat[0] ^= 1
    loss = _bispectrum.Loss(Correlations.from_images(image, order=3), np.float64, 1)
    field, direction = 0.5 + 0.3 * random(shape, 3), random(shape, 4)
    _, gradient = loss(field)
    h = 1e-5
    change = (loss(field + h * direction)[0] - loss(field - h * direction)[0]) / (2 * h)
    assert (gradient * direction).sum() == pytest.approx(change, rel=1e-6, abs=1e-12)
    assert loss(image.astype(np.float64))[0] < 1e-25


def test_threads_change_nothing():
    field, other = random((20, 24), 5), random((20, 24), 6)
    goal = _core.bispectrum(doubled_transform(other), 2)
    one, two = (_core.bispectrum_loss(doubled_transform(field), goal, k) for k in (1, 2))
    assert one[0] == two[0]
    np.testing.assert_array_equal(one[1], two[1])


@pytest.mark.parametrize("shape", [(4, 6), (5, 3), (2, 3, 4)])
def test_three_point_correlations_give_the_bispectrum(shape):
    image = (random(shape, 7) > 0.2).astype(np.uint8)
    direct = Correlations.from_images(image, order=3)
    given = Correlations.from_three_point(three_point(image == 1))
    np.testing.assert_allclose(given.bispectrum, direct.bispectrum, atol=1e-12)
    np.testing.assert_allclose(given.two_point, direct.two_point, atol=1e-14)


IMAGES = {
    "noise": pl.microstructures.thresholded_noise(1, (32, 32), length=2, seed=1)[0],
    "random": (random((24, 31), 8) > 0.3).astype(np.uint8),
    "three dimensions": (random((8, 7, 6), 9) > 0).astype(np.uint8),
    "checkerboard": pl.microstructures.checkerboard((16, 16), tiles=4),
}


def solve(module, image):
    target = Correlations.from_images(image, order=3)
    return module.solve(target, None, 3, Options(threads=2), Watch())


@pytest.mark.parametrize("name", IMAGES)
def test_statistics_alone_determine_the_image(name):
    image = IMAGES[name]
    result = solve(_bispectrum, image)
    assert result.exact
    assert pl.reconstruction.overlap(result.image, image).best == 1


@pytest.mark.parametrize("name", [name for name in IMAGES if name != "checkerboard"])
def test_phases_are_marched_without_iterations(name):
    image = IMAGES[name]
    result = solve(_phases, image)
    assert result.exact
    assert len(result.history) == 1
    assert pl.reconstruction.overlap(result.image, image).best == 1
    np.testing.assert_array_equal(
        pl.correlation.two_point(result.image == 1, dim=image.ndim, counts=True),
        pl.correlation.two_point(image == 1, dim=image.ndim, counts=True),
    )


def test_periodic_patterns_cannot_be_marched():
    with pytest.raises(ValueError, match="bispectrum"):
        solve(_phases, IMAGES["checkerboard"])


def test_one_wrong_pixel_is_not_exact():
    image = IMAGES["noise"].copy()
    target = Correlations.from_images(image, order=3)
    assert _bispectrum.has_all_counts(np.roll(image, (3, 5), (0, 1)), target, 1)
    one, zero = np.argwhere(image == 1)[0], np.argwhere(image == 0)[0]
    image[tuple(one)], image[tuple(zero)] = 0, 1
    assert not _bispectrum.has_all_counts(image, target, 1)


def test_targets_that_do_not_suit():
    image = IMAGES["noise"]
    with pytest.raises(TypeError, match="three-point"):
        _bispectrum.solve(Correlations.from_images(image), None, 0, Options(), Watch())
    target = Correlations.from_images(image, order=3)
    with pytest.raises(ValueError, match="shape"):
        _bispectrum.solve(target, (8, 8), 0, Options(), Watch())
    with pytest.raises(ValueError, match="order is 3 of 3 phases"):
        Correlations.from_images(np.arange(9).reshape(3, 3) % 3, order=3)
    with pytest.raises(ValueError, match="pixels"):
        Correlations.from_images(np.eye(300, dtype=np.uint8), order=3)
    target = Correlations.from_images(np.zeros((4, 4), np.uint8), order=3)
    with pytest.raises(ValueError, match="one phase"):
        _bispectrum.solve(target, None, 0, Options(), Watch())


@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradient_of_fields(shape):
    field, other, direction = (random(shape, k) for k in (8, 9, 10))
    target = pl.correlation.bispectrum(other)
    loss, gradient = pl.correlation.bispectrum_loss_with_gradient(field, target)
    assert loss == pytest.approx(((three_point(field) - three_point(other)) ** 2).sum(), rel=1e-12)
    h = 1e-5
    ends = [pl.correlation.bispectrum_loss(field + s * h * direction, target) for s in (1, -1)]
    assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)
    single = pl.correlation.bispectrum_loss_with_gradient(
        field.astype(np.float32), target.astype(np.float32)
    )
    assert single[1].dtype == np.float32
    assert single[0] == pytest.approx(loss, rel=1e-5)


def test_tensors():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from pearlite import _bispectrum_operators

    field = torch.from_numpy(random((4, 5), 11)).requires_grad_()
    target = pl.correlation.bispectrum(torch.from_numpy(random((4, 5), 12)))
    loss = pl.correlation.bispectrum_loss
    assert torch.autograd.gradcheck(lambda u: loss(u, target), (field,))
    torch.library.opcheck(_bispectrum_operators.evaluate, (field.detach(), target, 1))
    (slope,) = torch.autograd.grad(loss(field, target), field, create_graph=True)
    with pytest.raises(NotImplementedError, match="once, not twice"):
        slope.sum().backward()
    with pytest.raises(ValueError, match="target requires a gradient"):
        loss(field, target.clone().requires_grad_())
    with pytest.raises(TypeError, match="field has dtype int64"):
        pl.correlation.bispectrum(torch.ones((4, 5), dtype=torch.int64))


def test_large_fields_are_refused():
    with pytest.raises(ValueError, match="field has 90000 pixels"):
        pl.correlation.bispectrum(np.zeros((300, 300)))
