"""Runs that lose a process: the one that asked, a worker, or the scheduler."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
from long_runs import (
    characterize,
    generate,
    go_on,
    homogenize,
    simulate,
    two_point,
)

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


def undisturbed(source, chunk, job=homogenize):
    target = source.with_name("undisturbed.npy")
    job(source, target, chunk=chunk)
    return np.load(target)


def damage(folder, choice):
    """Turn one byte of one finished part over."""
    parts = sorted(folder.glob("*.part"))
    if parts:
        path = choice.choice(parts)
        data = bytearray(path.read_bytes())
        data[choice.randrange(len(data))] ^= 0xFF
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("job", "times"),
    [(homogenize, 50), (two_point, 5), (characterize, 5), (generate, 5), (simulate, 5)],
)
def test_killed_at_random_moments(job, times, source, tmp_path, monkeypatch):
    # So that what is forked has imported everything, and a child begins at once.
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["long_runs"])
    target, choice = tmp_path / "t.npy", random.Random(3)
    expected = undisturbed(source, 5, job)
    kills = 0
    while kills < times:
        begun = context.Event()
        child = context.Process(target=go_on, args=(job, source, target, begun))
        child.start()
        assert begun.wait(60)
        child.join(choice.uniform(0, 0.06))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        if child.exitcode == 0 and target.exists():  # finished before it was killed: once more
            np.testing.assert_array_equal(np.load(target), expected)
            target.unlink()
        if kills % 7 == 0:
            damage(tmp_path / "t.npy.parts", choice)
    job(source, target, chunk=5, resume=True)
    np.testing.assert_array_equal(np.load(target), expected)
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize("job", [homogenize, characterize, generate, simulate])
def test_processes_of_this_machine(job, source, tmp_path):
    report = job(source, tmp_path / "t.npy", chunk=20, workers=1 + (job is homogenize))
    assert report.failed == 0
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), undisturbed(source, 20, job))


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
