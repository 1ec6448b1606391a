"""`pearlite generate` as its user meets it."""

import json

import numpy as np
import pytest
from PIL import Image
from reference.toy_score import ToyEngine

import pearlite as pl
from pearlite import microstructures
from pearlite.cli import main, terminal
from pearlite.generation import Model, _generate

LABELS = microstructures.thresholded_noise(1, (32, 40), length=2, fractions=(0.6, 0.4), seed=1)[0]
THREE = microstructures.voronoi(1, (32, 32), sites=12, phases=3, seed=1)[0]


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """No training, no network."""
    monkeypatch.setattr(_generate, "_engine", lambda model, threads: ToyEngine(model.phases))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with models and images, which is the current one."""
    monkeypatch.chdir(tmp_path)
    Model.random(phases=2, channels=4, levels=1, name="toy").save("two.safetensors")
    Model.random(phases=3, channels=4, levels=1).save("three.safetensors")
    Image.fromarray(LABELS * 200 + 30).save("reference.png")
    np.save("three.npy", THREE)
    np.save("grey.npy", np.arange(1024, dtype=np.uint8).reshape(32, 32))
    return tmp_path


COMMAND = ("generate", "-m", "two.safetensors", "--statistics", "reference.png", "-o")


def test_images_and_report(files, capsys):
    options = ("--count", 4, "--volume-fraction", 0.38, "--seed", 7, "--report", "page.html")
    assert run(*COMMAND, "out.h5", *options) == 0
    shown = capsys.readouterr().out
    assert "4 images of 32 × 40 pixels" in shown
    assert "40 evaluations each" in shown
    assert "volume fractions 0.6203, 0.3797; off by 0.0003" in shown
    assert "wrote out.h5" in shown
    assert "wrote page.html" in shown
    images = pl.io.read_images("out.h5:/images")
    assert images.shape == (4, 32, 40)
    assert (images.sum(axis=(1, 2)) == round(0.38 * LABELS.size)).all()
    made = pl.generation.generate(
        "two.safetensors", 4, seed=7, statistics=LABELS, volume_fraction=0.38
    )
    assert np.array_equal(made.images, images)
    assert "Chord lengths" in (files / "page.html").read_text(encoding="utf-8")


def test_json(files, capsys):
    options = ("--method", "annealed", "--evaluations", 5, "--shape", 32, "--free", "--json")
    assert run(*COMMAND, "out.npy", *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 1
    assert found["shape"] == [32, 32]
    assert (found["method"], found["evaluations"], found["conditioned"]) == ("annealed", 5, False)
    assert found["model"] == "toy"
    assert found["written"] == ["out.npy"]
    assert sum(found["fractions"]) == pytest.approx(1)


def test_three_phases_in_pngs(files, capsys):
    command = ("generate", "-m", "three.safetensors", "--statistics", "three.npy", "-o", "o.png")
    assert run(*command, "-n", 3, "--volume-fraction", ".2,.3,.5") == 0
    assert "… 1 more" in capsys.readouterr().out
    pixels = np.asarray(Image.open("o_0002.png"))
    assert np.unique(pixels).tolist() == [0, 127, 255]
    shares = np.bincount(pixels.ravel(), minlength=256)[[0, 127, 255]] / pixels.size
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=1e-3)


def test_quiet_and_threshold(files, capsys):
    command = ("generate", "-m", "two.safetensors", "--statistics", "grey.npy", "-q")
    assert run(*command, "-o", "out.tif") == 2
    assert "grey values" in capsys.readouterr().err
    assert run(*command, "-o", "out.tif", "--threshold", 128, "--no-field", "--open") == 0
    assert capsys.readouterr().out == ""
    assert pl.io.read_images("out.tif").shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("out.gif",), 2, "unknown ending '.gif'"),
        (("nowhere/out.npy",), 1, "does not exist"),
        (("out.npy", "--report", "page.pdf"), 2, "expected .html"),
        (("out.npy", "--method", "magic"), 2, "--method: 'magic'"),
        (("out.npy", "--shape", "a"), 2, "--shape: 'a'"),
        (("out.npy", "--shape", "8"), 1, "shape is 8"),
        (("out.npy", "--volume-fraction", "1.5"), 2, "--volume-fraction: '1.5'"),
        (("out.npy", "--volume-fraction", ".3,.3"), 1, "volume_fraction is (0.3, 0.3)"),
        (("out.npy", "--statistics", "three.npy"), 1, "three.npy: has 3 phases (0, 1, 2); the mod"),
        (("out.npy", "--statistics", "no.png"), 1, "no.png: no such file"),
        (("out.npy", "-m", "three.npy"), 1, "three.npy: not a readable safetensors file"),
        (("out.npy", "-m", "no.safetensors"), 1, "no.safetensors: no such file"),
        (("reference.png",), 2, "also an input"),
        (("out.npy", "--count", "0"), 2, "count"),
    ],
)
def test_mistakes_end_in_one_line(options, code, message, files, capsys):
    assert run(*COMMAND, *options) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not (files / "out.npy").exists()


def test_ctrl_c_writes_what_is_done(files, capsys, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def stopping(*_arguments):
        def stop(done, total):
            if done > 0.6 * total:
                raise KeyboardInterrupt

        yield stop

    monkeypatch.setattr(terminal, "steps", stopping)
    options = ("-n", 300, "--threads", 1, "--evaluations", 2)
    assert run(*COMMAND, "out.npy", *options) == 130
    assert 100 <= len(np.load("out.npy")) < 300
    assert "interrupted" in capsys.readouterr().err


def test_a_terminal_shows_a_bar(monkeypatch, capsys):
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with terminal.steps("generating", "4 images") as tell:
        tell(3, 8)
    with terminal.steps("generating", "4 images", wanted=False) as tell:
        assert tell is None
