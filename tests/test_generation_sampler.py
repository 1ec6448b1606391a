"""The samplers with scores whose distribution is known, so that theirs is known too."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.mean_field import annealed_fraction
from scipy.optimize import linear_sum_assignment

from pearlite.generation._fractions import (
    exact_labels,
    indicators,
    largest_labels,
    mean_shift,
    offsets,
    pixel_counts,
    settled,
    tilt,
)
from pearlite.generation._noise_levels import (
    annealed_levels,
    fast_levels,
    thinned,
    volume_deviations,
)
from pearlite.generation._sampler import Plan, _pull, annealed, fast

TRAINING = np.geomspace(20, 0.01, 1000)


def plan(levels, counts, **more):
    levels = np.asarray(levels, np.float64)
    size = int(np.sum(counts))
    options = {
        "conditioned": True,
        "seed": 5,
        "deviations": volume_deviations(levels, TRAINING, size),
        "renewal": 0.6,
        "threads": 1,
    }
    return Plan(levels, np.asarray(counts, np.int64), **(options | more))


# Numbers of pixels -------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.integers(1, 5000))
def test_counts_are_the_nearest_with_their_sum(shares, size):
    shares = np.array(shares) + 1e-3
    shares /= shares.sum()
    counts = pixel_counts(shares, size)
    assert counts.sum() == size
    assert np.abs(counts - shares * size).max() < 1 + 1e-6


@st.composite
def channels(draw):
    """Channels (C, 5, 7), also with many ties, and counts."""
    count = draw(st.sampled_from([1, 3, 4, 6]))
    values = np.random.default_rng(draw(st.integers(0, 999))).normal(size=(count, 5, 7))
    digits = draw(st.sampled_from([0, 1, 6]))
    shares = np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))) + 0.0
    shares = np.array([shares[0], 9 - shares[0]]) if count == 1 else shares + (shares.sum() == 0)
    return values.round(digits).astype(np.float32), pixel_counts(shares / shares.sum(), 35)


@given(channels())
def test_labels_have_their_counts_and_fit_best(case):
    values, counts = case
    labels = exact_labels(values, counts)
    assert np.bincount(labels.ravel(), minlength=len(counts)).tolist() == counts.tolist()
    flat = indicators(values).reshape(len(counts), -1)
    gain = flat[labels.ravel(), np.arange(35)].sum()
    # The same as an assignment of pixels to places, of which each phase has its number.
    places = np.repeat(np.arange(len(counts)), counts)
    rows, columns = linear_sum_assignment(-flat[places])
    best = -(-flat[places])[rows, columns].sum()
    assert gain == pytest.approx(best, abs=1e-4)


def test_offsets_give_each_phase_its_pixels():
    values = np.random.default_rng(1).normal(size=(4, 6000)).astype(np.float32)
    counts = np.array([600, 1500, 0, 3900])
    found = (values + offsets(values, counts)[:, None]).argmax(axis=0)
    assert np.bincount(found, minlength=4).tolist() == counts.tolist()


@pytest.mark.parametrize("count", [1, 3])
def test_tilted_odds_give_the_counts(count):
    rng = np.random.default_rng(2)
    values = rng.uniform(0.05, 0.95, (count, 40, 40))
    if count > 1:
        values /= values.sum(axis=0)
    values = values.astype(np.float32)
    counts = pixel_counts([0.42, 0.58] if count == 1 else [0.3, 0.36, 0.34], 1600)
    shift = tilt(values, counts)
    assert np.bincount(largest_labels(values + shift).ravel()).tolist() == counts.tolist()
    # Odds of two phases change by one factor in all pixels.
    before, after = indicators(values), indicators(values + shift)
    factors = (after[0] / after[-1]) / (before[0] / before[-1])
    np.testing.assert_allclose(factors, factors[0, 0], rtol=1e-4)
    if count > 1:
        np.testing.assert_allclose(after.sum(axis=0), 1, atol=1e-6)


def test_tilting_is_limited_and_leaves_what_is_sure():
    values = np.full((1, 20, 20), 1, np.float32)
    values[0, :4] = 0
    shift = tilt(values, np.array([300, 100]))  # 80 pixels are of phase 0
    odds = 0.01 / 0.99 * np.exp(4)  # e² for one phase and e⁻² for the other
    assert np.abs(shift).max() < odds / (1 + odds)
    assert largest_labels(values + shift).sum() == 320
    assert not np.isnan(tilt(values, np.array([0, 400]))).any()
    assert not np.isnan(tilt(np.stack([1 - values[0], values[0], 0 * values[0]]),
                             np.array([200, 0, 200]))).any()  # fmt: skip


def test_pixels_beside_a_phase_go_to_it_first():
    values = np.ones((1, 20, 20), np.float32)
    values[0, :, 8:10] = 0
    values += np.random.default_rng(1).normal(0, 0.01, values.shape).astype(np.float32)
    labels = exact_labels(settled(values), np.array([80, 320]))
    assert (labels[:, 7:11] == 0).all()


@pytest.mark.parametrize("count", [1, 3])
def test_grey_images_get_the_mean_that_the_fractions_are(count):
    values = np.random.default_rng(3).normal(0.35, 0.02, (count, 30, 20)).astype(np.float32)
    counts = pixel_counts([0.58, 0.42] if count == 1 else [0.3, 0.36, 0.34], 600)
    moved = values + mean_shift(values, counts).reshape(-1, 1, 1)
    expected = (counts / 600)[-count:]
    np.testing.assert_allclose(moved.mean(axis=(1, 2)), expected, atol=1e-6)
    assert np.abs(mean_shift(values + 2, counts)).max() == np.float32(0.3)


# Levels ------------------------------------------------------------------------------------------


def test_levels():
    training = np.geomspace(20, 0.01, 1000)
    levels = annealed_levels(training, 0.75)
    assert levels[0] >= 0.75 > levels[1]
    assert levels[-1] == pytest.approx(0.01)
    assert len(annealed_levels(training, None)) == 1000
    assert len(annealed_levels(training, 99)) == 1000
    few = thinned(levels, 40)
    assert len(few) == 40
    assert set(few) <= set(levels)
    assert (few[0], few[-1]) == (levels[0], levels[-1])
    assert len(thinned(levels, 9999)) == len(levels)
    assert fast_levels(0.75, 30)[0] == 0.75
    assert (np.diff(fast_levels(0.75, 30)) < 0).all()
    assert fast_levels(0.75, 1).tolist() == [0.75]
    sizes = volume_deviations(training, training, 65536)
    assert sizes[0] == pytest.approx(0.01, rel=1e-3)
    assert sizes[-1] == pytest.approx(1e-4, rel=1e-3)
    # A step corrects the same share of a deviation, α / (S σ_μ²), at any size.
    small = volume_deviations(training, training, 4096)
    np.testing.assert_allclose(4096 * small**2, 65536 * sizes**2)


# Gaussian images: every moment is known ----------------------------------------------------------

MEAN = 0.4


def spectrum(shape):
    """Variances of the modes of a Gaussian image, (n0, n1): pixels have the variance 0.03."""
    k0, k1 = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(n) for n in shape], indexing="ij")
    values = 1 / (0.2 + 4 - 2 * np.cos(k0) - 2 * np.cos(k1))
    return 0.03 * values / values.mean()


def gaussian_score(x, sigma):
    """−(C + σ²)⁻¹ (x − μ), by mode."""
    gain = 1 / (spectrum(x.shape[2:]) + sigma**2)
    return np.fft.ifft2(-gain * np.fft.fft2(x - MEAN)).real.astype(np.float32)


def powers(images):
    """Mean power (n0, n1) of the modes."""
    centred = images.astype(np.float64) - MEAN
    return (np.abs(np.fft.fft2(centred)) ** 2).mean(axis=(0, 1)) / centred[0, 0].size


def caught(monkeypatch):
    """Keep the continuous images at the end, which become labels."""
    from pearlite.generation import _sampler

    kept = []
    for name in ("largest_labels", "exact_labels", "_largest"):
        original = getattr(_sampler, name)

        def keep(channels, *rest, original=original):
            kept.append(channels.copy())
            return original(channels, *rest)

        monkeypatch.setattr(_sampler, name, keep)
    return kept


def compared(found, expected, samples):
    """Assert that powers (n0, n1) are those expected, to their standard errors over modes."""
    ratio = found / expected
    # A mode and its opposite are the same number; each is chi-squared with `samples` degrees.
    assert abs(ratio.mean() - 1) < 5 * np.sqrt(4 / (samples * ratio.size))
    # Rough and smooth modes separately: an error that depends on the mode shows.
    low = expected > np.median(expected)
    for part in (ratio[low], ratio[~low]):
        assert abs(part.mean() - 1) < 5 * np.sqrt(4 / (samples * part.size))


def test_annealed_has_the_variances_of_its_recursion(monkeypatch):
    kept = caught(monkeypatch)
    samples, shape = 40, (24, 20)
    levels = np.geomspace(0.4, 0.02, 60)
    start = np.full((samples, 1, *shape), MEAN, np.float32)
    annealed(start, plan(levels, [288, 192], conditioned=False), gaussian_score)
    variance = np.zeros(shape)
    for sigma in levels:
        alpha = 0.2 * sigma**2
        variance = (1 - alpha / (spectrum(shape) + sigma**2)) ** 2 * variance + 2 * alpha
    compared(powers(np.stack(kept)), variance, samples)
    many = np.geomspace(0.4, 0.02, 6000)  # slowly annealed it is the image's distribution
    for sigma in many:
        alpha = 0.2 * sigma**2
        variance = (1 - alpha / (spectrum(shape) + sigma**2)) ** 2 * variance + 2 * alpha
    assert np.abs(variance / spectrum(shape) - 1).max() < 0.12


@pytest.mark.parametrize("renewal", [0.0, 0.4, 1.0])
def test_fast_has_the_variances_of_its_recursion(renewal, monkeypatch):
    kept = caught(monkeypatch)
    samples, shape = 40, (24, 20)
    levels = np.geomspace(0.4, 0.02, 12)
    start = np.full((samples, 1, *shape), MEAN, np.float32)
    fast(start, plan(levels, [288, 192], conditioned=False, renewal=renewal), gaussian_score)
    rho = 1 - renewal
    variance = np.full(shape, levels[0] ** 2)
    for sigma, after in itertools.pairwise(levels):
        gain = spectrum(shape) / (spectrum(shape) + sigma**2)  # D − μ = gain (x − μ)
        factor = gain + rho * after / sigma * (1 - gain)
        variance = factor**2 * variance + after**2 * (1 - rho**2)
    gain = spectrum(shape) / (spectrum(shape) + levels[-1] ** 2)
    compared(powers(np.stack(kept)), gain**2 * variance, samples)


def test_above_the_grey_level_no_more_noise_is_drawn_than_levels_ask_for():
    """There ρ = σ'/σ whatever the renewal is, and the condition is on the mean."""
    start = np.full((2, 1, 24, 20), MEAN, np.float32)
    levels = np.geomspace(8, 1.5, 6)
    made = [
        fast(start, plan(levels, [288, 192], renewal=renewal), gaussian_score)
        for renewal in (0.1, 0.9)
    ]
    assert np.array_equal(made[0].labels, made[1].labels)
    lower = [
        fast(start, plan(levels / 8, [288, 192], renewal=renewal), gaussian_score)
        for renewal in (0.1, 0.9)
    ]
    assert not np.array_equal(lower[0].labels, lower[1].labels)


# Independent pixels of two and three phases ------------------------------------------------------


def phase_score(shares):
    """The score of independent pixels that are in each phase with a given probability."""

    def score(x, sigma):
        if len(shares) == 2:
            states, values = np.array([[0.0], [1.0]]), x.astype(np.float64)
        else:
            states, values = np.eye(len(shares)), x.astype(np.float64)
        # log p(state | x), (states, B, 1, n0, n1)
        away = values[None] - states[:, None, :, None, None]
        logs = np.log(shares)[:, None, None, None] - (away**2).sum(axis=2) / (2 * sigma**2)
        weights = np.exp(logs - logs.max(axis=0))
        weights /= weights.sum(axis=0)
        denoised = np.einsum("sbij,sc->bcij", weights, states)
        return ((denoised - values) / sigma**2).astype(np.float32)

    return score


@pytest.mark.parametrize("shares", [(0.7, 0.3), (0.5, 0.2, 0.3)])
def test_fast_draws_phases_as_often_as_they_are(shares):
    shape = (64, 60)
    inputs = 1 if len(shares) == 2 else len(shares)
    start = np.full((4, inputs, *shape), 1 / len(shares), np.float32)
    counts = pixel_counts(shares, 64 * 60)
    # From much noise on: nothing is left of the start.
    free = plan(np.geomspace(5, 0.05, 120), counts, conditioned=False, renewal=0.1)
    labels = fast(start, free, phase_score(np.array(shares))).labels
    found = np.bincount(labels.ravel(), minlength=len(shares)) / labels.size
    errors = np.sqrt(np.array(shares) * (1 - np.array(shares)) / labels.size)
    assert np.all(np.abs(found - shares) < 6 * errors)
    neighbours = (labels[:, :, 1:] == labels[:, :, :-1]).mean()
    assert neighbours == pytest.approx(sum(s**2 for s in shares), abs=0.02)


@pytest.mark.parametrize(
    ("shares", "wanted"),
    [((0.7, 0.3), (0.6, 0.4)), ((0.5, 0.2, 0.3), (0.45, 0.3, 0.25))],
)
def test_fast_has_the_counts_asked_for(shares, wanted):
    counts = pixel_counts(wanted, 32 * 33)
    inputs = 1 if len(shares) == 2 else len(shares)
    start = np.full((2, inputs, 32, 33), 1 / len(shares), np.float32)
    made = fast(start, plan(fast_levels(0.75, 30), counts), phase_score(np.array(shares)))
    for image in made.labels:
        assert np.bincount(image.ravel(), minlength=len(shares)).tolist() == counts.tolist()
    assert made.deviation.shape == (30, 2)


@pytest.mark.parametrize(
    ("size", "images", "conditioned"), [(32, 24, True), (64, 8, True), (32, 8, False)]
)
def test_annealed_fractions_are_those_of_infinitely_many_pixels(size, images, conditioned):
    """The term corrects the same share of a deviation at any size, the one that it should.

    The score's own fraction is .1, and .37 with the term. Four standard errors, by the scatter of
    the images, are .004 then: as much as a factor of the term makes that is 15 % off.
    """
    levels = TRAINING[(TRAINING < 0.5) & (TRAINING > 0.05)]
    problem = plan(levels, pixel_counts([0.6, 0.4], size * size), conditioned=conditioned)
    start = np.zeros((images, 1, size, size), np.float32)
    made = annealed(start, problem, phase_score(np.array([0.9, 0.1])))
    found = made.labels.mean(axis=(1, 2))
    wanted = problem.fractions[1] if conditioned else None
    expected = annealed_fraction(levels, problem.deviations, size * size, 0.1, wanted)
    error = found.std(ddof=1) / np.sqrt(images)
    # Without the term pixels are independent; what it does can but narrow fractions.
    assert error < 1.5 * np.sqrt(0.25 / (images * size * size))
    assert abs(found.mean() - expected) < 4 * error
    np.testing.assert_allclose(made.deviation[-1], np.abs(found - 0.4), atol=1e-3)


def test_the_term_of_the_fractions_is_equation_12():
    """−(m − v) / (S σ_μ²), of two phases for phase 1; uncertain pixels do not count."""
    problem = plan([0.5, 0.4], [50, 30, 20], deviations=np.array([0.1, 0.001]))
    found = _pull(np.array([[40, 30, 10], [100, 0, 0], [0, 0, 0]]), problem, 0, 1e-3)
    shares = np.array([[0.5, 0.375, 0.125], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(found, ([0.5, 0.3, 0.2] - shares) / (100 * 0.1**2), rtol=1e-6)
    two = plan([0.5, 0.4], [60, 40], deviations=np.array([0.1, 0.001]))
    np.testing.assert_allclose(_pull(np.array([[70, 30]]), two, 0, 1e-3), [[0.1]], rtol=1e-6)
    # No step α corrects more than the deviation itself: S σ_μ² is α at least.
    np.testing.assert_allclose(_pull(np.array([[70, 30]]), two, 1, 0.02), [[5.0]], rtol=1e-6)


# Batches --------------------------------------------------------------------------------


def blurred_score(x, sigma):
    """A score that looks at neighbours, 3 × 3 pixels, beyond the border of which is nothing."""
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    mean = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / np.float32(9)
    return (np.clip(4 * mean - np.float32(1.5), 0, 1) - x) / np.float32(sigma**2)


def wrapped_score(x, sigma):
    """The same on a torus."""
    big = np.pad(x, [(0, 0), (0, 0), (2, 2), (2, 2)], "wrap")
    return blurred_score(big, sigma)[..., 2:-2, 2:-2]


@pytest.mark.parametrize("sampler", [annealed, fast])
def test_a_sample_does_not_depend_on_its_batch(sampler):
    start = np.random.default_rng(4).random((3, 1, 16, 20)).astype(np.float32)
    problem = plan(np.geomspace(0.7, 0.05, 12), [200, 120])
    together = sampler(start, problem, wrapped_score, sample=7)
    for k in range(3):
        alone = sampler(start[k : k + 1], problem, wrapped_score, sample=7 + k)
        assert np.array_equal(alone.labels[0], together.labels[k])
    assert not np.array_equal(together.labels[0], together.labels[1])
    other = sampler(start, plan(problem.levels, [200, 120], seed=6), wrapped_score, sample=7)
    assert not np.array_equal(other.labels, together.labels)


@pytest.mark.parametrize("sampler", [annealed, fast])
def test_ticks_and_the_start_are_left_alone(sampler):
    start = np.random.default_rng(4).random((2, 1, 8, 8)).astype(np.float32)
    before, ticks = start.copy(), []
    sampler(start, plan(np.geomspace(0.7, 0.05, 5), [40, 24]), wrapped_score, tick=ticks.append)
    assert ticks == [2] * 5
    assert np.array_equal(start, before)
