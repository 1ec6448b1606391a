"""What gradients cost: forward and backward through torch against forward alone.

    make bench ARGS="-k autograd"

The three calls of a case take turns, so that what else the machine does strikes them alike; rows of
results.csv have the medians. Both precisions of input, gradients to 1e-4. Before it is timed the
gradient is compared with one to 1e-8, in the norm that `gradient_rtol` is about.
"""

import time

import cells
import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _core, _threads, corrector

torch = pytest.importorskip("torch", reason="torch is not installed")

THREADS = _threads.available()
CELLS = {64: 1000, 256: 60}
GRADIENT_RTOL = 1e-4
ROUNDS = 15


def fields(n, contrast, dtype):
    """-> (B, n, n) tensor of two-phase grains."""
    labels = cells.draw((n, n), 2, CELLS[n])
    return torch.from_numpy(cells.values(2, contrast)[labels]).to(dtype)


def plain(x):
    return pl.homogenize(x, threads=THREADS)


def accurate(x):
    """A forward solve as good as the gradient needs it, with nothing kept for one."""
    n = x.shape[-1]
    share = corrector._GRADIENT_SHARE * GRADIENT_RTOL
    return _core.solve_correctors(
        x.numpy(), None, False, (1 / n, 1 / n), 1e-6, THREADS, 1000, None, share
    )


def forward_and_backward(x):
    leaf = x.detach().requires_grad_()
    effective = pl.homogenize(leaf, threads=THREADS, gradient_rtol=GRADIENT_RTOL)
    return torch.autograd.grad(effective.diagonal(dim1=1, dim2=2).sum(), leaf)[0]


def gradient_error(x, gradient):
    """-> the worst cell's Σ a |δg| / ‖G‖ ‖A*‖, which gradient_rtol bounds."""
    field = x.numpy().astype(np.float64)
    effective, exact = pl.homogenize_with_gradient(field, np.eye(2), rtol=1e-10, gradient_rtol=1e-8)
    error = (field * np.abs(gradient.numpy() - exact)).sum(axis=(1, 2))
    return (error / (np.sqrt(2) * np.linalg.norm(effective, axis=(1, 2)))).max()


def medians(calls, x):
    """-> median seconds of each call, made in turns."""
    seconds = {call: [] for call in calls}
    for _ in range(ROUNDS):
        for call, times in seconds.items():
            start = time.perf_counter()
            call(x)
            times.append(time.perf_counter() - start)
    return [float(np.median(times)) for times in seconds.values()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("contrast", [10, 100], ids="contrast{}".format)
@pytest.mark.parametrize("n", CELLS, ids="n{}".format)
def test_gradient(benchmark, n, contrast, dtype):
    x = fields(n, contrast, dtype)
    error = gradient_error(x, forward_and_backward(x))
    assert error <= GRADIENT_RTOL
    benchmark.pedantic(forward_and_backward, (x,), rounds=3)
    if not benchmark.stats:
        return
    calls = {"plain": plain, "accurate": accurate, "forward and backward": forward_and_backward}
    for name, seconds in zip(calls, medians(calls.values(), x), strict=True):
        record(group="gradient", solver=name, version=pl.__version__, input=str(dtype)[6:],
               shape=f"{n}x{n}", phases=2, contrast=contrast, threads=THREADS, cells=len(x),
               tolerance=1e-6 if name == "plain" else GRADIENT_RTOL,
               error=None if name != "forward and backward" else error,
               ms_per_cell=1e3 * seconds / len(x))  # fmt: skip
        benchmark.extra_info[name] = 1e3 * seconds / len(x)
