"""The kernel identity against the p-point correlations themselves."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft
from tests.reference import correlation as reference

import pearlite as pl
from pearlite.correlation import KernelTarget, kernel_loss, kernel_loss_with_gradient

MIXTURES = [((2,), (1.0,)), ((3,), (1.0,)), ((4,), (1.0,)), ((2, 3), (0.5, 0.5)),
            ((2, 3, 4), (0.3, 0.3, 0.4)), ((4, 2), (0.25, 2.0))]  # fmt: skip
rng = np.random.default_rng(1)


def by_transforms(fields, target, dtype=np.float64):
    """The loss (C, *shape) -> float, by plain transforms in double precision."""
    axes = tuple(range(1, fields.ndim))
    u = fields - target.mean.reshape(-1, *(1,) * len(axes))
    spectrum = fft.rfftn(u, axes=axes)
    others = fft.rfftn(target._fields.astype(np.float64), axes=(axis + 1 for axis in axes))
    own = fft.irfftn((np.abs(spectrum) ** 2).sum(0), s=target.shape) * target.scale
    loss = 0.0
    for p, factor, energy in zip(target.orders, target.factors, target.energies, strict=True):
        loss += factor * (np.sum(own**p) + energy)
        for other in others:
            cross = fft.irfftn((np.conj(spectrum) * other).sum(0), s=target.shape) * target.scale
            loss -= 2 * factor * np.sum(cross**p) / len(others)
    return loss


@pytest.mark.parametrize(("orders", "weights"), MIXTURES)
@pytest.mark.parametrize("shape", [(4, 3), (2, 5), (2, 2, 3)])
def test_it_is_the_distance_of_all_correlations(orders, weights, shape):
    image, field = rng.integers(2, size=shape), rng.random(shape)
    image.flat[:2] = 0, 1
    got = kernel_loss(field, image, orders=orders, weights=weights)
    expected = reference.kernel_loss(field[None], [(image == 1)[None] * 1.0], orders, weights)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(("orders", "weights"), [((2, 3), (0.5, 0.5)), ((3,), (1.0,))])
def test_phases_and_several_references(orders, weights):
    images = [rng.permutation(np.arange(9) % 3).reshape(3, 3) for _ in range(2)]
    field = rng.random((3, 3, 3))
    indicators = [np.stack([image == k for k in range(3)]) * 1.0 for image in images]
    got = kernel_loss(field, images, orders=orders, weights=weights)
    expected = reference.kernel_loss(field, indicators, orders, weights)
    np.testing.assert_allclose(got, expected, rtol=1e-11)
    alone = kernel_loss(field, images[0], orders=orders, weights=weights)
    expected = reference.kernel_loss(field, indicators[:1], orders, weights)
    np.testing.assert_allclose(alone, expected, rtol=1e-11)


def test_order_four_of_phases():
    image = np.array([[0, 1], [2, 1]])
    field = rng.random((3, 2, 2))
    indicators = np.stack([image == k for k in range(3)]) * 1.0
    got = kernel_loss(field, image, orders=(4,))
    np.testing.assert_allclose(got, reference.kernel_loss(field, [indicators], (4,), (1.0,)))


@pytest.mark.parametrize("shape", [(2, 2), (7, 9), (16, 33), (64, 64), (17, 128), (5, 6, 7),
                                   (16, 12, 34), (2, 2, 2), (97, 101)], ids=str)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_and_gradient_of_any_shape(shape, channels, dtype):
    size = int(np.prod(shape))
    labels = rng.permutation(np.arange(size) % (2 if channels == 1 else 3)).reshape(shape)
    target = KernelTarget([labels, np.roll(labels, 1)], orders=(2, 3, 4),
                          dtype=dtype)  # fmt: skip
    assert target.channels == channels
    field = rng.random(target.field_shape).astype(dtype)
    loss, gradient = kernel_loss_with_gradient(field, target)
    fields = field.reshape(channels, *shape).astype(np.float64)
    tolerance = 1e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(loss, by_transforms(fields, target), rtol=tolerance, atol=tolerance)
    assert loss == kernel_loss(field, target)
    assert gradient.dtype == dtype
    assert gradient.shape == field.shape
    # Along any direction the gradient is the slope.
    direction = rng.standard_normal(fields.shape)
    step = 1e-5
    slope = (by_transforms(fields + step * direction, target)
             - by_transforms(fields - step * direction, target)) / (2 * step)  # fmt: skip
    got = float(np.sum(gradient.reshape(fields.shape) * direction))
    unit = float(np.linalg.norm(gradient) * np.linalg.norm(direction))
    assert abs(got - slope) < (1e-4 if dtype == np.float32 else 1e-7) * unit


def test_every_entry_of_the_gradient():
    image = rng.integers(3, size=(3, 5))
    target = KernelTarget(image, orders=(2, 3, 4), dtype=np.float64)
    field = rng.random(target.field_shape)
    _, gradient = kernel_loss_with_gradient(field, target)
    for place in np.ndindex(field.shape):
        step = np.zeros_like(field)
        step[place] = 1e-5
        slope = (kernel_loss(field + step, target) - kernel_loss(field - step, target)) / 2e-5
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-6, atol=1e-8)


@given(st.integers(0, 10**6), st.tuples(st.integers(2, 12), st.integers(2, 12)))
def test_translations_do_not_matter_and_copies_have_no_loss(seed, shape):
    rng = np.random.default_rng(seed)
    image = rng.permutation(np.arange(np.prod(shape)) % 2).reshape(shape)
    target = KernelTarget(image, orders=(2, 3, 4), dtype=np.float64)
    shift = tuple(rng.integers(-5, 6, 2))
    copy = np.roll(image, shift, (0, 1)) * 1.0
    loss, gradient = kernel_loss_with_gradient(copy, target)
    assert abs(loss) < 1e-12
    assert np.abs(gradient).max() < 1e-12
    field = rng.random(shape)
    moved = kernel_loss(np.roll(field, shift, (0, 1)), target)
    np.testing.assert_allclose(moved, kernel_loss(field, target), rtol=1e-10)


def test_what_each_order_sees():
    image = pl.microstructures.voronoi(1, (24, 20), sites=9, phases=2, seed=2)[0]
    reflected, other = np.flip(image) * 1.0, 1.0 - image
    two, three, four = (KernelTarget(image, orders=(p,), dtype=np.float64) for p in (2, 3, 4))
    assert kernel_loss(reflected, two) < 1e-12
    assert kernel_loss(reflected, three) > 0.1
    # Centred by the target's mean, the complement has the mean 1 − 2φ: at φ = ½ it is −u.
    tiles = pl.microstructures.checkerboard((8, 8), tiles=2) * 1.0
    sign = pl.microstructures.thresholded_noise(1, (16, 16), length=2, seed=1)[0]
    four = KernelTarget(sign, orders=(4,), dtype=np.float64)
    assert kernel_loss(1.0 - sign, four) < 1e-12
    assert kernel_loss(1.0 - sign, KernelTarget(sign, orders=(3,), dtype=np.float64)) > 1
    assert kernel_loss(1.0 - tiles, tiles.astype(np.uint8), orders=(3,)) < 1e-12  # a translation
    assert kernel_loss(other, three) > 0.1


def test_a_constant_field_has_the_targets_own_power():
    image = pl.microstructures.voronoi(1, (24, 20), sites=9, phases=2, seed=2)[0]
    for orders, weights in (((2,), (1.0,)), ((4,), (1.0,))):
        loss = kernel_loss(np.full(image.shape, image.mean()), image, orders=orders)
        np.testing.assert_allclose(loss, sum(weights), rtol=1e-12)


def test_place_is_the_best_translation():
    image = rng.integers(2, size=(20, 31, 18))
    target = KernelTarget(image)
    for shift in [(0, 0, 0), (3, 30, 17), (19, 1, 5)]:
        moved = np.roll(image, shift, (0, 1, 2)).astype(np.float32)
        place = target.evaluate(moved[None], 2).place
        back = np.unravel_index(place, image.shape)
        assert tuple(back) == tuple(-s % n for s, n in zip(shift, image.shape, strict=True))


def test_threads_and_batches_change_nothing():
    image = rng.integers(2, size=(300, 260)).astype(np.uint8)
    target = KernelTarget(image)
    fields = rng.random((3, 2, 300, 260)).astype(np.float32)
    losses, gradients = kernel_loss_with_gradient(fields, target, threads=3)
    assert losses.shape == (3, 2)
    assert gradients.shape == fields.shape
    for k in np.ndindex(3, 2):
        loss, gradient = kernel_loss_with_gradient(fields[k], target, threads=1)
        assert loss == losses[k]
        np.testing.assert_array_equal(gradient, gradients[k])


def test_real_valued_references_and_noncontiguous_fields():
    image = rng.random((9, 14))
    field = np.asfortranarray(rng.random((9, 14)))[:, ::-1]
    target = KernelTarget(image, dtype=np.float64)
    assert kernel_loss(field, target) == kernel_loss(field.copy(), image)
    np.testing.assert_allclose(target.mean, image.mean())
    expected = reference.kernel_loss(field[None, :3, :3], [image[None, :3, :3]], (2,), (1.0,))
    got = kernel_loss(field[:3, :3], np.ascontiguousarray(image[:3, :3]), orders=(2,))
    np.testing.assert_allclose(got, expected, rtol=1e-11)


def test_targets_can_be_pickled():
    target = KernelTarget(rng.integers(2, size=(8, 9)), dtype=np.float64)
    field = rng.random((8, 9))
    assert kernel_loss(field, pickle.loads(pickle.dumps(target))) == kernel_loss(field, target)
    assert "shape (8, 9)" in repr(target)


IMAGE = np.eye(4, dtype=np.uint8)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((IMAGE * 1.0, np.zeros((4, 4), int)), {}, "references are constant"),
        ((IMAGE * 1.0, np.ones((4, 4))), {}, "references are constant"),
        ((IMAGE * 1.0, np.ones(4)), {}, r"references has shape \(4,\)"),
        ((IMAGE * 1.0, [IMAGE, np.eye(5, dtype=int)]), {}, "expected one shape"),
        ((IMAGE * 1.0, [IMAGE, IMAGE * 1.0]), {}, "references has dtype float64"),
        ((IMAGE * 1.0, []), {}, "references is empty"),
        ((IMAGE * 1.0, -IMAGE.astype(int)), {}, "labels from -1"),
        ((IMAGE * 1.0, IMAGE * 1j), {}, "references has dtype complex128"),
        ((IMAGE * 1.0, np.full((4, 4), np.nan)), {}, "not finite"),
        ((np.ones((4, 5)), IMAGE), {}, r"field has shape \(4, 5\)"),
        ((np.ones((4, 4)), np.arange(16).reshape(4, 4) % 3), {}, r"expected \(..., 3, 4, 4\)"),
        ((IMAGE, IMAGE), {}, "field has dtype uint8"),
        ((np.ones((4, 4), np.float32), KernelTarget(IMAGE, dtype=np.float64)), {}, "float64, that"),
        ((IMAGE * 1.0, IMAGE), {"orders": (1, 2)}, "orders is"),
        ((IMAGE * 1.0, IMAGE), {"orders": (2, 2)}, "each once"),
        ((IMAGE * 1.0, IMAGE), {"orders": ()}, "orders is"),
        ((IMAGE * 1.0, IMAGE), {"orders": None, "weights": (1, 2, 3)}, "expected 2 numbers"),
        ((IMAGE * 1.0, IMAGE), {"weights": (1, -1)}, "weights is"),
        ((IMAGE * 1.0, IMAGE), {"threads": 0}, "threads is 0"),
        ((np.float32(IMAGE), KernelTarget(IMAGE)), {"orders": (2,)}, "orders is"),
    ],
)
def test_bad_input_is_named(arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kernel_loss(*arguments, **options)


@pytest.mark.parametrize("shape", [(16, 20), (9, 15), (6, 5, 8)], ids=str)
def test_sharpened_targets_compare_filtered_fields(shape):
    image = pl.microstructures.thresholded_noise(1, shape, length=1, seed=1)[0]
    field = rng.random(shape)
    sharp = KernelTarget(image, dtype=np.float64, sharpen=0.5)
    weights = fft.rfftn(sharp._filter)
    assert weights.real.max() > 1.5 * weights.real.min()
    filtered = fft.irfftn(fft.rfftn(field - sharp.mean) * weights, s=shape)
    v = fft.irfftn(fft.rfftn(image - sharp.mean) * weights, s=shape)
    plain = KernelTarget(v, dtype=np.float64)
    loss, gradient = kernel_loss_with_gradient(field, sharp)
    np.testing.assert_allclose(loss, kernel_loss(filtered, plain), rtol=1e-10)
    step = 1e-6 * rng.standard_normal(shape)
    change = (kernel_loss(field + step, sharp) - kernel_loss(field - step, sharp)) / 2
    np.testing.assert_allclose(np.sum(gradient * step), change, rtol=1e-6)
    assert abs(kernel_loss(np.roll(image, 3, 0) * 1.0, sharp)) < 1e-12


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan, "1", True])
def test_sharpen_is_checked(share):
    with pytest.raises((TypeError, ValueError), match="sharpen"):
        KernelTarget(IMAGE, sharpen=share)
