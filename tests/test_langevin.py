"""Langevin steps beside the definition, one image at a time."""

import math

import numpy as np
import pytest
from reference import langevin as reference

import pearlite as pl

step, normal = pl.langevin.step, pl.langevin.normal
TYPES = [np.float32, np.float64]
SHAPES = [(5, 7), (64, 64), (1, 130), (3, 4, 70), (2, 1, 3)]
TOLERANCE = {np.float32: 3e-6, np.float64: 1e-14}


def images(batch, channels, shape, padding=0, dtype=np.float64, seed=0):
    """-> x, score (B, C, *shape + 2 padding): every phase occurs, and uncertain pixels"""
    rng = np.random.default_rng(seed)
    full = (batch, channels, *(n + 2 * padding for n in shape))
    x = rng.normal(0.4, 0.5, full).astype(dtype)
    return x, rng.normal(size=full).astype(dtype)


def expected(x, score, alpha, *, seed, number, sample, **options):
    """-> what a step makes of a batch, counts"""
    p = options.get("padding", 0)
    shape = x.shape[1], *(n - 2 * p for n in x.shape[2:])
    results = []
    for b in range(len(x)):
        z = normal(shape, seed=seed, sample=sample + b, step=number, dtype=x.dtype)
        results.append(reference.step(x[b], score[b], alpha, z, **options))
    pictures, counts = zip(*results, strict=True)
    return np.stack(pictures), np.stack(counts)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 9])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [0, 2, 9])
def test_step(dtype, channels, shape, padding):
    x, score = images(2, channels, shape, padding, dtype)
    fraction = np.full(channels, 1 / max(channels, 3))
    wanted, counts = expected(
        x, score, 0.3, seed=3, number=9, sample=5, padding=padding, fraction=fraction, sigma=0.05,
        low=-1, high=2,
    )  # fmt: skip
    got = step(
        x, score, 0.3, seed=3, step=9, sample=5, volume_fraction=fraction[0] if channels == 1 else
        fraction, sigma_volume=0.05, padding=padding, clamp=(-1, 2),
    )  # fmt: skip
    np.testing.assert_allclose(x, wanted, atol=TOLERANCE[dtype], rtol=0)
    np.testing.assert_array_equal(got, counts)
    np.testing.assert_array_equal(pl.langevin.phase_counts(x, padding=padding), counts)


def test_plain_step():
    """Without noise, fractions and clamp it adds α times the score."""
    x, score = images(3, 1, (6, 5))
    wanted = x + 0.25 * score
    counts = step(x, score, 0.25, seed=0, step=0, noise=0)
    np.testing.assert_allclose(x, wanted, rtol=1e-15)
    np.testing.assert_array_equal(counts[:, 1], (wanted > 0.5).sum(axis=(1, 2, 3)))


def test_noise_alone_is_that_of_normal():
    x = np.zeros((4, 2, 30, 34))
    step(x, np.zeros_like(x), 0.5, seed=8, step=1, sample=3)
    np.testing.assert_array_equal(x, normal((2, 30, 34), seed=8, step=1, sample=range(3, 7)))


def test_step_sizes_fractions_and_deviations_of_each_image():
    x, score = images(3, 1, (8, 9))
    sizes, fractions, sigmas = [0.0, 0.1, 0.4], [0.2, 0.5, 0.9], [0.1, 0.2, 0.3]
    single = x.copy()
    options = {"seed": 4, "step": 2}
    step(x, score, sizes, volume_fraction=fractions, sigma_volume=sigmas, **options)
    np.testing.assert_array_equal(x[0], single[0])  # a step of size 0
    for b in range(3):
        step(
            single[b : b + 1], score[b : b + 1], sizes[b], volume_fraction=fractions[b],
            sigma_volume=sigmas[b], sample=b, **options,
        )  # fmt: skip
    np.testing.assert_array_equal(x, single)
    x, score = images(2, 3, (8, 9))
    both = x.copy()
    step(x, score, 0.1, volume_fraction=[0.2, 0.3, 0.5], sigma_volume=0.1, **options)
    step(both, score, 0.1, volume_fraction=[[0.2, 0.3, 0.5]] * 2, sigma_volume=0.1, **options)
    np.testing.assert_array_equal(x, both)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("channels", "shape"), [(1, (130, 131)), (3, (40, 41)), (2, (9, 20, 33))])
@pytest.mark.parametrize("padding", [0, 3])
def test_batches_and_threads_change_nothing(dtype, channels, shape, padding):
    options = {
        "seed": 1, "step": 6, "padding": padding, "clamp": 3, "sigma_volume": 0.02,
        "volume_fraction": 0.4 if channels == 1 else np.full(channels, 1 / channels),
    }  # fmt: skip
    x, score = images(5, channels, shape, padding, dtype)
    whole, again, alone = x.copy(), x.copy(), x.copy()
    counts = step(whole, score, 0.1, sample=20, threads=1, **options)
    np.testing.assert_array_equal(step(again, score, 0.1, sample=20, threads=7, **options), counts)
    np.testing.assert_array_equal(again, whole)
    for b in (3, 0, 4, 2, 1):  # in any order
        part = slice(b, b + 1)
        got = step(alone[part], score[part], 0.1, sample=[20 + b], threads=2, **options)
        np.testing.assert_array_equal(got[0], counts[b])
    np.testing.assert_array_equal(alone, whole)


def layouts(x):
    """The same images with other strides: {name: array}"""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    turned = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    swapped = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    found = {
        "channels last": np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
        "every second": wide[..., ::2],
        "backwards": turned,
        "swapped": swapped,
        "fortran": np.asfortranarray(x),
        "batch last": np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    }
    for array in found.values():
        array[...] = x
    return found


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize(("shape", "padding"), [((20, 33), 0), ((20, 33), 4), ((3, 5, 6), 1)])
def test_any_strides(dtype, channels, shape, padding):
    x, score = images(2, channels, shape, padding, dtype)
    plain = x.copy()
    options = {
        "seed": 2, "step": 3, "padding": padding, "sigma_volume": 0.02,
        "volume_fraction": 0.4 if channels == 1 else np.full(channels, 1 / channels),
    }  # fmt: skip
    counts = step(plain, score, 0.1, **options)
    scores = {"plain": score} | layouts(score)
    for name, image in layouts(x).items():
        for slope in (scores["plain"], scores[name]):
            changed = image.copy(order="K") if name != "every second" else image
            changed[...] = x
            np.testing.assert_array_equal(
                step(changed, slope, 0.1, **options), counts, err_msg=name
            )
            np.testing.assert_array_equal(changed, plain, err_msg=name)
    for slope in scores.values():
        changed = x.copy()
        step(changed, slope, 0.1, **options)
        np.testing.assert_array_equal(changed, plain)


def test_nothing_outside_is_touched():
    """Every second line and column of an array, of which the others keep their value."""
    whole = np.full((4, 2, 23, 31), 7.0)
    x = whole[::2, :, 1:22:2, 3:30:3]
    score = np.zeros(x.shape)
    step(x, score, 0.1, seed=1, step=1, padding=2)
    mask = np.ones(whole.shape, bool)
    mask[::2, :, 1:22:2, 3:30:3] = False
    assert (whole[mask] == 7).all()
    assert not (x == 7).any()


def test_a_score_that_is_x_itself():
    x, _ = images(2, 1, (9, 8), 2)
    apart, together = x.copy(), x.copy()
    step(apart, x, 0.3, seed=1, step=1, padding=2)
    step(together, together, 0.3, seed=1, step=1, padding=2)
    np.testing.assert_array_equal(apart, together)
    lines = np.zeros((1, 1, 12, 8))
    lines[...] = np.arange(12)[:, None]
    before = lines.copy()
    step(lines[:, :, :10], lines[:, :, 2:], 1.0, seed=0, step=0, noise=0)
    np.testing.assert_array_equal(lines[:, :, :10], before[:, :, :10] + before[:, :, 2:])


def test_ties_and_uncertain_pixels():
    """A half is of phase 0; of equal phases the first; as uncertain as the largest is certain."""
    half = np.array([0.5, np.nextafter(0.5, 1), -np.inf, np.inf]).reshape(1, 1, 1, 4)
    assert pl.langevin.phase_counts(half).tolist() == [[2, 2]]
    pixels = [[0.5, 0.5], [0.25, 0.5], [0.4, 0.3], [0.3, 0.3], [-1, -2], [1, 1], [0.25, 0.25]]
    x = np.array(pixels).T.reshape(1, 2, 1, 7)
    # 1 − Σ m of each: 0, .25, .3, .4, 4, −1 and .5
    assert pl.langevin.phase_counts(x).tolist() == [[3, 1]]


def test_volume_fraction_term_by_hand():
    """Sixteen pixels, four above a half: α/(S σ²) (f − ¼) is added to each."""
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1] = 0.6
    wanted = x + 0.5 / (16 * 0.1**2) * (0.75 - 0.25)
    step(x, np.zeros_like(x), 0.5, seed=0, step=0, noise=0, volume_fraction=0.75, sigma_volume=0.1)
    np.testing.assert_allclose(x, wanted, rtol=1e-15)
    # Padding does not count, nor do uncertain pixels; without any certain one there is no term.
    y = np.full((1, 2, 6, 6), 5.0)
    y[:, :, 1:-1, 1:-1] = 0.1
    y[:, :, 1, 1:4], y[:, 1, 1, 4] = 0.6, 0.9
    shift = 0.5 / (16 * 0.1**2) * (np.array([0.5, 0.5]) - [0.75, 0.25])
    wanted = y[:, :, 1:-1, 1:-1] + shift[:, None, None]
    zero = np.zeros_like(y)
    options = {"seed": 0, "step": 0, "noise": 0, "sigma_volume": 0.1, "padding": 1}
    step(y, zero, 0.5, volume_fraction=[0.5, 0.5], **options)
    np.testing.assert_allclose(y[:, :, 1:-1, 1:-1], wanted, rtol=1e-15)
    y = np.full((1, 2, 6, 6), 0.1)
    counts = step(y, zero, 0.5, volume_fraction=[0.5, 0.5], **options)
    assert (y == 0.1).all()
    assert counts.tolist() == [[0, 0]]


def test_nan_stays():
    x, score = images(2, 1, (4, 5))
    x[0, 0, 1, 2] = score[1, 0, 3, 3] = np.nan
    step(x, score, 0.1, seed=0, step=0, clamp=1)
    assert np.isnan(x[0, 0, 1, 2])
    assert np.isnan(x[1, 0, 3, 3])
    assert np.isnan(x).sum() == 2


def test_empty_batch():
    x = np.zeros((0, 3, 4, 4), np.float32)
    counts = step(x, x.copy(), 0.1, seed=0, step=0)
    assert counts.shape == (0, 3)
    assert pl.langevin.phase_counts(x[:, :1]).shape == (0, 2)


def test_samples_a_normal_distribution():
    """Langevin dynamics with the score −(x − μ)/σ² tends to N(μ, σ²), up to its step."""
    x = np.zeros((1, 1, 200, 200))
    for k in range(60):
        step(x, -(x - 2) / 0.09, 0.01, seed=5, step=k)
    variance = 0.09 / (1 - 0.01 / 0.09 / 2)  # of the discrete chain
    assert abs(x.mean() - 2) < 4 * math.sqrt(variance / x.size)
    assert abs(x.var() / variance - 1) < 4 * math.sqrt(2 / x.size)


def test_volume_fraction_is_reached():
    """White noise of one half becomes a third, by the term alone."""
    x = normal((1, 64, 64), seed=1)[None] + 0.5
    for k in range(200):
        counts = step(
            x,
            np.zeros_like(x),
            0.1,
            seed=2,
            step=k,
            noise=0,
            volume_fraction=1 / 3,
            sigma_volume=0.02,
        )
    assert abs(counts[0, 1] / 4096 - 1 / 3) < 0.005


# Arguments ---------------------------------------------------------------------------------------

GOOD = {"x": None, "score": None, "step_size": 0.1, "seed": 0, "step": 0}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"x": np.zeros((1, 1, 4, 5)).tolist()}, "x is a list"),
        ({"x": np.zeros((4, 5))}, "x has shape"),
        ({"x": np.zeros((1, 0, 4, 5))}, "x has shape"),
        ({"x": np.zeros((1, 1, 4, 5), int)}, "x has dtype"),
        ({"x": np.zeros((1, 1, 4, 5), ">f4")}, "x has dtype"),
        ({"x": np.broadcast_to(np.zeros(5), (1, 1, 4, 5))}, "x is read-only"),
        (
            {"x": np.lib.stride_tricks.as_strided(np.zeros(9), (1, 1, 4, 5), (8,) * 4)},
            "x has strides",
        ),
        ({"x": np.zeros(161, np.uint8)[1:].view(float).reshape(1, 1, 4, 5)}, "x is not aligned"),
        ({"score": np.zeros((1, 1, 4, 4))}, "score has shape"),
        ({"score": np.zeros((1, 1, 4, 5), np.float32)}, "score has dtype"),
        ({"step_size": -0.1}, "step_size"),
        ({"step_size": np.nan}, "step_size"),
        ({"step_size": [0.1, 0.2]}, "step_size has shape"),
        ({"step_size": "0.1"}, "step_size"),
        ({"seed": -1}, "seed"),
        ({"step": 1.5}, "step"),
        ({"sample": [0, 1]}, "sample has shape"),
        ({"sample": 2**48}, "sample"),
        ({"volume_fraction": 0.5}, "sigma_volume is None"),
        ({"sigma_volume": 0.5}, "volume_fraction is None"),
        ({"volume_fraction": 1.5, "sigma_volume": 0.1}, "volume_fraction"),
        ({"volume_fraction": [0.5, 0.5], "sigma_volume": 0.1}, "volume_fraction has shape"),
        ({"volume_fraction": 0.5, "sigma_volume": 0}, "sigma_volume"),
        ({"padding": 2}, "padding is"),
        ({"padding": -1}, "padding"),
        ({"padding": (1, 1, 1)}, "padding has 3 entries"),
        ({"padding": 0.5}, "padding"),
        ({"clamp": 0}, "clamp"),
        ({"clamp": (1, 1)}, "clamp"),
        ({"clamp": np.nan}, "clamp"),
        ({"noise": -1}, "noise"),
        ({"noise": "1"}, "noise"),
        ({"threads": 0}, "threads"),
    ],
)
def test_arguments(change, name):
    arguments = GOOD | {"x": np.zeros((1, 1, 4, 5)), "score": np.zeros((1, 1, 4, 5))} | change
    before = np.array(arguments["x"])
    with pytest.raises((ValueError, TypeError), match=name):
        step(**arguments)
    np.testing.assert_array_equal(arguments["x"], before)
