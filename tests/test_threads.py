"""Calls from many threads and processes, after a fork, and interrupted."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import microstructures

import pearlite as pl

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
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


def refusal(*args, **options):
    with pytest.raises(ValueError, match="expected") as caught:
        pl.homogenize(*args, **options)
    return str(caught.value)


def test_eight_python_threads_that_do_different_things():
    """Sizes, types, functions and errors side by side: no call sees anything of another."""
    labels = np.arange(30 * 41, dtype=np.uint8).reshape(30, 41) % 3
    fields = batch(count=9, shape=(33, 20))
    bad = fields.copy()
    bad[4, 5, 6] = np.nan
    calls = [
        lambda: pl.homogenize(fields, rtol=1e-10, threads=2),
        lambda: pl.homogenize(fields.astype(np.float32), threads=3),
        lambda: pl.homogenize(labels, phases=[1, 10, 1e4], spacing=(1, 2)),
        lambda: pl.solve_correctors(fields, threads=1).correctors,
        lambda: pl.homogenize(fields[..., None, None] * np.eye(2), tensor=True),
        lambda: pl.solve_correctors(labels, phases=[2.0, 3.0, 4.0]).correctors,
        lambda: refusal(bad),
        lambda: refusal(labels, phases=[1, 2]),
    ]
    expected = [call() for call in calls]
    start = threading.Barrier(8)

    def work(call):
        start.wait()
        return [call() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        for results, alone in zip(pool.map(work, calls), expected, strict=True):
            for result in results:
                assert_array_equal(result, alone)


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
    fields = np.tile(batch(count=8, shape=(128, 128)), (4, 1, 1))
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
        assert queue.get(timeout=300)
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()
    assert_array_equal(pl.homogenize(fields, threads=2), expected)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_other_threads_are_calling():
    fields = batch()
    expected = pl.homogenize(fields, threads=2)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            pl.homogenize(fields, threads=2)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:  # without Python's exit, which is pytest's here
                same = np.array_equal(pl.homogenize(fields, threads=2), expected)
                os._exit(0 if same else 1)
            assert wait_for(child) == 0
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def wait_for(child, seconds=60):
    """Return the exit code of a forked child, which is killed if it hangs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_pool_of_forked_processes_within_a_forked_process():
    fields = batch(count=4)
    expected = pl.homogenize(fields)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=pool_in_child, args=(fields, expected, queue))
    child.start()
    try:
        assert queue.get(timeout=300)
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()


def pool_in_child(fields, expected, queue):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map(pl.homogenize, [fields] * 4)
    queue.put(all(np.array_equal(result, expected) for result in results))


def test_a_pool_of_spawned_processes():
    inputs = [batch(count=4, seed=seed) for seed in range(4)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map_async(pl.homogenize, inputs).get(timeout=120)
    for fields, result in zip(inputs, results, strict=True):
        assert_array_equal(result, pl.homogenize(fields))


# About a minute of work for one thread, in one call.
LONG_CALL = """
import signal
import numpy as np
import pearlite as pl

# Under a shell that runs in the background, Ctrl-C is ignored from the start.
signal.signal(signal.SIGINT, signal.default_int_handler)
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
        output, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert output.split() == ["interrupted", "1.0"], errors


# The call is still going on when the main thread ends.
DAEMON = """
import threading, time
import numpy as np
import pearlite as pl

fields = np.random.default_rng(0).choice([1, 100.0], (20000, 64, 64))
call = lambda: pl.homogenize(fields, rtol=1e-10, threads=2)
threading.Thread(target=call, daemon=True).start()
time.sleep(0.5)
print("leaving", flush=True)
"""


def run(script):
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_interpreter_exits_while_a_daemon_thread_calls():
    process = run(DAEMON)
    assert (process.returncode, process.stdout, process.stderr) == (0, "leaving\n", "")


# Two runtimes of threads live in one process; each works before and after the other.
WITH_TORCH = """
import numpy as np
{imports}
import warnings
warnings.simplefilter("error")
torch.set_num_threads(2)
fields = np.random.default_rng(0).uniform(1, 10, (40, 32, 32))
matrix = torch.ones(600, 600)
before = pl.homogenize(fields, threads=2)
product = (matrix @ matrix).sum().item()
assert np.array_equal(pl.homogenize(fields, threads=2), before)
assert (matrix @ matrix).sum().item() == product == 600.0**3
{fork}
print("done")
"""
IN_CHILD = """
import os
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(pl.homogenize(fields, threads=2), before) else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@needs_torch
@pytest.mark.parametrize("first", ["pearlite", "torch"])
@pytest.mark.parametrize("fork", ["", IN_CHILD], ids=["one", "forked"])
def test_import_before_and_after_torch(first, fork):
    if fork and not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    imports = ["import pearlite as pl; pl.homogenize(np.ones((2, 2)))", "import torch"]
    process = run(
        WITH_TORCH.format(imports="\n".join(imports[:: -1 if first == "torch" else 1]), fork=fork)
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == "done\n"
