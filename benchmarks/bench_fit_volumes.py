"""Prescribed volumes, and the measures of cells that they rest on, against peers.

    make bench ARGS="benchmarks/bench_fit_volumes.py"

pysdot computes the exact volumes of a power diagram in a box, and is not periodic: it is compared
in the box, stopped at the same largest error. Measures are compared with numpy and scipy.ndimage.
Correctness is asserted before anything is timed.
"""

from importlib.metadata import version

import numpy as np
import pytest
from recorder import record
from scipy import ndimage

import pearlite as pl
from pearlite import _threads

THREADS = _threads.available()
TOLERANCE = 4.0  # pixels
SIZES = [(2, 512, 400), (3, 64, 125), (3, 128, 1000)]
cases = pytest.mark.parametrize(
    ("dim", "n", "count"), SIZES, ids=[f"{d}d-{n}-{k}" for d, n, k in SIZES]
)


def problem(dim, count):
    """-> sites (K, d), volumes (K,), lognormal with a deviation of .3."""
    random = np.random.default_rng(0)
    volumes = np.exp(0.3 * random.standard_normal(count))
    return random.random((count, dim)), volumes / volumes.sum()


def errors(sites, weights, volumes, shape, periodic):
    """Differences of the volumes, in pixels."""
    labels = pl.laguerre.assign(sites, weights, shape=shape, periodic=periodic)
    found = pl.laguerre.volumes(labels, len(volumes), dim=len(shape))
    return (found - volumes) * np.prod(shape)


def save(benchmark, error, **row):
    if benchmark.stats:
        record(
            ms_per_cell=1e3 * benchmark.stats.stats.median,
            error=float(error),
            threads=THREADS,
            **row,
        )


@cases
@pytest.mark.parametrize("periodic", [True, False], ids=["torus", "box"])
def test_fit_volumes_pearlite(benchmark, dim, n, count, periodic):
    sites, volumes = problem(dim, count)
    options = {"shape": (n,) * dim, "periodic": periodic, "tolerance": TOLERANCE}
    found = errors(
        sites, pl.laguerre.fit_volumes(sites, volumes, **options), volumes, (n,) * dim, periodic
    )
    assert np.abs(found).max() <= TOLERANCE
    benchmark.pedantic(pl.laguerre.fit_volumes, (sites, volumes), options, rounds=5)
    domain = "torus" if periodic else "box"
    save(benchmark, np.sqrt((found**2).mean()), group=f"fit volumes {domain}", solver="pearlite",
         version=pl.__version__, shape="x".join([str(n)] * dim), cells=count,
         tolerance=TOLERANCE)  # fmt: skip


def pysdot_fit(sites, volumes, n):
    """-> a function that fits weights by pysdot, to the tolerance for volumes of the continuum."""
    pysdot = pytest.importorskip("pysdot", reason="pysdot is not installed")
    from pysdot.domain_types import ConvexPolyhedraAssembly

    count, dim = sites.shape

    def fit():
        box = ConvexPolyhedraAssembly()
        # Its default for cut_id, -1, is none that numpy 2 takes for an unsigned integer.
        box.add_box([0] * dim, [1] * dim, cut_id=2**64 - 1)
        transport = pysdot.OptimalTransport(
            positions=sites, weights=np.zeros(count), domain=box, masses=volumes,
            linear_solver="Scipy", obj_max_dw=0, obj_max_dm=TOLERANCE / n**dim,
        )  # fmt: skip
        assert not transport.adjust_weights()
        return transport.get_weights()

    return fit


@cases
def test_fit_volumes_pysdot(benchmark, dim, n, count):
    sites, volumes = problem(dim, count)
    fit = pysdot_fit(sites, volumes, n)
    found = errors(sites, fit(), volumes, (n,) * dim, periodic=False)
    # Its volumes are those of the continuum; those of the pixels differ by what the grid does.
    assert np.sqrt((found**2).mean()) <= 16
    benchmark.pedantic(fit, rounds=5)
    save(benchmark, np.sqrt((found**2).mean()), group="fit volumes box", solver="pysdot",
         version=version("pysdot"), shape="x".join([str(n)] * dim), cells=count,
         tolerance=TOLERANCE)  # fmt: skip


@cases
def test_fit_volumes_at_the_error_of_pysdot(benchmark, dim, n, count):
    """On the pixels, which is what both are asked for."""
    sites, volumes = problem(dim, count)
    shape = (n,) * dim
    peer = errors(sites, pysdot_fit(sites, volumes, n)(), volumes, shape, periodic=False)
    options = {"shape": shape, "periodic": False, "tolerance": float(np.abs(peer).max())}
    found = errors(sites, pl.laguerre.fit_volumes(sites, volumes, **options), volumes, shape, False)
    assert np.abs(found).max() <= np.abs(peer).max()
    benchmark.pedantic(pl.laguerre.fit_volumes, (sites, volumes), options, rounds=5)
    save(benchmark, np.sqrt((found**2).mean()), group="fit volumes box at the error of pysdot",
         solver="pearlite", version=pl.__version__, shape="x".join([str(n)] * dim), cells=count,
         tolerance=options["tolerance"])  # fmt: skip


def numpy_volumes(labels, count):
    return np.bincount(labels.ravel(), minlength=count) / labels.size


def numpy_faces(labels, count):
    """-> codes of pairs, pixel faces of each."""
    codes = []
    for axis in range(labels.ndim):
        other = np.roll(labels, -1, axis).astype(np.int64)
        here = other != labels
        a, b = labels[here].astype(np.int64), other[here]
        codes.append(np.minimum(a, b) * count + np.maximum(a, b))
    return np.unique(np.concatenate(codes), return_counts=True)


@pytest.fixture(scope="module")
def mosaic():
    sites, _ = problem(3, 1000)
    return pl.laguerre.assign(sites, shape=(128,) * 3)


@pytest.mark.parametrize("solver", ["pearlite", "numpy"])
def test_volumes(benchmark, mosaic, solver):
    function = {
        "pearlite": lambda: pl.laguerre.volumes(mosaic, 1000, dim=3),
        "numpy": lambda: numpy_volumes(mosaic, 1000),
    }[solver]
    np.testing.assert_allclose(function(), numpy_volumes(mosaic, 1000), rtol=1e-13)
    benchmark.pedantic(function, rounds=15)
    save(benchmark, 0, group="cell volumes", solver=solver, shape="128x128x128", cells=1000)


@pytest.mark.parametrize("solver", ["pearlite", "scipy"])
def test_centroids_in_a_box(benchmark, mosaic, solver):
    function = {
        "pearlite": lambda: pl.laguerre.centroids(
            mosaic, 1000, dim=3, periodic=False, spacing=1
        ),
        "scipy": lambda: np.array(
            ndimage.center_of_mass(np.ones_like(mosaic), mosaic, range(1000))
        ) + 0.5,
    }[solver]  # fmt: skip
    expected = pl.laguerre.centroids(mosaic, 1000, dim=3, periodic=False, spacing=1)
    np.testing.assert_allclose(function(), expected, rtol=1e-12)
    benchmark.pedantic(function, rounds=5)
    save(benchmark, 0, group="centroids box", solver=solver, shape="128x128x128", cells=1000)


@pytest.mark.parametrize("solver", ["pearlite", "numpy"])
def test_faces(benchmark, mosaic, solver):
    found = pl.laguerre.face_areas(mosaic, 1000, dim=3, spacing=1, estimate="pixels")
    codes, counts = numpy_faces(mosaic, 1000)
    np.testing.assert_array_equal(found.pairs @ [1000, 1], codes)
    np.testing.assert_array_equal(found.areas, counts)
    function = {
        "pearlite": lambda: pl.laguerre.face_areas(mosaic, 1000, dim=3, estimate="pixels"),
        "numpy": lambda: numpy_faces(mosaic, 1000),
    }[solver]
    benchmark.pedantic(function, rounds=5)
    save(benchmark, 0, group="faces", solver=solver, shape="128x128x128", cells=1000)
