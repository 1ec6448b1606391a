"""The sampler's kernels and statistics against plain loops, sorts and direct sums."""

import numpy as np
import pytest
from reference import sample as plain

from pearlite import _core
from pearlite.reconstruction import _sample_levels as levels
from pearlite.reconstruction import _sample_references as references
from pearlite.reconstruction import _sample_rounding as rounding
from pearlite.reconstruction import _sample_statistics as statistics


def filters_of(rng, steps, count, components, side):
    q = np.linalg.qr(rng.standard_normal((steps, components * side * side, count)))[0]
    weights = q.transpose(0, 2, 1).reshape(steps, count, components, side, side)
    return np.ascontiguousarray(weights, np.float32)


def descend(field, exemplars, weights, axes, rate=1.0, momentum=0.0, threads=1):
    field = field.copy()
    errors = _core.descend_sliced(
        field, np.zeros_like(field), exemplars, axes, weights, rate, momentum, threads
    )
    return field, errors


@pytest.mark.parametrize(("components", "filters"), [(1, 1), (1, 8), (2, 3), (3, 11)])
def test_a_step_is_monotone_transport_of_patches(components, filters):
    rng = np.random.default_rng(components)
    field = rng.uniform(0.3, 0.6, (components, 1, 19, 23)).astype(np.float32)
    exemplar = rng.uniform(0.4, 0.8, (components, 61, 57)).astype(np.float32)
    weights = filters_of(rng, 1, filters, components, 3)
    moved, _ = descend(field, [[exemplar], [], []], weights, [0], rate=0.05)
    found = (moved - field)[:, 0] / 0.05
    change = plain.sliced_step(field[:, 0], exemplar, weights[0], plain.binned_transport)
    assert np.abs(found - change).max() < 1e-3 * np.abs(change).max()
    # Bins differ from ranks within a bin's width, and where a value is one of the few extreme ones.
    exact = plain.sliced_step(field[:, 0], exemplar, weights[0], plain.transport)
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.03 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_planes_of_a_solid_are_images(axis):
    rng = np.random.default_rng(axis)
    plane = rng.uniform(0.2, 0.7, (1, 1, 18, 20)).astype(np.float32)
    exemplar = rng.uniform(0.4, 0.8, (1, 30, 25)).astype(np.float32)
    weights = filters_of(rng, 4, 4, 1, 5)
    flat, errors = descend(plane, [[exemplar], [], []], weights, [0] * 4)
    # Each plane normal to the axis is the same image, so that their distribution is too.
    solid = np.ascontiguousarray(np.repeat(plane[:, 0], 9, 0)[None].swapaxes(1, 1))
    solid = np.ascontiguousarray(np.moveaxis(solid, 1, 1 + axis))
    images = [[], [], []]
    images[axis] = [exemplar]
    found, solid_errors = descend(solid, images, weights, [axis] * 4)
    assert np.allclose(np.moveaxis(found, 1 + axis, 1), flat, atol=2e-5)
    assert np.allclose(solid_errors, errors, rtol=1e-4)


def test_threads_change_nothing():
    rng = np.random.default_rng(1)
    field = rng.random((2, 1, 130, 140), np.float32)
    exemplar = rng.random((2, 90, 80), np.float32) ** 2
    weights = filters_of(rng, 3, 8, 2, 7)
    runs = [
        descend(field, [[exemplar], [], []], weights, [0] * 3, 1.5, 0.5, threads)
        for threads in (1, 2, 5)
    ]
    for moved, errors in runs[1:]:
        assert np.array_equal(moved, runs[0][0])
        assert np.array_equal(errors, runs[0][1])


def test_descent_brings_distributions_together():
    rng = np.random.default_rng(2)
    field = rng.random((1, 1, 64, 64), np.float32)
    exemplar = np.kron(rng.integers(2, size=(16, 16)), np.ones((4, 4)))[None].astype(np.float32)
    _, errors = descend(
        field, [[exemplar], [], []], filters_of(rng, 60, 8, 1, 7), [0] * 60, 1.5, 0.5
    )
    assert errors[-5:].mean() < errors[0] / 50


def swap(labels, phases, seed=0, proposals=3000, temperature=0.0, scale=1.0):
    """Exchanges towards random targets; -> labels, outcome, and what it was told."""
    rng = np.random.default_rng(seed)
    bins = 12
    offsets = np.zeros((2, 3, 3), np.int32)
    offsets[0, :, 1:] = [(0, 0), (0, 1), (-1, 0)]
    offsets[1, :, 2] = [-3, 0, 2]
    chords = rng.uniform(0, 40, (3 * phases, bins)).astype(np.float32)
    patterns = rng.uniform(0, 60, (2, phases**3)).astype(np.float32)
    weights = [rng.uniform(0, scale, t.shape).astype(np.float32) for t in (chords, patterns)]
    gradient = rng.standard_normal((phases, *labels.shape)).astype(np.float32)
    made = labels.copy()
    outcome = _core.swap_labels(
        made, gradient, chords, weights[0], patterns, weights[1], offsets, proposals, 1e30,
        temperature, seed, 0,
    )  # fmt: skip
    return made, outcome, (chords, patterns, weights, gradient, offsets)


def energies(labels, phases, told):
    """The energies of chords, of patterns and of the gradient by direct counts."""
    chords, patterns, weights, gradient, offsets = told
    found = np.zeros(chords.shape)
    for axis in range(3):
        if labels.shape[axis] == 1:
            continue
        for line in np.moveaxis(labels, axis, -1).reshape(-1, labels.shape[axis]):
            found[axis * phases : (axis + 1) * phases] += plain.chord_counts(
                line, phases, chords.shape[1]
            )
    codes = np.stack([plain.pattern_counts(labels, o, phases) for o in offsets])
    pull = sum(float(gradient[p][labels == p].sum(dtype=float)) for p in range(phases))
    return (
        float((weights[0] * (found - chords) ** 2).sum()),
        float((weights[1] * (codes - patterns) ** 2).sum()),
        pull,
    )


@pytest.mark.parametrize("temperature", [0.0, 50.0])
@pytest.mark.parametrize(
    ("shape", "phases"), [((1, 13, 17), 2), ((1, 9, 12), 3), ((5, 6, 7), 2), ((1, 7, 3), 4)]
)
def test_increments_add_up_to_direct_counts(shape, phases, temperature):
    labels = np.random.default_rng(7).integers(phases, size=shape, dtype=np.uint8)
    made, (accepted, change, chords, patterns), told = swap(
        labels, phases, seed=3, temperature=temperature
    )
    before, after = energies(labels, phases, told), energies(made, phases, told)
    assert accepted > 0
    assert np.array_equal(np.bincount(made.ravel()), np.bincount(labels.ravel()))
    assert chords == pytest.approx(after[0], rel=1e-5)
    assert patterns == pytest.approx(after[1], rel=1e-5)
    assert change == pytest.approx(after[2] - before[2], abs=1e-3)
    if temperature == 0:
        assert sum(after) < sum(before)


def test_a_round_ends_once_the_gradient_has_been_followed_far_enough():
    labels = np.random.default_rng(0).integers(2, size=(1, 40, 40), dtype=np.uint8)
    gradient = np.zeros((2, 1, 40, 40), np.float32)
    gradient[1, 0, :20] = 1.0
    nothing = np.zeros((6, 5), np.float32), np.zeros((1, 2), np.float32)
    offsets = np.zeros((1, 1, 3), np.int32)
    _, change, _, _ = _core.swap_labels(
        labels, gradient, nothing[0], nothing[0], nothing[1], nothing[1], offsets, 10**6, 30.0,
        0.0, 1, 0,
    )  # fmt: skip
    assert change == -30.0


def test_vertices_of_phases_are_a_unit_apart():
    for phases in (2, 3, 4, 7):
        corners = levels.vertices(phases)
        distance = np.linalg.norm(corners[:, None] - corners, axis=-1)
        assert np.allclose(distance, 1 - np.eye(phases))
        assert corners.min() >= 0
        assert corners.max() <= 1


def test_rounding_inverts_embedding_and_meets_any_counts():
    labels = np.random.default_rng(0).integers(4, size=(20, 30), dtype=np.uint8)
    field = levels.embedded(labels, 4)
    assert np.array_equal(rounding.rounded(field, np.bincount(labels.ravel())), labels)
    wanted = np.array([0, 599, 1, 0])
    assert np.array_equal(np.bincount(rounding.rounded(field, wanted).ravel(), minlength=4), wanted)


def test_counts_sum_up():
    assert rounding.counts(np.array([0.3, 0.3, 0.4]), 11).tolist() == [3, 3, 5]
    assert rounding.counts(np.array([1 / 3, 2 / 3]), 100).tolist() == [33, 67]


def test_resizing_keeps_constants_and_waves():
    x = (np.arange(24) + 0.5) / 24
    wave = (0.5 + 0.4 * np.sin(2 * np.pi * x))[None, :, None] * np.ones((1, 24, 8))
    finer = levels.resized(wave.astype(np.float32), (47, 8))
    y = (np.arange(47) + 0.5) / 47
    assert np.abs(finer[0, :, 0] - (0.5 + 0.4 * np.sin(2 * np.pi * y))).max() < 1e-3
    assert np.allclose(levels.resized(np.full((1, 6, 7), 0.3, np.float32), (11, 5)), 0.3)


def test_pooling_averages_blocks():
    field = np.arange(30, dtype=np.float32).reshape(1, 5, 6)
    assert levels.pooled(field).tolist() == [[[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]]


def test_covariances_are_direct_sums_within_images():
    image = np.random.default_rng(3).integers(3, size=(18, 21), dtype=np.uint8)
    given = references.check([image], None)
    found = statistics.wanted(given)
    for shift in ((0, 0), (1, 0), (-2, 3), (4, -4)):
        for phase in range(3):
            value = found.statistics.covariance[(phase, *np.add(shift, found.radius))]
            assert value == pytest.approx(plain.covariance(image, phase, shift), abs=1e-12)


def test_covariances_of_sections_lie_in_their_planes():
    images = [np.random.default_rng(k).integers(2, size=(16, 16), dtype=np.uint8) for k in range(3)]
    found = statistics.wanted(references.check(dict(enumerate(images)), (16, 16, 16)))
    r = found.radius
    assert not found.known[r + 1, r + 1, r + 1]
    value = found.statistics.covariance[1, r + 2, r, r - 1]  # axes 0 and 2: normal to axis 1
    mean = found.statistics.fractions[1] ** 2 - np.mean(images[1]) ** 2
    assert value + mean == pytest.approx(plain.covariance(images[1], 1, (2, -1)), abs=1e-12)


def test_chords_of_a_sample_are_those_that_loops_find():
    labels = np.random.default_rng(5).integers(3, size=(9, 14), dtype=np.uint8)
    labels[2] = 1  # a closed line
    found = statistics.chords_around(labels, 3)
    for axis in range(2):
        lines = np.moveaxis(labels, axis, -1)
        assert np.array_equal(found[axis], sum(plain.chord_counts(line, 3, 257) for line in lines))


def test_chords_that_a_window_cuts_are_made_up_for():
    # Of a long periodic line, windows see long chords as a whole less often: the weights undo it.
    line = np.repeat(np.arange(400) % 2, np.random.default_rng(1).integers(1, 30, 400))
    line = line.astype(np.uint8)
    n = 40
    windows = np.lib.stride_tricks.sliding_window_view(np.r_[line, line[: n - 1]], n)
    found = statistics.chords_within(np.ascontiguousarray(windows), 2)[1]
    assert np.allclose(found, plain.chord_counts(line, 2, 257))


def test_patterns_within_an_image():
    image = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
    pair = np.array([[0, 0], [0, 1]], np.int32)
    # (0,1), (1,1), (0,0), (0,1) as codes 2, 3, 0, 2
    assert statistics._codes(image, pair, 2).tolist() == [2, 3, 0, 2]


def test_large_numbers_of_phases_have_smaller_patterns():
    for phases in (2, 3, 5, 9, 40):
        offsets = statistics.pattern_offsets(phases, 2, 8)
        assert phases ** offsets.shape[1] <= 2**16
        assert len(offsets) == 3
    assert len(statistics.pattern_offsets(2, 3, 8)) == 6
