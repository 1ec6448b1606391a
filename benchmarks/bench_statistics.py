"""Statistics beside porespy, scikit-image, scikit-learn and plain numpy and scipy, in one run.

    make bench ARGS="-k statistics"

Each peer's result is compared with ours, on the same image, before anything is timed. Every
measurement appends a row to results.csv.
"""

from importlib.metadata import version

import numpy as np
import pytest
import scipy
from recorder import record
from scipy import ndimage

import pearlite as pl
from pearlite import _threads

stats = pl.statistics
THREADS = _threads.available()
SHAPES = [(256, 256), (1024, 1024), (128, 128, 128)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=["n256", "n1024", "n128x3"])


def image_of(shape):
    """Blobs a few pixels wide, a third of the pixels: (*shape) bool."""
    noise = pl.microstructures.thresholded_noise
    return noise(1, shape, length=3, fractions=(0.7, 0.3), seed=1)[0] == 1


def compare(benchmark, group, shape, ours, theirs, solver, package, check):
    """Check that both agree; then time them in turn."""
    check(ours(), theirs())
    benchmark.pedantic(ours, rounds=9, warmup_rounds=1)
    if not benchmark.stats:
        return  # timing is off
    times = {}
    times["pearlite"] = benchmark.stats.stats.min, pl.__version__, THREADS
    times[solver] = shortest(theirs), version(package), 1
    for name, (seconds, number, threads) in times.items():
        record(
            group=group, solver=name, version=number, input="bool", threads=threads, cells=1,
            shape="x".join(map(str, shape)), phases=2, ms_per_cell=1e3 * seconds,
        )  # fmt: skip
    benchmark.extra_info[solver] = times[solver][0] / times["pearlite"][0]
    print(f"\n{group} {shape}: " + ", ".join(f"{k} {1e3 * v[0]:.3g} ms" for k, v in times.items()))


def shortest(call):
    """Seconds of the fastest of as many calls as fit into two seconds, three at least."""
    import time

    found, began = [], time.perf_counter()
    while len(found) < 3 or (time.perf_counter() - began < 2 and len(found) < 9):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def porespy():
    module = pytest.importorskip("porespy", reason="porespy is not installed")
    module.settings.tqdm["disable"] = True
    return module


# Components --------------------------------------------------------------------------------------


@shapes
def test_components_scipy(benchmark, shape):
    mask, dim = image_of(shape), len(shape)
    compare(
        benchmark, "components", shape,
        lambda: stats.components(mask, periodic=False, dim=dim),
        lambda: ndimage.label(mask), "scipy", "scipy",
        lambda a, b: np.testing.assert_array_equal(a.labels, b[0]),
    )  # fmt: skip


def periodic_labels(mask):
    """Components on the torus by scipy alone: those of the box, joined across its faces."""
    labels, count = ndimage.label(mask)
    pairs = [np.empty((2, 0), int)]
    for axis in range(mask.ndim):
        faces = np.stack([labels.take(0, axis).ravel(), labels.take(-1, axis).ravel()])
        pairs.append(faces[:, (faces > 0).all(axis=0)])
    rows, columns = np.concatenate(pairs, axis=1)
    graph = scipy.sparse.coo_array((np.ones(len(rows)), (rows, columns)), (count + 1, count + 1))
    joined = scipy.sparse.csgraph.connected_components(graph, directed=False)[1]
    return joined[labels]


@shapes
def test_periodic_components_scipy(benchmark, shape):
    mask, dim = image_of(shape), len(shape)

    def check(ours, theirs):
        assert ours.counts == len(np.unique(theirs)) - 1
        pairs = np.unique(np.stack([ours.labels.ravel(), theirs.ravel()]), axis=1)
        assert pairs.shape[1] == ours.counts + 1

    compare(
        benchmark, "periodic components", shape, lambda: stats.components(mask, dim=dim),
        lambda: periodic_labels(mask), "scipy", "scipy", check,
    )  # fmt: skip


@shapes
def test_percolation_porespy(benchmark, shape):
    ps, mask, dim = porespy(), image_of(shape), len(shape)
    compare(
        benchmark, "percolation", shape,
        lambda: stats.percolates(mask, periodic=False, connectivity="faces", dim=dim),
        lambda: [ps.metrics.is_percolating(mask, axis=axis) for axis in range(dim)],
        "porespy", "porespy", np.testing.assert_array_equal,
    )  # fmt: skip


# Chords ------------------------------------------------------------------------------------------


@shapes
def test_chords_numpy(benchmark, shape):
    """Runs from differences of rows that end in a pixel of no phase."""
    mask, dim = image_of(shape), len(shape)

    def runs():
        found = []
        for axis in range(dim):
            rows = np.moveaxis(mask, axis, -1).reshape(-1, shape[axis])
            padded = np.zeros((len(rows), shape[axis] + 2), np.int8)
            padded[:, 1:-1] = rows
            change = np.diff(padded.ravel())
            lengths = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
            found.append(np.bincount(lengths))
        return found

    def check(ours, theirs):
        for axis, histogram in enumerate(theirs):
            every = (ours.counts + ours.cut)[0, axis]
            np.testing.assert_array_equal(every[: len(histogram)], histogram)
            assert every[len(histogram) :].sum() == 0

    compare(
        benchmark, "chords", shape,
        lambda: stats.chord_lengths(mask, phases=[1], periodic=False, dim=dim), runs,
        "numpy", "numpy", check,
    )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES[:1], ids=["n256"])
@pytest.mark.filterwarnings("ignore")  # of the peer
def test_chords_porespy(benchmark, shape):
    """One axis; porespy labels each chord and measures it as a region."""
    ps, mask = porespy(), image_of(shape)

    def theirs():
        chords = ps.filters.apply_chords(mask, spacing=0, axis=0, trim_edges=False, label=True)
        return np.bincount(np.bincount(chords.ravel())[1:])

    def check(ours, theirs):
        every = (ours.counts + ours.cut)[0, 0]
        np.testing.assert_array_equal(every[: len(theirs)], theirs)

    compare(
        benchmark, "chords along one axis", shape,
        lambda: stats.chord_lengths(mask, phases=[1], directions=(1, 0), periodic=False), theirs,
        "porespy", "porespy", check,
    )  # fmt: skip


@shapes
def test_lineal_path_numpy(benchmark, shape):
    """32 lengths along each axis, as products of shifted images."""
    mask, dim = image_of(shape), len(shape)

    def products():
        values = np.empty((dim, 32))
        for axis in range(dim):
            inside = mask.copy()
            for r in range(32):
                values[axis, r] = np.count_nonzero(inside) / mask.size
                inside &= np.roll(mask, -r - 1, axis)
        return values

    compare(
        benchmark, "lineal path", shape,
        lambda: stats.lineal_path(mask, phases=[1], steps=32, dim=dim).values[0], products,
        "numpy", "numpy", np.testing.assert_array_equal,
    )  # fmt: skip


# Surfaces and averages ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES[:2], ids=["n256", "n1024"])
def test_perimeter_scikit_image(benchmark, shape):
    """Crofton's formula in four directions; its image ends at a border of zeros."""
    measure = pytest.importorskip("skimage.measure", reason="scikit-image is not installed")
    mask = np.pad(image_of(shape), 1)
    compare(
        benchmark, "perimeter", shape,
        lambda: stats.surface_area(mask, phases=[1])[0] * mask.size,
        lambda: measure.perimeter_crofton(mask, directions=4), "scikit-image", "scikit-image",
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0.01),
    )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES[2:], ids=["n128x3"])
def test_surface_scikit_image(benchmark, shape):
    """Marching cubes, whose triangles cut the corners of voxels, against Crofton's formula."""
    measure = pytest.importorskip("skimage.measure", reason="scikit-image is not installed")
    mask = np.pad(image_of(shape), 1)

    def triangles():
        corners, faces, *_ = measure.marching_cubes(mask.astype(np.float32), 0.5)
        return measure.mesh_surface_area(corners, faces)

    compare(
        benchmark, "surface", shape,
        lambda: stats.surface_area(mask, phases=[1], dim=3)[0] * mask.size, triangles,
        "scikit-image", "scikit-image", lambda a, b: np.testing.assert_allclose(a, b, rtol=0.15),
    )  # fmt: skip


@shapes
@pytest.mark.filterwarnings("ignore")  # of the peer
def test_radial_two_point_porespy(benchmark, shape):
    """From the image to S2(|r|). porespy's bins and border differ, so that its curve is near."""
    ps, mask, dim = porespy(), image_of(shape), len(shape)

    def ours():
        s2 = pl.correlation.two_point(mask, periodic=False, dim=dim)
        return stats.radial_average(s2, periodic=False, dim=dim)

    def check(ours, theirs):
        distance, values = theirs.distance, theirs.probability_scaled
        near = (distance > 2) & (distance < 20)
        expected = np.interp(np.asarray(distance)[near], ours.distance, ours.values)
        np.testing.assert_allclose(np.asarray(values)[near], expected, rtol=0.1)

    compare(
        benchmark, "radial two-point", shape, ours,
        lambda: ps.metrics.two_point_correlation(mask, bins=min(shape) // 2), "porespy", "porespy",
        check,
    )  # fmt: skip


@pytest.mark.parametrize("count", [50], ids="images{}".format)
def test_principal_components_scikit_learn(benchmark, count):
    decomposition = pytest.importorskip("sklearn.decomposition", reason="no scikit-learn")
    images = pl.microstructures.thresholded_noise(count, (64, 64), length=2, seed=1) == 1
    maps = pl.correlation.two_point(images)

    def theirs():
        return decomposition.PCA(10, svd_solver="full").fit_transform(maps.reshape(count, -1))

    compare(
        benchmark, "principal components", (64, 64),
        lambda: stats.principal_components(maps, count=10).scores, theirs,
        "scikit-learn", "scikit-learn",
        lambda a, b: np.testing.assert_allclose(np.abs(a), np.abs(b), atol=1e-10),
    )  # fmt: skip
