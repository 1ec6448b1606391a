"""Statistics as a target, in the layouts of other packages."""

import numpy as np
import pytest

import pearlite as pl

Correlations = pl.reconstruction.Correlations
IMAGES = [
    pl.microstructures.thresholded_noise(1, shape, length=2, seed=k)[0]
    for k, shape in enumerate([(8, 10), (9, 7), (6, 5, 8), (5, 4, 7)])
]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image.shape))
def test_layouts(image):
    shape, dim = image.shape, image.ndim
    maps = pl.correlation.two_point(image == 1, dim=dim)
    options = {"shape": shape}
    for target in (
        Correlations.from_images(image),
        Correlations.from_two_point(maps, **options),
        Correlations.from_two_point(np.fft.fftshift(maps), layout="centre", **options),
        Correlations.from_two_point(maps[..., : shape[-1] // 2 + 1], layout="half", **options),
        Correlations.from_two_point(
            pl.correlation.two_point(image == 1, dim=dim, counts=True), **options
        ),
    ):
        np.testing.assert_allclose(target.two_point[0], maps, atol=1e-14)
        assert target.first == 1
        assert target.shape == shape
        assert target.counts[(0,) * (dim + 1)] == image.sum()


def test_many_phases_and_averages():
    labels = np.random.default_rng(0).integers(0, 3, (2, 6, 8)).astype(np.uint8)
    both = Correlations.from_images(list(labels))
    alone = [Correlations.from_images(image).two_point for image in labels]
    np.testing.assert_allclose(both.two_point, (alone[0] + alone[1]) / 2)
    assert both.first == 0
    again = Correlations.from_two_point(both.two_point, shape=(6, 8))
    np.testing.assert_array_equal(again.two_point, both.two_point)
    assert again.first == 0


def test_radial():
    target = Correlations.from_radial([0, 1, 3], [0.4, 0.3, 0.16], shape=(8, 9, 10))
    assert target.two_point[0, 1, 0, 0] == pytest.approx(0.3)
    assert target.two_point[0, 0, -2, 0] == pytest.approx(0.23)
    assert target.two_point[0, 4, 4, 4] == pytest.approx(0.16)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: Correlations.from_two_point(m, layout="middle"), ValueError, "layout"),
        (lambda m: Correlations.from_two_point(np.fft.fftshift(m)), ValueError, "layout"),
        (lambda m: Correlations.from_two_point(m, layout="half"), ValueError, "shape is None"),
        (lambda m: Correlations.from_two_point(m, shape=(3, 3)), ValueError, "maps has shape"),
        (lambda m: Correlations.from_two_point(m * np.nan), TypeError, "finite"),
        (lambda m: Correlations.from_two_point(m * 3), ValueError, "at most 1"),
        (lambda m: Correlations.from_radial([0, 0], [1, 1], shape=(4, 4)), ValueError, "distance"),
        (lambda m: Correlations.from_three_point(m), ValueError, "three_point has shape"),
        (lambda m: Correlations.from_images(m), TypeError, "images has dtype"),
        (lambda m: Correlations.from_images([]), ValueError, "at least one"),
        (lambda m: Correlations.from_images(m > 0.3, order=4), ValueError, "order"),
    ],
)
def test_errors(call, error, message):
    maps = pl.correlation.two_point(IMAGES[0] == 1)
    with pytest.raises(error, match=message):
        call(maps)
