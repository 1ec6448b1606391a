"""Runs that lose a process: the one that asked, a worker, or the scheduler."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

import pearlite as pl
from pearlite.io import FileError

distributed = pytest.importorskip("distributed")

PHASES = [1.0, 10.0]
pytestmark = pytest.mark.filterwarnings("ignore")  # of the cluster's own shutdown


@pytest.fixture
def source(tmp_path):
    cells = np.random.default_rng(5).integers(2, size=(600, 12, 12), dtype=np.uint8)
    np.save(tmp_path / "images.npy", cells)
    return tmp_path / "images.npy"


def undisturbed(source, chunk):
    target = source.with_name("undisturbed.npy")
    pl.batch.homogenize(source, target, phases=PHASES, chunk=chunk)
    return np.load(target)


def go_on(source, target, begun):
    """Run in a process that is going to be killed."""
    begun.set()
    pl.batch.homogenize(source, target, phases=PHASES, chunk=5, resume=True, threads=1)


def damage(folder, choice):
    """Turn one byte of one finished part over."""
    parts = sorted(folder.glob("*.part"))
    if parts:
        path = choice.choice(parts)
        data = bytearray(path.read_bytes())
        data[choice.randrange(len(data))] ^= 0xFF
        path.write_bytes(data)


def test_killed_at_fifty_moments(source, tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pearlite.batch", "pearlite.corrector", "numpy"])
    target, choice = tmp_path / "t.npy", random.Random(3)
    kills = 0
    while kills < 50:
        begun = context.Event()
        child = context.Process(target=go_on, args=(source, target, begun))
        child.start()
        assert begun.wait(60)
        child.join(choice.uniform(0, 0.06))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        if child.exitcode == 0 and target.exists():  # finished before it was killed: once more
            np.testing.assert_array_equal(np.load(target), undisturbed(source, 5))
            target.unlink()
        if kills % 7 == 0:
            damage(tmp_path / "t.npy.parts", choice)
    pl.batch.homogenize(source, target, phases=PHASES, chunk=5, resume=True)
    np.testing.assert_array_equal(np.load(target), undisturbed(source, 5))
    assert not list(tmp_path.glob("*.parts"))


def test_processes_of_this_machine(source, tmp_path):
    report = pl.batch.homogenize(source, tmp_path / "t.npy", phases=PHASES, chunk=50, workers=2)
    assert (report.count, report.failed) == (600, 0)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), undisturbed(source, 50))


@pytest.fixture
def network(tmp_path):
    """Start a scheduler and two workers, each a process of its own."""
    python = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    place = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen([*python, *options, "--scheduler-file", str(place)], **quiet)
    python[-1] = "distributed.cli.dask_worker"
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
    command = [*python, *options, "--scheduler-file", str(place)]
    workers = [subprocess.Popen(command, **quiet) for _ in range(2)]
    try:
        with distributed.Client(scheduler_file=str(place), timeout=300) as client:
            client.wait_for_workers(2, timeout=300)
            yield client.scheduler.address, scheduler, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_a_worker_dies(source, tmp_path, network):
    address, _, workers = network
    killed = []

    def progress(done, total):
        if done >= 100 and not killed:
            killed.append(done)
            workers[0].kill()

    report = pl.batch.homogenize(
        source, tmp_path / "t.npy", phases=PHASES, chunk=5, cluster=address, progress=progress
    )
    assert killed
    assert report.count == 600
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), undisturbed(source, 5))


def test_the_scheduler_dies(source, tmp_path, network):
    address, scheduler, _ = network
    killed = []

    def progress(done, total):
        if done >= 100 and not killed:
            killed.append(done)
            scheduler.kill()

    options = {"phases": PHASES, "chunk": 5}
    with pytest.raises(FileError, match=r"the cluster failed .* resume to go on"):
        pl.batch.homogenize(
            source, tmp_path / "t.npy", **options, cluster=address, progress=progress
        )
    report = pl.batch.homogenize(source, tmp_path / "t.npy", **options, resume=True)
    assert report.resumed >= 100
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), undisturbed(source, 5))


def test_no_scheduler(source, tmp_path):
    with pytest.raises(FileError, match=r"cluster tcp://127\.0\.0\.1:9"):
        pl.batch.homogenize(source, tmp_path / "t.npy", phases=PHASES, cluster="tcp://127.0.0.1:9")
