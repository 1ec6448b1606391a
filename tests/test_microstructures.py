"""Exact properties of the model microstructures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pearlite import microstructures as ms

MODELS = {
    "voronoi": lambda count, **kw: ms.voronoi(count, (12, 17), sites=9, phases=4, **kw),
    "discs": lambda count, **kw: ms.discs(count, (24, 17), number=3, fraction=0.2, **kw),
    "overlapping": lambda count, **kw: ms.discs(
        count, (24, 17), number=8, fraction=0.6, overlap=True, **kw
    ),
    "spheres": lambda count, **kw: ms.spheres(count, (12, 17, 12), number=3, fraction=0.1, **kw),
    "level set": lambda count, **kw: ms.level_set(
        count, (12, 17), correlation=2, fractions=(0.2, 0.3, 0.5), **kw
    ),
    "noise": lambda count, **kw: ms.thresholded_noise(
        count, (12, 17), length=2, fractions=(0.2, 0.3, 0.5), **kw
    ),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request):
    return request.param


def test_a_seed_gives_the_same_images_and_another_others(model):
    first = model(6, seed=7)
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous
    np.testing.assert_array_equal(first, model(6, seed=7))
    assert np.any(first != model(6, seed=8))
    assert len(np.unique(first, axis=0)) == 6


def test_an_image_does_not_depend_on_its_batch(model):
    batch = model(6, seed=7)
    np.testing.assert_array_equal(batch[:2], model(2, seed=7))
    np.testing.assert_array_equal(batch[3:], model(3, seed=7, sample=3))


def test_models_of_one_seed_are_independent():
    """The same uniform numbers behind two models would make their images alike."""
    sites = ms.voronoi(200, (8, 8), sites=1, phases=256, seed=3)[:, 0, 0]
    noise = ms.thresholded_noise(200, (8, 8), length=0, seed=3)[:, 0, 0]
    assert abs(np.corrcoef(sites, noise)[0, 1]) < 0.3


@pytest.mark.parametrize("length", [0, 0.5, 4, 100])
@pytest.mark.parametrize("shape", [(16, 16), (7, 11), (6, 5, 4)])
def test_noise_meets_its_fractions_in_every_image(length, shape):
    fractions = (0.125, 0.25, 0.625)
    labels = ms.thresholded_noise(4, shape, length=length, fractions=fractions, seed=1)
    size = np.prod(shape)
    expected = np.diff(np.rint(np.cumsum(fractions) * size), prepend=0)
    for image in labels:
        np.testing.assert_array_equal(np.bincount(image.ravel(), minlength=3), expected)


@pytest.mark.parametrize("fractions", [(1,), (1e-9, 1 - 1e-9), (1 - 1e-9, 1e-9)])
def test_noise_of_one_phase(fractions):
    labels = ms.thresholded_noise(2, (5, 6), length=1, fractions=fractions, seed=1)
    assert len(np.unique(labels)) == 1


def test_smoother_noise_has_fewer_interfaces():
    def interfaces(length):
        image = ms.thresholded_noise(3, (64, 64), length=length, seed=1)
        return np.count_nonzero(image != np.roll(image, 1, axis=-1))

    assert interfaces(0) > 2 * interfaces(1) > 4 * interfaces(4)


RHO = {
    "gaussian": (4.0, lambda r: np.exp(-(r**2) / 32)),
    "exponential": (lambda r: np.exp(-r / 5), lambda r: np.exp(-r / 5)),
}


@pytest.mark.parametrize("name", RHO)
def test_level_sets_have_the_two_point_function_of_their_correlation(name):
    """P(both in phase 0) = ¼ + arcsin(ρ)/2π, for independent cells a mean with a known error."""
    given, rho = RHO[name]
    images = ms.level_set(400, (64, 48), correlation=given, seed=2) == 0
    for shift in [(0, 0), (1, 0), (0, 3), (5, 5), (16, 0)]:
        both = (images & np.roll(images, shift, axis=(1, 2))).mean(axis=(1, 2))
        expected = 0.25 + np.arcsin(rho(np.hypot(*shift))) / (2 * np.pi)
        assert abs(both.mean() - expected) < 3.5 * both.std() / np.sqrt(len(both))


def test_level_sets_have_their_fractions_in_the_mean():
    fractions = (0.125, 0.25, 0.625)
    labels = ms.level_set(600, (8, 6, 10), correlation=0.7, fractions=fractions, seed=1)
    for k, fraction in enumerate(fractions):
        own = (labels == k).mean(axis=(1, 2, 3))
        assert own.std() > 0.005
        assert abs(own.mean() - fraction) < 3.5 * own.std() / np.sqrt(len(own))


def test_level_sets_of_long_correlations_sum_over_images():
    """With a length of half the cell the field is still of unit variance, but hardly varies."""
    labels = ms.level_set(2000, (8, 8), correlation=8.0, seed=1)
    assert abs((labels[:, 0, 0] == 0).mean() - 0.5) < 3.5 * 0.5 / np.sqrt(2000)
    assert (labels == labels[:, :1, :1]).mean() > 0.95


@pytest.mark.parametrize("shape", [(14, 9), (13, 13)])
def test_voronoi_is_the_periodic_nearest_site(shape):
    """One grain a phase: the label of a pixel follows from the nine images of every site."""
    sites = 5
    labels = ms.voronoi(1, shape, sites=sites, phases=256, seed=11)[0]
    random = np.random.Generator(np.random.Philox(key=[11, 0], counter=[0, 0, 0, 1]))
    positions = random.random((sites, 2)) * shape
    phases = random.integers(256, size=sites, dtype=np.uint8)
    for pixel, label in np.ndenumerate(labels):
        gap = np.abs(np.add(pixel, 0.5) - positions)
        distance = np.hypot(*np.minimum(gap, shape - gap).T)
        assert label == phases[distance.argmin()]


def test_voronoi_phases_are_equally_likely():
    labels = ms.voronoi(400, (16, 16), sites=10, phases=4, seed=2)
    fractions = np.bincount(labels.ravel(), minlength=4) / labels.size
    np.testing.assert_allclose(fractions, 0.25, atol=0.03)


def test_seams_are_no_interfaces():
    """Across the seam of the cell neighbours are as alike as anywhere else."""
    for model in MODELS.values():
        images = model(300, seed=5)
        for axis in range(1, images.ndim):
            others = tuple(k for k in range(images.ndim) if k != axis)
            differ = (images != np.roll(images, 1, axis=axis)).mean(axis=others)
            assert differ[0] < 1.5 * differ.mean()


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("fraction", [0.02, 0.25, 0.45])
def test_discs_meet_their_fraction(overlap, fraction):
    labels = ms.discs(5, (60, 50), number=9, fraction=fraction, overlap=overlap, seed=3)
    np.testing.assert_array_equal(labels.sum(axis=(1, 2)), round(fraction * 3000))


def test_discs_stay_apart():
    """Counted on a periodic continuation: pieces at the seam belong together."""
    labels = ms.discs(10, (64, 64), number=9, fraction=0.4, seed=3)
    for image in labels:
        pieces, _ = ndimage.label(image, structure=np.ones((3, 3)))
        joined = {(int(a), int(b)) for a, b in _across_the_seam(pieces)}
        assert _components(pieces.max(), joined) == 9


def _across_the_seam(pieces):
    for first, last in ((pieces[0], pieces[-1]), (pieces[:, 0], pieces[:, -1])):
        for shift in (-1, 0, 1):
            pairs = np.stack([first, np.roll(last, shift)], axis=-1)
            yield from pairs[(pairs > 0).all(axis=-1)]


def _components(count, pairs):
    parent = list(range(count + 1))

    def root(k):
        return k if parent[k] == k else root(parent[k])

    for a, b in pairs:
        parent[root(a)] = root(b)
    return len({root(k) for k in range(1, count + 1)})


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("fraction", [0.02, 0.25])
def test_spheres_meet_their_fraction(overlap, fraction):
    labels = ms.spheres(3, (24, 20, 22), number=6, fraction=fraction, overlap=overlap, seed=3)
    np.testing.assert_array_equal(labels.sum(axis=(1, 2, 3)), round(fraction * 10_560))


def test_spheres_stay_apart_and_are_round():
    """In a doubled cell a sphere that no seam cuts is one of eight images, and as wide as deep."""
    labels = ms.spheres(3, (40, 40, 40), number=4, fraction=0.2, seed=3)
    diameter = 2 * np.cbrt(3 * 0.2 * 40**3 / 4 / (4 * np.pi))
    for image in labels:
        pieces, _ = ndimage.label(np.tile(image, (2, 2, 2)), structure=np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())
        whole = [
            box
            for k, box in enumerate(ndimage.find_objects(pieces), 1)
            if all(s.start > 0 and s.stop < 80 for s in box) and sizes[k] > 100
        ]
        assert len(whole) >= 4
        for box in whole:
            assert all(abs(s.stop - s.start - diameter) < 1.5 for s in box)


def test_a_jammed_packing_is_an_error():
    with pytest.raises(ValueError, match=r"number is 30; expected discs that fit"):
        ms.discs(1, (64, 64), number=30, fraction=0.7, seed=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(2, 4), st.integers(1, 3))
def test_checkerboard(repeat0, repeat1, phases, pixels):
    tiles = (repeat0 * phases, repeat1 * phases)
    shape = (tiles[0] * pixels, tiles[1] * pixels)
    if min(shape) < 2:
        return
    board = ms.checkerboard(shape, tiles=tiles, phases=phases)
    np.testing.assert_array_equal(np.bincount(board.ravel()), board.size // phases)
    # One tile on is the next phase, along both axes and across the seam.
    for axis in (0, 1):
        np.testing.assert_array_equal(np.roll(board, -pixels, axis=axis), (board + 1) % phases)


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 12)])
def test_all_phases_meet_at_the_corners_of_a_checkerboard(shape):
    board = ms.checkerboard(shape, tiles=4, arrangement="corners")
    phases = 2 ** len(shape)
    np.testing.assert_array_equal(np.bincount(board.ravel()), board.size // phases)
    # Any box of two tiles a side has all phases, wherever it lies.
    rolled = np.roll(board, [1, 2, 3][: len(shape)], axis=tuple(range(len(shape))))
    box = rolled[tuple(slice(0, n // 2) for n in shape)]
    np.testing.assert_array_equal(np.bincount(box.ravel()), box.size // phases)
    tile = tuple(slice(0, n // 4) for n in shape)
    assert (board[tile] == 0).all()


def test_checkerboard_of_pixels_and_of_any_size():
    np.testing.assert_array_equal(ms.checkerboard((2, 2), tiles=2), [[0, 1], [1, 0]])
    assert ms.checkerboard((7, 5), tiles=2).shape == (7, 5)
    assert ms.checkerboard((4, 4, 4), tiles=2).mean() == 0.5


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("periods", [1, 2])
def test_laminate(axis, periods):
    labels = ms.laminate((16, 16, 16), axis=axis, fractions=(0.5, 0.25, 0.25), periods=periods)
    np.testing.assert_array_equal(np.bincount(labels.ravel()), np.array([2, 1, 1]) * 1024)
    for other in {0, 1, 2} - {axis}:
        np.testing.assert_array_equal(labels, np.roll(labels, 1, axis=other))
    np.testing.assert_array_equal(labels, np.roll(labels, 16 // periods, axis=axis))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ms.voronoi(0, (4, 4), sites=1, phases=2, seed=0), ValueError, "count is 0"),
        (lambda: ms.voronoi(1.5, (4, 4), sites=1, phases=2, seed=0), TypeError, "count is 1.5"),
        (lambda: ms.voronoi(1, (4, 1), sites=1, phases=2, seed=0), ValueError, "shape is 1"),
        (lambda: ms.voronoi(1, (4,), sites=1, phases=2, seed=0), ValueError, "shape is"),
        (lambda: ms.voronoi(1, 4, sites=1, phases=2, seed=0), ValueError, "shape is 4"),
        (lambda: ms.voronoi(1, (4, 4), sites=0, phases=2, seed=0), ValueError, "sites is 0"),
        (lambda: ms.voronoi(1, (4, 4), sites=1, phases=257, seed=0), ValueError, "phases is 257"),
        (lambda: ms.voronoi(1, (4, 4), sites=1, phases=2, seed=-1), ValueError, "seed is -1"),
        (lambda: ms.discs(1, (4, 4, 4), number=1, fraction=0.1, seed=0), ValueError, "shape is"),
        (lambda: ms.discs(1, (4, 4), number=1, fraction=1.0, seed=0), ValueError, "fraction is 1"),
        (lambda: ms.thresholded_noise(1, (4, 4), length=-1, seed=0), ValueError, "length is -1"),
        (
            lambda: ms.thresholded_noise(1, (4, 4), length=1, fractions=(0.5, 0.6), seed=0),
            ValueError,
            "fractions is",
        ),
        (lambda: ms.checkerboard((4, 4), tiles=3), ValueError, "tiles is 3"),
        (lambda: ms.checkerboard((4, 4), tiles=(2, 2, 2)), ValueError, "tiles is"),
        (lambda: ms.checkerboard((4, 4), tiles=2, arrangement="x"), ValueError, "arrangement is"),
        (
            lambda: ms.checkerboard((4, 4), tiles=2, phases=2, arrangement="corners"),
            ValueError,
            "phases is 2",
        ),
        (lambda: ms.spheres(1, (4, 4), number=1, fraction=0.1, seed=0), ValueError, "shape is"),
        (
            lambda: ms.spheres(1, (16,) * 3, number=20, fraction=0.5, seed=0),
            ValueError,
            "number is 20; expected spheres that fit",
        ),
        (lambda: ms.level_set(1, (4, 4), correlation=0.0, seed=0), ValueError, "correlation is"),
        (lambda: ms.level_set(1, (4, 4), correlation=99.0, seed=0), ValueError, "does not decay"),
        (
            lambda: ms.level_set(1, (32, 32), correlation=lambda r: 1.0 * (r < 8), seed=0),
            ValueError,
            "correlation is not positive definite",
        ),
        (
            lambda: ms.level_set(1, (8, 8), correlation=lambda r: 1.0, seed=0),
            ValueError,
            "correlation returns no numbers",
        ),
        (lambda: ms.laminate((4, 4), axis=2), ValueError, "axis is 2"),
        (lambda: ms.laminate((4, 4), fractions=(1.5, -0.5)), ValueError, "fractions is"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
