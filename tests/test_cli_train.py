"""`pearlite train` as its user meets it."""

import json
import signal

import numpy as np
import pytest
from PIL import Image

from pearlite import microstructures
from pearlite.cli import main, terminal
from pearlite.generation import Model

pytest.importorskip("torch", reason="torch is not installed")
from pearlite.generation import _training

LABELS = microstructures.discs(1, (32, 40), number=6, fraction=0.38, seed=1)[0]
TINY = ("--iterations", 6, "--batch", 3, "--patch", 8, "--channels", 4, "--levels", 1,
        "--threads", 1)  # fmt: skip
COMMAND = ("train", "reference.png", "-o", "model.safetensors", *TINY)


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A folder with images, which is the current one."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(LABELS * 200 + 30).save("reference.png")
    np.save("grey.npy", np.arange(1280, dtype=np.uint8).reshape(32, 40))
    np.save("flat.npy", np.zeros((32, 40), np.uint8))
    np.save("small.npy", np.eye(10, dtype=np.uint8))
    return tmp_path


def test_a_model_and_its_acceptance(files, capsys):
    assert run(*COMMAND, "--samples", 4, "--seed", 7, "--name", "discs") == 0
    shown = capsys.readouterr()
    assert "6 steps of 3 patches" in shown.out
    assert "fraction of phase 1" in shown.out
    assert "chords of phase 0, pixels" in shown.out
    assert "not accepted: train longer" in shown.out
    assert "wrote model.safetensors, 1 297 parameters" in shown.out
    assert shown.err == ""
    model = Model.load("model.safetensors")
    assert (model.name, model.channels, model.patch) == ("discs", 4, 8)
    assert model.training["values"] == [30, 230]
    assert model.training["seed"] == 7
    assert not (files / "model.checkpoint").exists()


def test_json(capsys):
    assert run(*COMMAND, "--samples", 4, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["iterations"] == 6
    assert shown["acceptance"]["accepted"] is False
    assert len(shown["acceptance"]["fractions"]) == 2


def test_quiet_and_without_samples(capsys):
    assert run(*COMMAND, "--samples", 0, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_keeps_a_checkpoint(files, capsys, monkeypatch):
    assert run(*COMMAND, "--samples", 0, "-q") == 0
    whole = Model.load("model.safetensors")
    (files / "model.safetensors").unlink()
    step = _training._Run._step

    def interrupted(self):
        if self._optimizer.iteration == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(_training._Run, "_step", interrupted)
    assert run(*COMMAND) == 130
    assert "stopped after 4 of 6 steps; the same command with --resume" in capsys.readouterr().err
    assert not (files / "model.safetensors").exists()
    monkeypatch.undo()
    monkeypatch.chdir(files)
    assert run(*COMMAND) == 2
    assert "model.checkpoint is there, of a training that was stopped" in capsys.readouterr().err
    assert run(*COMMAND, "--resume", "--samples", 0) == 0
    again = Model.load("model.safetensors")
    assert all(np.array_equal(again.tensors[k], v) for k, v in whole.tensors.items())
    assert not (files / "model.checkpoint").exists()


def test_progress(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(terminal, "console", terminal.console)
    assert run(*COMMAND, "--samples", 0) == 0
    assert "training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("missing.png", "-o", "m.safetensors"), 1, "missing.png: no such file"),
        (("grey.npy", "-o", "m.safetensors"), 2, "256 grey values (0, 1, 2, 3, 4, 5 and 250 more)"),
        (("flat.npy", "-o", "m.safetensors"), 2, "flat.npy has one phase only, 0"),
        (("small.npy", "-o", "m.safetensors"), 1, "10 x 10 pixels; expected at least"),
        (("small.npy", "flat.npy", "-o", "m.safetensors"), 2, "expected one size"),
        (("reference.png", "-o", "m.pt"), 2, "unknown ending '.pt'; expected .safetensors"),
        (("reference.png", "-o", "no/m.safetensors"), 1, "its folder does not exist"),
        (("reference.png", "-o", "m.safetensors", "--schedule", "slow"), 2, "neither quick nor"),
        (("reference.png", "-o", "m.safetensors", "--patch", "9"), 2, "--patch is 9; expected a"),
        (("reference.png", "-o", "m.safetensors", "--minutes", "-1"), 2, "--minutes: -1 is not"),
        (("reference.png", "-o", "m.safetensors", "--samples", "2"), 2, "--samples: 2 is neither"),
        (("reference.png", "-o", "m.safetensors", "--resume"), 2, "there is no m.checkpoint"),
        (("reference.png", "-o", "m.safetensors", "--minutes", "1", "--iterations", "2"), 2,
         "give one of them"),
    ],
)  # fmt: skip
def test_wrong_commands(files, capsys, arguments, code, message):
    before = {path.name for path in files.iterdir()}
    assert run("train", *arguments) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert {path.name for path in files.iterdir()} == before
