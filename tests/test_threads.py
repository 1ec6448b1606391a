"""Calls from many threads and processes, after a fork, and interrupted."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import microstructures

import pearlite as pl

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def batch(count=24, shape=(48, 48), seed=0):
    rng = np.random.default_rng(seed)
    cells = [microstructures.voronoi(rng, shape, 4) for _ in range(count)]
    return np.array([1, 5, 20, 100.0])[np.stack(cells)]


@pytest.mark.parametrize("threads", [1, 2])
def test_eight_python_threads_at_once(threads):
    inputs = [batch(seed=seed) for seed in range(8)]
    expected = [pl.homogenize(fields, threads=threads) for fields in inputs]
    start = threading.Barrier(8)

    def work(fields):
        start.wait()
        return [pl.homogenize(fields, threads=threads) for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        for results, effective in zip(pool.map(work, inputs), expected, strict=True):
            for result in results:
                assert_array_equal(result, effective)


def test_more_threads_than_cells_and_cores():
    fields = batch(count=3)
    np.testing.assert_allclose(
        pl.homogenize(fields, threads=64, rtol=1e-10),
        pl.homogenize(fields, threads=1, rtol=1e-10),
        rtol=0,
        atol=1e-9,
    )


def test_the_gil_is_released():
    """This thread runs on while another one is inside a call."""
    fields = np.tile(batch(count=8, shape=(256, 256)), (8, 1, 1))
    inside, done = threading.Event(), threading.Event()

    def work():
        inside.set()
        pl.homogenize(fields, rtol=1e-10, threads=1)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    inside.wait()
    turns = 0
    # Every sleep gives the GIL away; a call that kept it would return only once it is done.
    while not done.is_set():
        time.sleep(1e-3)
        turns += 1
    worker.join()
    assert turns > 5


def call_in_child(fields, expected, queue):
    queue.put(bool(np.array_equal(pl.homogenize(fields, threads=2), expected)))


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_call_after_its_parent_did():
    fields = batch()
    expected = pl.homogenize(fields, threads=2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=call_in_child, args=(fields, expected, queue))
    child.start()
    try:
        assert queue.get(timeout=60)
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()
    assert_array_equal(pl.homogenize(fields, threads=2), expected)


def test_a_pool_of_spawned_processes():
    inputs = [batch(count=4, seed=seed) for seed in range(4)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map_async(pl.homogenize, inputs).get(timeout=120)
    for fields, result in zip(inputs, results, strict=True):
        assert_array_equal(result, pl.homogenize(fields))


# About a minute of work for one thread, in one call.
LONG_CALL = """
import numpy as np
import pearlite as pl

cells, n, threads = {cells}, {n}, {threads}
tile = np.random.default_rng(0).integers(0, 4, size=(cells, 64, 64), dtype=np.uint8)
labels = np.tile(tile, (1, n // 64, n // 64))
print("calling", flush=True)
try:
    pl.homogenize(labels, phases=[1.0, 20.0, 500.0, 1e4], rtol=1e-10, threads=threads)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    # The process is as good as before.
    print(round(pl.homogenize(np.ones((8, 8)))[0, 0], 6), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("cells", "n"), [(40000, 64), (128, 1024)], ids=["small", "large"])
def test_ctrl_c_stops_a_long_call(cells, n, threads):
    script = LONG_CALL.format(cells=cells, n=n, threads=threads)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "calling\n"
        time.sleep(0.5)  # past the checks, into the solver
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        # Far more than it needs, far less than the rest of the call.
        output, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert output.split() == ["interrupted", "1.0"], errors
