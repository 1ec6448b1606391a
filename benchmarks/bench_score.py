"""The score network compiled, beside torch, eager and compiled: an evaluation of an image.

    make bench ARGS="-k score"

The two networks of the paper: 40 channels and one level, 100 channels and three. Every solver's
score is compared with the one in double precision before anything is timed. With one thread an
image is evaluated alone; with all, as many images as threads, and the time is that of one image.
Calls take turns, and the median of each counts. torch.compile is shown for one case, since it takes
as long to compile as all the rest; a peer that cannot compile here is left out.
"""

import time
import warnings

import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _threads
from pearlite.generation import Engine, Model

torch = pytest.importorskip("torch", reason="torch is not installed")

THREADS = _threads.available()
# phases, channels, levels, pixels along an axis
CASES = {
    "40x1-128": (2, 40, 1, 128),
    "40x1-256": (2, 40, 1, 256),
    "100x3-128": (3, 100, 3, 128),
    "100x3-256": (3, 100, 3, 256),
}
COMPILED = "40x1-256"
SECONDS = 3  # of a case


def networks(model):
    """-> the torch module in single and in double precision."""
    from pearlite.generation import ScoreNetwork

    return ScoreNetwork.of(model), ScoreNetwork.of(model).double()


def compiled(network, image, sigma):
    """-> torch.compile of a module, channels last, or None where no compiler works."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler says of its own insides
        from torch._dynamo.exc import BackendCompilerFailed

        faster = torch.compile(network.to(memory_format=torch.channels_last), dynamic=False)
        try:
            faster(image, sigma)
        except (BackendCompilerFailed, RuntimeError):
            return None
    return faster


def relative_error(score, exact):
    """Root mean square, of the score's."""
    return float(np.sqrt(np.mean((score - exact) ** 2) / np.mean(exact**2)))


def median_times(calls, seconds=SECONDS):
    """-> median seconds of each call, made in turns, three at least."""
    times = {name: [] for name in calls}
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop or len(times[next(iter(calls))]) < 3:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(taken)) for name, taken in times.items()}


@pytest.mark.parametrize("threads", sorted({1, THREADS}))
@pytest.mark.parametrize("case", CASES)
def test_score(benchmark, case, threads):
    phases, channels, levels, n = CASES[case]
    model = Model.random(phases=phases, channels=channels, levels=levels)
    network, precise = networks(model)
    engine = Engine(model, threads=threads)
    noise = np.random.default_rng(0).standard_normal((threads, model.inputs, n, n))
    image = noise.astype(np.float32)
    tensor, sigma = torch.from_numpy(image), torch.ones(threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            exact = precise(tensor.double(), sigma.double()).numpy()
            calls = {
                "pearlite": lambda: engine.score(image, 1.0),
                "torch": lambda: network(tensor, sigma).numpy(),
            }
            if case == COMPILED and benchmark.enabled and threads == 1:
                faster = compiled(networks(model)[0], tensor, sigma)
                if faster is not None:
                    calls["torch.compile"] = lambda: faster(tensor, sigma).numpy()
            errors = {name: relative_error(call(), exact) for name, call in calls.items()}
            assert max(errors.values()) < 1e-5
            benchmark.pedantic(calls["pearlite"], rounds=3)
            if not benchmark.stats:
                return
            seconds = median_times(calls)
    finally:
        torch.set_num_threads(before)
    for name, taken in seconds.items():
        version = pl.__version__ if name == "pearlite" else torch.__version__
        print(f"{case} {threads} threads {name}: {1e3 * taken / threads:.1f} ms an image")
        record(group="score", solver=name, version=version, input="float32", shape=f"{n}x{n}",
               phases=phases, contrast=f"{channels} channels, {levels} levels", threads=threads,
               cells=threads, tolerance=None, error=errors[name],
               ms_per_cell=1e3 * taken / threads)  # fmt: skip
