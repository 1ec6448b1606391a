"""`pearlite reconstruct` as its user meets it."""

import json

import numpy as np
import pytest
from PIL import Image

import pearlite as pl
from pearlite import microstructures
from pearlite.cli import main
from pearlite.cli.reconstruct import progress_text
from pearlite.reconstruction._watch import Record

LABELS = microstructures.thresholded_noise(1, (32, 40), length=2, fractions=(0.6, 0.4), seed=1)[0]


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "reference.png"
    Image.fromarray(LABELS * 200 + 30).save(path)
    return path


def test_match_writes_image_and_report(reference, tmp_path, capsys):
    out, page = tmp_path / "out.png", tmp_path / "page.html"
    assert run("reconstruct", reference, "--match", "-o", out, "--report", page, "--seed", 3) == 0
    shown = capsys.readouterr().out
    assert "0 wrong pixels; all integer S2 and S3 counts agree" in shown
    assert f"wrote {out}" in shown
    pixels = np.asarray(Image.open(out))
    assert set(np.unique(pixels)) == {30, 230}  # the grey values of the reference
    assert pl.reconstruction.overlap(pixels == 230, LABELS == 1).best == 1
    assert "The original." in page.read_text(encoding="utf-8")


def test_json(reference, tmp_path, capsys):
    code = run("reconstruct", reference, "--match", "-o", tmp_path / "out.npy", "--json")
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["exact"]
    assert found["match"]
    assert found["wrong_pixels"] == 0
    assert found["overlap"] == 1
    assert found["overlap_by_chance"] < 0.9
    written = np.load(tmp_path / "out.npy")
    assert written.dtype == np.uint8
    assert set(np.unique(written)) == {30, 230}


def test_labels_become_greys_in_a_png(tmp_path):
    image = microstructures.voronoi(1, (24, 24), sites=12, phases=3, seed=1)[0]
    np.save(tmp_path / "labels.npy", image)
    assert (
        run("reconstruct", tmp_path / "labels.npy", "--match", "-o", tmp_path / "o.png", "-q") == 0
    )
    assert set(np.unique(np.asarray(Image.open(tmp_path / "o.png")))) == {0, 127, 255}


def test_threshold_and_volume(tmp_path, capsys):
    rng = np.random.default_rng(0)
    grey = np.where(LABELS == 1, 180, 60) + rng.integers(-40, 40, LABELS.shape)
    np.save(tmp_path / "grey.npy", grey.astype(np.uint8))
    out = tmp_path / "out.npy"
    assert run("reconstruct", tmp_path / "grey.npy", "--match", "-o", out) == 2
    assert "grey values" in capsys.readouterr().err
    assert run("reconstruct", tmp_path / "grey.npy", "--match", "-o", out, "--threshold", 120) == 0
    assert np.load(out).sum() == LABELS.sum()
    volume = microstructures.thresholded_noise(1, (16, 16, 16), length=1, seed=1)[0]
    np.save(tmp_path / "volume.npy", volume)
    options = ("--match", "--volume", "-q", "-o")
    assert run("reconstruct", tmp_path / "volume.npy", *options, tmp_path / "v.tif") == 0
    found = pl.io.read_images(tmp_path / "v.tif")
    assert pl.reconstruction.overlap(found, volume).best == 1
    assert run("reconstruct", tmp_path / "volume.npy", *options, tmp_path / "v.png") == 2


def test_several_references(tmp_path, capsys):
    stack = microstructures.thresholded_noise(2, (16, 16), length=1, seed=1)
    np.save(tmp_path / "stack.npy", stack)
    assert run("reconstruct", tmp_path / "stack.npy", "--match", "-o", tmp_path / "o.npy") == 0
    assert "2 images are at hand" in " ".join(capsys.readouterr().out.split())


def test_checkpoint_and_resume(reference, tmp_path, capsys):
    state, out = tmp_path / "state.npz", tmp_path / "out.npy"
    options = ("reconstruct", reference, "--match", "-o", out, "-q")
    assert run(*options, "--checkpoint", state) == 0
    assert run(*options, "--resume", state) == 0
    assert run(*options, "--resume", state, "--seed", 9) == 1
    assert "another run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--match", "-o", "out.gif"), 2, "unknown ending '.gif'"),
        (("--match", "-o", "nowhere/out.png"), 1, "does not exist"),
        (("--match", "-o", "out.png", "--report", "page.pdf"), 2, "expected .html"),
        (("--match", "-o", "out.png", "--method", "magic"), 2, "--method: 'magic'"),
        (("-o", "out.png", "--method", "identity"), 2, "--method goes with --match"),
        (("--match", "-o", "out.png", "--shape", "0"), 2, "--shape: '0'"),
        (("--match", "-o", "out.png", "--shape", "a,b"), 2, "--shape: 'a,b'"),
        (("--match", "-o", "out.png", "--shape", "16"), 1, "shape is (16, 16)"),
        (("--match", "-o", "out.png", "--resume", "none.npz"), 1, "none.npz: no such file"),
        (("--match", "-o", "reference.png"), 2, "also an input"),
        (("--match",), 2, "--output"),
    ],
)
def test_mistakes_end_in_one_line(options, code, message, reference, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("reconstruct", "reference.png", *options) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_ctrl_c_writes_the_best_so_far(reference, tmp_path, monkeypatch, capsys):
    from pearlite.reconstruction import _match

    original = _match.match

    def interrupted(*arguments, **options):
        def progress(record):
            raise KeyboardInterrupt

        return original(*arguments, **(options | {"progress": progress}))

    monkeypatch.setattr(pl.reconstruction, "match", interrupted, raising=False)
    out = tmp_path / "out.npy"
    assert run("reconstruct", reference, "--match", "-o", out) == 130
    assert np.load(out).shape == LABELS.shape
    assert "interrupted" in capsys.readouterr().err


def test_progress_line():
    text = progress_text(Record(1234, 0.0123, 0.4, 5678, 1.25))
    assert (
        text == "1 234 evaluations   loss 1.23e-02   rounded 4.00e-01   5 678 wrong counts   1.2 s"
    )
    assert progress_text(Record(1, 2.0, np.nan, -1, 0.0)) == "1 evaluations   loss 2.00e+00   0.0 s"
