"""The example of the paper's case studies, with a score that needs no training."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from reference.toy_score import ToyEngine

import pearlite as pl
from pearlite.generation import Model, _generate

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
SCRIPT = Path(__file__).parents[1] / "examples" / "papers" / "local_global.py"


@pytest.fixture
def example(monkeypatch):
    """The module of the script, with engines that need no training."""
    monkeypatch.setattr(_generate, "_engine", lambda model, threads: ToyEngine(model.phases))
    spec = importlib.util.spec_from_file_location("local_global", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_compares_and_draws(example, tmp_path, monkeypatch, capsys):
    draw = pl.microstructures.thresholded_noise
    np.save(tmp_path / "reference.npy", draw(1, (64, 96), length=2, seed=1)[0])
    np.save(tmp_path / "other.npy", draw(1, (64, 64), length=4, seed=2)[0])
    Model.random(phases=2, channels=2, levels=1).save(tmp_path / "model.safetensors")
    options = {"model": "model.safetensors", "reference": "reference.npy", "other": "other.npy",
               "count": "5", "size": "32", "output": "out.png"}  # fmt: skip
    paths = ("model", "reference", "other", "output")
    listed = [
        part
        for name, value in options.items()
        for part in (f"--{name}", str(tmp_path / value) if name in paths else value)
    ]
    monkeypatch.setattr(sys, "argv", ["local_global.py", *listed])
    example.main()
    shown = capsys.readouterr().out
    assert "5 samples of 32² pixels, 40 evaluations of a sample" in shown
    for name in ("Gaussian field", "hybrid", "network alone", "reference"):
        assert shown.count(name) >= 2
    assert "contrast 100" in shown
    assert (tmp_path / "out.png").stat().st_size > 50_000


def test_it_trains_first_where_asked(example, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "reference.npy", pl.microstructures.thresholded_noise(
        1, (96, 96), length=2, seed=1)[0])  # fmt: skip
    options = ["--reference", str(tmp_path / "reference.npy"), "--train", "0.001", "--threads", "1",
               "--count", "4", "--size", "32", "--output", str(tmp_path / "out.png")]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["local_global.py", *options])
    pytest.importorskip("torch", reason="torch is not installed")
    example.main()
    assert "loss of" in capsys.readouterr().out
    assert Model.load(tmp_path / "out.safetensors").name == "reference"
    monkeypatch.setattr(sys, "argv", ["local_global.py", "--train", "1"])
    with pytest.raises(SystemExit):
        example.main()


def test_tiles_are_what_fits(example):
    image = np.arange(7 * 9).reshape(7, 9)
    found = example.tiles(image, 3)
    assert found.shape == (6, 3, 3)
    assert np.array_equal(found[4], image[3:6, 3:6])
