"""Acceptance: what is the same is accepted, and what is not is told apart."""

import numpy as np
import pytest

from pearlite import microstructures
from pearlite.generation import Model, accept
from pearlite.generation import _acceptance as acceptance
from pearlite.generation import _patches as patches

IMAGES = microstructures.discs(4, (96, 96), number=25, fraction=0.38, seed=1)


def cuts(images, count=100, seed=0):
    split = patches.split_regions(images.shape[1:], 24, 0.15, 0)
    corners = split.corners("training", 3 * count, len(images), images.shape[1:], 24, seed)
    found = patches.cut(images, corners, 24)
    return found[::3], found[1::3], found[2::3]


def test_patches_of_the_same_images_are_accepted():
    found = acceptance.compare(*cuts(IMAGES), 2)
    assert found.accepted
    assert found.count == 100
    assert found.fractions.sum() == pytest.approx(1)
    assert found.fractions_reference[1] == pytest.approx(0.38, abs=0.02)
    assert found.components.shape == found.components_natural.shape == (5,)


def test_equal_patches_do_not_differ():
    samples, _, other = cuts(IMAGES)
    found = acceptance.compare(samples, samples, other, 2)
    assert np.array_equal(found.chords_variation, [0, 0])
    assert np.array_equal(found.components, np.zeros(5))
    assert np.array_equal(found.fractions, found.fractions_reference)


@pytest.mark.parametrize(
    "images",
    [
        microstructures.thresholded_noise(4, (96, 96), length=3, fractions=(0.62, 0.38), seed=1),
        microstructures.discs(4, (96, 96), number=25, fraction=0.32, seed=1),
        microstructures.discs(4, (96, 96), number=9, fraction=0.38, seed=1),
    ],
    ids=["no discs", "another fraction", "larger discs"],
)
def test_others_are_not(images):
    _, known, other = cuts(IMAGES)
    assert not acceptance.compare(cuts(images)[0], known, other, 2).accepted


def test_chords_by_hand():
    known = np.tile(np.array([0, 1, 1, 0, 0, 1, 0, 0], np.uint8), (6, 8, 1))
    known[3:] = known[3:, ::-1, ::-1]  # the same chords
    samples = np.tile(np.array([0, 1, 1, 0, 0, 1, 1, 0], np.uint8), (6, 8, 1))
    samples[3:, :, 1:3] = [1, 0]
    found = acceptance.compare(samples, known, known, 2)
    # Of phase 1: 8 rows of 3 images with chords 2, 2 and as many with 1, 2; and 1, 2 in all.
    assert found.chords[1] == pytest.approx(7 / 4)
    assert found.chords_reference[1] == pytest.approx(3 / 2)
    assert found.chords_variation[1] == pytest.approx(1 / 4)
    # Of phase 0, the border's cut: 8 rows of 3 images with chords 2 and as many with 3; 2 in all.
    assert found.chords[0] == pytest.approx(5 / 2)
    assert found.chords_variation[0] == pytest.approx(1 / 2)


def test_distance_of_distributions():
    first, second = np.array([[0.0], [1], [2], [3]]), np.array([[0.5], [1.5], [9], [9]])
    assert acceptance._kolmogorov_smirnov(first, second) == pytest.approx([0.5])


def test_sampling_of_a_known_distribution():
    """A score whose images are all one: samples are that image, whatever the levels."""
    model = Model.random(phases=2, channels=2, levels=1)
    image = IMAGES[:1, None, :24, :24].astype(np.float32)

    def score(x, sigma):
        return (image - x) / np.float32(sigma**2)

    found = acceptance.sample_unconditionally(
        model, (3, 1, 24, 24), score, mean=np.zeros(1, np.float32), evaluations=9, seed=1
    )
    assert found == pytest.approx(np.repeat(image, 3, axis=0), abs=1e-4)
    assert np.array_equal(acceptance.segment(found), np.repeat(image[:, 0], 3, axis=0))


def test_sampling_keeps_the_variance():
    """Of independent normal pixels the score is known; samples have their mean and deviation."""
    model = Model.random(phases=3, channels=2, levels=1)

    def score(x, sigma):
        return (np.float32(0.4) - x) / np.float32(0.5**2 + sigma**2)

    found = acceptance.sample_unconditionally(
        model, (20, 3, 24, 24), score, mean=np.full(3, 0.4, np.float32), evaluations=100, seed=1
    )
    assert found.mean() == pytest.approx(0.4, abs=0.01)
    # Each step is exact if the image is known; the rest falls with their number.
    assert found.std() == pytest.approx(0.5, rel=0.05)


def test_tiles():
    images = np.arange(2 * 36, dtype=np.uint8).reshape(2, 6, 6)
    found = acceptance.tiles(images, 3)
    assert found.shape == (8, 3, 3)
    assert np.array_equal(found[0], images[0, :3, :3])
    assert np.array_equal(found[1], images[0, :3, 3:])
    assert np.array_equal(found[6], images[1, 3:, :3])


def test_an_untrained_network_is_not_accepted():
    model = Model.random(phases=2, channels=4, levels=1, patch=16)
    found = accept(model, IMAGES, count=8, evaluations=10, threads=1)
    assert not found.accepted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": microstructures.voronoi(1, (96, 96), sites=9, phases=3, seed=1)[0]},
         "reference has 3 phases; expected the model's 2"),
        ({"reference": np.eye(20, dtype=int)}, "reference has images of 20 x 20 pixels"),
        ({"count": 3}, "count is 3; expected an integer >= 4"),
        ({"domain": 0}, "domain is 0"),
        ({"evaluations": 1}, "evaluations is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
    ],
)  # fmt: skip
def test_wrong_arguments(changes, message):
    model = Model.random(phases=2, channels=4, levels=1, patch=16)
    with pytest.raises(ValueError, match=message):
        accept(**{"model": model, "reference": IMAGES, **changes})
