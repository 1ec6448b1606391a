"""Volumes, centroids, neighbours and faces of cells, against loops over pixels and exact areas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import cells as reference

import pearlite as pl

SHAPES = [(7, 9), (16, 8), (5, 4, 6)]


def noise(shape, count, seed=0):
    return np.random.default_rng(seed).integers(count, size=shape).astype(np.uint8)


def mosaic(shape, count, seed=0):
    """Cells of a power tessellation, and their sites."""
    sites = np.random.default_rng(seed).random((count, len(shape)))
    return pl.laguerre.assign(sites, shape=shape), sites


def images():
    for shape in SHAPES:
        yield noise(shape, 4)
        yield mosaic(shape, 6)[0]


# Volumes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, ">u2"])
def test_volumes_are_those_of_a_count(dtype):
    for labels in images():
        pixels = reference.volumes(labels, 9)
        found = pl.laguerre.volumes(labels.astype(dtype), 9, dim=labels.ndim)
        np.testing.assert_allclose(found, pixels / labels.size, rtol=1e-15)
        assert found.sum() == pytest.approx(1, rel=1e-14)
        assert found[8] == 0


def test_physical_volumes_sum_to_that_of_the_image():
    labels = noise((6, 5, 4), 3)
    found = pl.laguerre.volumes(labels, dim=3, spacing=(0.5, 2, 3))
    assert found.sum() == pytest.approx(6 * 5 * 4 * 3, rel=1e-14)
    assert pl.laguerre.volumes(labels[0], spacing=2).sum() == 80


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_neither_the_batch_nor_the_threads_matter(threads):
    labels = noise((2, 3, 12, 10), 5)
    volumes = pl.laguerre.volumes(labels, 5, threads=threads)
    centroids = pl.laguerre.centroids(labels, 5, threads=threads)
    faces = pl.laguerre.face_areas(labels, 5, threads=threads)
    assert volumes.shape == (2, 3, 5)
    assert centroids.shape == (2, 3, 5, 2)
    for i, j in np.ndindex(2, 3):
        one = labels[i, j]
        np.testing.assert_array_equal(volumes[i, j], pl.laguerre.volumes(one, 5, threads=1))
        np.testing.assert_array_equal(centroids[i, j], pl.laguerre.centroids(one, 5, threads=1))
        own, alone = faces.of_image(i, j), pl.laguerre.face_areas(one, 5, threads=1)
        np.testing.assert_array_equal(own.pairs, alone.pairs)
        np.testing.assert_array_equal(own.areas, alone.areas)


def test_one_large_image_on_several_threads():
    labels, _ = mosaic((31, 20, 17), 12)
    for function in (pl.laguerre.volumes, pl.laguerre.centroids):
        one, many = (function(labels, dim=3, threads=t) for t in (1, 3))
        np.testing.assert_array_equal(one, many)
    one, many = (pl.laguerre.face_areas(labels, dim=3, threads=t) for t in (1, 3))
    np.testing.assert_array_equal(one.pairs, many.pairs)
    np.testing.assert_array_equal(one.areas, many.areas)


# Centroids ---------------------------------------------------------------------------------------


def test_centroids_are_the_closest_points_of_the_circle():
    for labels in images():
        expected = (reference.centroids(labels, 7) + 0.5) / labels.shape % 1
        found = pl.laguerre.centroids(labels, 7, dim=labels.ndim)
        assert np.all((found[:6] >= 0) & (found[:6] < 1) | np.isnan(found[:6]))
        assert np.isnan(found[6]).all()
        apart = (found - expected + 0.5) % 1 - 0.5
        np.testing.assert_allclose(np.nan_to_num(apart), 0, atol=1e-12)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def test_centroids_in_a_box_are_means():
    labels = noise((6, 9), 3)
    found = pl.laguerre.centroids(labels, periodic=False, spacing=(2, 1))
    for k in range(3):
        expected = (np.argwhere(labels == k).mean(axis=0) + 0.5) * (2, 1)
        np.testing.assert_allclose(found[k], expected, rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=7),
               elements=st.integers(0, 3)),
    st.data(),
)  # fmt: skip
def test_rolling_an_image_moves_its_cells(labels, data):
    d = labels.ndim
    shift = [data.draw(st.integers(0, n - 1)) for n in labels.shape]
    rolled = np.roll(labels, shift, axis=tuple(range(d)))
    np.testing.assert_array_equal(
        pl.laguerre.volumes(rolled, 4, dim=d), pl.laguerre.volumes(labels, 4, dim=d)
    )
    before = pl.laguerre.face_areas(labels, 4, dim=d, estimate="pixels")
    after = pl.laguerre.face_areas(rolled, 4, dim=d, estimate="pixels")
    np.testing.assert_array_equal(before.pairs, after.pairs)
    np.testing.assert_allclose(before.areas, after.areas, rtol=1e-13)
    # Centroids move along, up to cells that have several.
    before, after = (pl.laguerre.centroids(x, 4, dim=d) for x in (labels, rolled))
    for k in np.flatnonzero(np.isfinite(before[:, 0])):
        for axis, n in enumerate(labels.shape):
            positions = np.nonzero(labels == k)[axis]
            first = n * before[k, axis] - 0.5
            second = n * after[k, axis] - 0.5 - shift[axis]
            spread = [(((positions - m + n / 2) % n - n / 2) ** 2).mean() for m in (first, second)]
            np.testing.assert_allclose(spread[0], spread[1], rtol=1e-9, atol=1e-9)


def test_a_cell_across_the_border():
    labels = np.zeros((10, 8), np.uint8)
    labels[[9, 0]] = 1
    labels[:, [7, 0, 1]] = 2
    found = pl.laguerre.centroids(labels)
    np.testing.assert_allclose(found[2], [0.5, 0.5 / 8], atol=1e-15)
    np.testing.assert_allclose(found[1], [0, 4.5 / 8], atol=1e-15)


# Faces -------------------------------------------------------------------------------------------


def test_layers_meet_through_the_same_images_along_either_axis():
    """A row of pixels may meet one image of a cell at both its ends, and another one between."""
    labels = np.repeat([0, 0, 1, 1, 2, 2], 3)[:, None].repeat(20, axis=1)
    for seed in range(5):
        sites = np.random.default_rng(seed).random((3, 2))
        rows = pl.laguerre.face_areas(labels, sites=sites)
        columns = pl.laguerre.face_areas(labels.T, sites=sites[:, ::-1])
        np.testing.assert_array_equal(rows.pairs, columns.pairs)
        np.testing.assert_allclose(rows.areas, columns.areas, rtol=1e-13)


@pytest.mark.parametrize("periodic", [True, False])
def test_pixel_faces_are_those_of_a_count(periodic):
    for labels in images():
        count, d = 6, labels.ndim
        expected = reference.faces(labels, count, periodic)
        sizes = np.array([1.0, 3.0, 0.5])[:d]
        areas = expected @ (sizes.prod() / sizes)
        faces = pl.laguerre.face_areas(
            labels, count, dim=d, periodic=periodic, spacing=sizes, estimate="pixels"
        )
        np.testing.assert_allclose(faces.matrix().toarray(), areas, rtol=1e-13)
        np.testing.assert_array_equal(faces.pairs, np.argwhere(np.triu(areas)))
        neighbours = pl.laguerre.neighbours(labels, count, dim=d, periodic=periodic)
        for k in range(count):
            np.testing.assert_array_equal(neighbours[k], np.flatnonzero(areas[k]))
        np.testing.assert_array_equal(faces.degrees(), (areas > 0).sum(axis=1))


def test_layers_meet_once_in_a_box_and_twice_on_a_torus():
    labels = np.repeat(np.arange(2, dtype=np.uint8), 6)[:, None, None] * np.ones(
        (1, 4, 5), np.uint8
    )
    torus = pl.laguerre.face_areas(labels, dim=3)
    box = pl.laguerre.face_areas(labels, dim=3, periodic=False, spacing=2)
    np.testing.assert_allclose([torus.areas, box.areas], [[2], [4 * 5 * 4]], rtol=1e-14)


@pytest.mark.parametrize(("dim", "n", "count"), [(2, 256, 40), (3, 64, 30)])
@pytest.mark.parametrize("with_sites", [False, True])
def test_plane_faces_have_their_true_areas(dim, n, count, with_sites):
    labels, sites = mosaic((n,) * dim, count)
    exact = reference.voronoi_areas(sites)
    given_sites = sites if with_sites else None
    faces = pl.laguerre.face_areas(labels, count, sites=given_sites, dim=dim)
    found = {
        tuple(pair): area for pair, area in zip(faces.pairs.tolist(), faces.areas, strict=True)
    }
    errors = np.array([found.get(pair, 0) - area for pair, area in exact.items()])
    pixel = n ** (1.0 - dim)
    perimeter = np.sqrt(np.array(list(exact.values())) / pixel) if dim == 3 else 1.0
    # What the grid does to the rim: some pixels in 2D, some for each pixel along it in 3D.
    assert np.all(np.abs(errors) <= 4 * pixel * (1 + perimeter))
    assert abs(errors.sum()) <= 0.02 * sum(exact.values())
    stairs = pl.laguerre.face_areas(labels, count, dim=dim, estimate="pixels").areas.sum()
    assert 1.2 < stairs / sum(exact.values()) < 1.6


def test_a_tilted_plane_in_pixels_that_are_no_cubes():
    sites = np.array([[0.3, 0.4, 0.5], [0.6, 0.7, 0.45]])
    labels = pl.laguerre.assign(sites, shape=(96, 90, 84), periodic=False)
    spacing = np.array([1.0, 2.0, 0.5])
    sides = spacing * labels.shape
    points = np.argwhere(labels[:-1] != labels[1:])  # of the plane, one for each ray along axis 0
    normal = (sites[1] - sites[0]) / sides
    exact = len(points) * spacing[1] * spacing[2] * np.linalg.norm(normal) / abs(normal[0])
    for given_sites in (None, sites):
        faces = pl.laguerre.face_areas(
            labels, sites=given_sites, dim=3, periodic=False, spacing=spacing
        )
        np.testing.assert_allclose(faces.areas, [exact], rtol=0.01)


def test_few_seeds_meet_themselves_around_the_torus():
    labels = pl.laguerre.assign([[0.25, 0.5], [0.75, 0.5]], shape=(64, 64))
    faces = pl.laguerre.face_areas(labels, sites=[[0.25, 0.5], [0.75, 0.5]])
    np.testing.assert_allclose(faces.areas, [2])
    alone = pl.laguerre.face_areas(np.zeros((8, 8), np.uint8), 3)
    assert alone.pairs.shape == (0, 2)
    assert [len(cells) for cells in alone.neighbours()] == [0, 0, 0]


def test_neighbours_of_a_batch_are_nested():
    labels = noise((2, 3, 6, 5), 4)
    nested = pl.laguerre.neighbours(labels, 4)
    for i, j in np.ndindex(2, 3):
        for got, expected in zip(
            nested[i][j], pl.laguerre.neighbours(labels[i, j], 4), strict=True
        ):
            np.testing.assert_array_equal(got, expected)


def test_centroids_of_a_centroidal_tessellation_are_its_sites():
    sites = (np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.1) / 4
    labels = pl.laguerre.assign(sites, shape=(40, 40, 40))
    apart = pl.laguerre.centroids(labels, 64, dim=3) - sites
    np.testing.assert_allclose((apart + 0.5) % 1, 0.5, atol=0.5 / 40 + 1e-9)


# Bad input ---------------------------------------------------------------------------------------

LABELS = np.zeros((4, 4), np.uint8)


@pytest.mark.parametrize("function", ["volumes", "centroids", "neighbours", "face_areas"])
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"labels": LABELS.astype(float)}, TypeError, "labels has dtype float64"),
        ({"labels": LABELS[0]}, ValueError, r"labels has shape \(4,\)"),
        ({"labels": LABELS - np.int32(1)}, ValueError, r"labels\[0, 0\] is -1"),
        ({"labels": LABELS + 5, "count": 5}, ValueError, "labels.* is 5; expected a label from 0"),
        ({"labels": LABELS[:0]}, ValueError, "labels has shape"),
        ({"labels": LABELS, "count": 0}, ValueError, "count is 0"),
        ({"labels": LABELS, "count": 2.5}, TypeError, "count is 2.5"),
        ({"labels": LABELS, "dim": 4}, ValueError, "dim is 4"),
        ({"labels": LABELS, "dim": 3}, ValueError, "labels has shape"),
        ({"labels": LABELS, "threads": 0}, ValueError, "threads is 0"),
    ],
)
def test_bad_arguments(function, arguments, error, words):
    with pytest.raises(error, match=words):
        getattr(pl.laguerre, function)(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"spacing": (1, 2, 3)}, "spacing has shape"),
        ({"spacing": 0}, "spacing is 0"),
        ({"spacing": [1, np.nan]}, "spacing is"),
        ({"estimate": "best"}, "estimate is 'best'"),
        ({"sites": np.zeros((2, 2))}, "sites has shape"),
        ({"sites": np.zeros((3, 1, 2))}, "sites has batch axes"),
    ],
)
def test_bad_arguments_of_faces(arguments, words):
    with pytest.raises(ValueError, match=words):
        pl.laguerre.face_areas(LABELS, **arguments)


def test_bad_indices_of_faces():
    faces = pl.laguerre.face_areas(noise((2, 3, 4, 4), 2), 2)
    for index in [(), (2, 0), (0,), (0, 0, 0), ("a", 0)]:
        with pytest.raises(ValueError, match="index is"):
            faces.of_image(*index)
    with pytest.raises(ValueError, match="use of_image"):
        faces.matrix()
