"""The command line as a process: start-up, Ctrl-C, terminals and pipes."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest


def start(*arguments, **options):
    command = [sys.executable, "-W", "error", "-m", "pearlite", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)


def test_help_starts_without_heavy_imports():
    code = (
        "import sys; from pearlite.cli.app import run; run(['--help']);"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'scipy', 'matplotlib', 'torch')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_in_one_line_and_leaves_nothing(tmp_path):
    process = start("demo", "--count", "200000", "-o", "out", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)  # the whole demo would take minutes
    assert (process.returncode, out, err) == (130, "", "pearlite: interrupted\n")
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_progress(tmp_path):
    import pty

    np.save(tmp_path / "a.npy", np.ones((40, 8, 8), np.float32))
    here, there = pty.openpty()
    command = [sys.executable, "-m", "pearlite", "homogenize", "a.npy"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=there,
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(there)
    out, _ = process.communicate(timeout=300)
    shown = os.read(here, 100_000).decode()
    os.close(here)
    assert "homogenizing" in shown
    assert "40/40" in shown
    assert b"homogenizing" not in out


def test_a_reader_that_leaves_early(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((20000, 2, 2), np.float32))
    process = start("homogenize", "a.npy", "--json", cwd=tmp_path)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=300) == 1


def test_an_old_terminal(tmp_path):
    """Signs that its encoding lacks are replaced, and are no error."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    process = start("demo", "--count", "2", cwd=tmp_path, env=environment)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert "64?64" in out
