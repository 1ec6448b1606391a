"""The kernel loss and its gradient, against plain transforms by scipy in the same run.

make bench ARGS="-k kernel_loss"
"""

import numpy as np
import pytest
from recorder import record
from scipy import fft

import pearlite as pl
from pearlite import _threads
from pearlite.correlation import KernelTarget, kernel_loss_with_gradient

THREADS = _threads.available()
SHAPES = [(64, 64), (256, 256), (512, 512), (1024, 1024), (64, 64, 64), (128, 128, 128)]

shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
kinds = pytest.mark.parametrize("dtype", ["float32", "float64"])


def case(shape, dtype):
    """-> target, field."""
    image = pl.microstructures.thresholded_noise(1, shape, length=2, seed=1)[0]
    return KernelTarget(image, dtype=dtype), np.random.default_rng(0).random(shape).astype(dtype)


def plain(target, workers):
    """-> loss and gradient of a field by scipy's transforms, orders 2 and 3, one reference."""
    kind = target.dtype.type
    spectrum = fft.rfftn(target._fields[0, 0])
    mean, scale = kind(target.mean[0]), kind(target.scale)
    a, b = (kind(x) for x in target.factors)

    def value(c):
        square = c * c
        return float(a * square.sum(dtype=np.float64) + b * (square * c).sum(dtype=np.float64))

    def function(field):
        u = fft.rfftn(field - mean, workers=workers)
        own = fft.irfftn(u.real**2 + u.imag**2, s=field.shape, workers=workers)
        cross = fft.irfftn(np.conj(u) * spectrum, s=field.shape, workers=workers)
        own *= scale
        cross *= scale
        loss = value(own) - 2 * value(cross) + float(target.factors @ target.energies)
        slopes = [fft.rfftn(scale * c * (4 * a + 6 * b * c), workers=workers) for c in (own, cross)]
        total = slopes[0] * u - np.conj(slopes[1]) * spectrum
        return loss, fft.irfftn(total, s=field.shape, workers=workers)

    return function


def save(benchmark, solver, shape, dtype, threads, error):
    if benchmark.stats:
        record(ms_per_cell=1e3 * benchmark.stats.stats.min, cells=1, group="kernel loss",
               solver=solver, version=pl.__version__ if solver == "pearlite" else "",
               shape="x".join(map(str, shape)), input=dtype, phases=2, threads=threads,
               error=error)  # fmt: skip


def check(found, target, field):
    """Compare with transforms in double precision. -> error."""
    exact = KernelTarget(target._fields[0, 0].astype(np.float64), dtype=np.float64)
    exact.mean[:] = 0
    expected, slope = plain(exact, 1)(field.astype(np.float64) - target.mean[0])
    error = float(np.linalg.norm(found[1] - slope) / np.linalg.norm(slope))
    bound = 1e-4 if field.dtype == np.float32 else 1e-6
    assert abs(found[0] - expected) <= bound
    assert error <= bound
    return error


@shapes
@kinds
@pytest.mark.parametrize("threads", sorted({1, THREADS}))
def test_pearlite(benchmark, shape, dtype, threads):
    target, field = case(shape, dtype)
    options = {"threads": threads}
    error = check(kernel_loss_with_gradient(field, target, **options), target, field)
    rounds = max(5, int(2e7 / field.size))
    benchmark.pedantic(
        kernel_loss_with_gradient, (field, target), options, rounds=min(rounds, 300),
        warmup_rounds=2,
    )  # fmt: skip
    save(benchmark, "pearlite", shape, dtype, threads, error)


@shapes
@pytest.mark.parametrize("threads", sorted({1, THREADS}))
def test_scipy(benchmark, shape, threads):
    target, field = case(shape, "float32")
    function = plain(target, threads)
    error = check(function(field), target, field)
    rounds = max(5, int(5e6 / field.size))
    benchmark.pedantic(function, (field,), rounds=min(rounds, 100), warmup_rounds=2)
    save(benchmark, "scipy", shape, "float32", threads, error)
