"""Patches that do not leak, and batches that depend on the step alone."""

from dataclasses import replace

import numpy as np
import pytest

from pearlite import microstructures
from pearlite.generation import Schedule
from pearlite.generation import _patches as patches
from pearlite.generation._batches import Batches

TINY = Schedule(
    iterations=30, batch=6, patch=8, patches=40, channels=6, levels=1, sigma_max=5.0, ema=0.9
)


@pytest.fixture(scope="module")
def image():
    return microstructures.discs(1, (40, 48), number=8, fraction=0.38, seed=1)[0]


@pytest.mark.parametrize("shape", [(40, 48), (48, 40), (17, 16), (256, 256)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_split_does_not_leak(shape, seed):
    """No pixel that is seen in training is in a patch of the validation."""
    patch = 8
    split = patches.split_regions(shape, patch, 0.15, seed)
    seen = {}
    for part in ("training", "validation"):
        seen[part] = np.zeros((2, *shape), np.int64)
        corners = split.corners(part, 300, 2, shape, patch, seed)
        assert corners.min() >= 0
        for image, i, j in corners:
            window = seen[part][image, i : i + patch, j : j + patch]
            assert window.shape == (patch, patch)
            window += 1
    assert not np.any((seen["training"] > 0) & (seen["validation"] > 0))
    assert min(seen["training"].max(), seen["validation"].max()) > 0
    # Validation has its share, or room for a patch; training has the rest.
    long = max(shape)
    bands = sorted([split.training, split.validation])
    assert (bands[0][0], bands[0][1], bands[1][1]) == (0, bands[1][0], long)
    assert np.ptp(split.validation) == max(patch, np.ceil(0.15 * long))


def test_both_ends_are_kept_for_validation_at_times():
    found = {patches.split_regions((40, 40), 8, 0.15, seed).validation for seed in range(8)}
    assert found == {(0, 8), (32, 40)}


def test_corners_are_a_latin_hypercube():
    split = patches.split_regions((100, 60), 10, 0.15, 0)
    corners = split.corners("training", 340, 4, (100, 60), 10, seed=3)
    low, high = split.training
    for column, (first, places) in zip(
        corners.T, [(0, 4), (low, high - low - 9), (0, 51)], strict=True
    ):
        counts = np.bincount(column - first, minlength=places)
        # Strata of width 1/340 leave each place its share, but for those on its two borders.
        assert np.abs(counts - 340 / places).max() < 2


def test_patches_are_cut_from_their_corners():
    images = np.arange(2 * 20 * 30, dtype=np.uint8).reshape(2, 20, 30)
    corners = np.array([[1, 3, 5], [0, 12, 22]])
    cut = patches.cut(images, corners, 8)
    assert np.array_equal(cut[0], images[1, 3:11, 5:13])
    assert np.array_equal(cut[1], images[0, 12:20, 22:30])


def test_indicators():
    labels = np.array([[[0, 1], [2, 1]]], np.uint8)
    assert np.array_equal(patches.indicators(labels % 2, 2), (labels % 2)[:, None])
    found = patches.indicators(labels, 3)
    assert found.shape == (1, 3, 2, 2)
    assert np.array_equal(found.argmax(axis=1), labels)
    assert np.array_equal(found.sum(axis=1), np.ones((1, 2, 2)))


def test_what_may_be_done_to_a_patch():
    patch = np.arange(9, dtype=np.uint8).reshape(3, 3)
    found = patches.turned(np.stack([patch] * 8), np.arange(8))
    quarter_turns = [np.rot90(x, k) for x in (patch, patch.T) for k in range(4)]
    assert {x.tobytes() for x in found} == {x.tobytes() for x in quarter_turns}
    assert np.array_equal(found[0], patch)
    assert np.array_equal(found[3], np.rot90(patch, 2))
    assert [x.tolist() for x in found[:3]] == [
        x.tolist() for x in (patch, patch[::-1], patch[:, ::-1])
    ]


@pytest.mark.parametrize(("symmetry", "order"), [("none", 1), ("half-turn", 2), ("square", 8)])
def test_patches_are_turned_at_random(symmetry, order):
    image = np.random.default_rng(8).integers(0, 2, (40, 48), np.uint8)
    schedule = replace(TINY, batch=400, patches=5, symmetry=symmetry, dequantization=0.0)
    batches = Batches(image[None], schedule, seed=2)
    batch = batches.draw(3)
    clean = np.round(batch.noisy - batch.sigma[:, None, None, None] * batch.noise) + 0.0
    allowed = {
        turn(x).tobytes()
        for x in batches.training.astype(np.float32)
        for turn in (lambda x, k=k, f=f: np.ascontiguousarray(np.rot90(f(x), k))
                     for k in {1: [0], 2: [0, 2], 8: range(4)}[order]
                     for f in ([np.array, np.transpose] if order == 8 else [np.array]))
    }  # fmt: skip
    assert len(allowed) == 5 * order  # patches without a symmetry of their own
    assert {x.tobytes() for x in clean} == allowed
    assert np.array_equal(batch.noisy, Batches(image[None], schedule, seed=2).draw(3).noisy)


def test_every_patch_comes_once_an_epoch(image):
    batches = Batches(image[None], replace(TINY, batch=10), seed=4)
    order = [batches._order(0), batches._order(1)]
    assert all(np.array_equal(np.sort(o), np.arange(40)) for o in order)
    assert not np.array_equal(*order)


def test_noise_of_batches(image):
    schedule = replace(TINY, batch=4000, patches=4000, dequantization=0.005)
    batch = Batches(image[None], schedule, seed=4).draw(0)
    clean = batch.noisy - batch.sigma[:, None, None, None] * batch.noise
    off = clean - np.round(clean)
    large = batch.sigma > 1  # whose rounding hides the rest
    assert np.abs(off[~large]).max() < 0.00501
    assert off[~large].std() == pytest.approx(0.01 / np.sqrt(12), rel=0.02)
    assert batch.noise.std() == pytest.approx(1, rel=0.01)
    # One level in each of 4000 strata: geometric from 5 to .01.
    places = np.sort(np.log(5 / batch.sigma) / np.log(500))
    assert places == pytest.approx((np.arange(4000) + 0.5) / 4000, abs=1.1e-3)


def test_batches_depend_on_the_step_alone(image):
    first, second = (Batches(image[None], TINY, seed=4) for _ in range(2))
    later = [first.draw(k) for k in range(12)][11]
    again = second.draw(11)
    assert np.array_equal(later.noisy, again.noisy)
    assert not np.array_equal(later.noise, second.draw(10).noise)
    assert not np.array_equal(later.noise, Batches(image[None], TINY, seed=5).draw(11).noise)
