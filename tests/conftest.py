import os
import signal

import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")

# A shell that starts the tests in the background has them, and their children, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples take long enough on a loaded machine to break Hypothesis's deadline. In CI the same
# examples are drawn each time, so that a change is never blamed for an old fault.
settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture
def pearlite(tmp_path, monkeypatch, capfd):
    """Run one command line in an empty folder; return exit code, stdout and stderr."""
    from pearlite.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return caught.value.code, out, err

    return run


@pytest.fixture(autouse=True)
def _default_threads(monkeypatch):
    """Tests see all the cores whatever the caller's OMP_NUM_THREADS."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


collect_ignore = ["cpp"]  # what runs under sanitizers replaces the extension when imported
