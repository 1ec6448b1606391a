"""Long runs of `pearlite homogenize`."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.cli.app import run as main

zarr = pytest.importorskip("zarr")


@pytest.fixture
def images(tmp_path, monkeypatch):
    cells = np.random.default_rng(2).integers(2, size=(30, 8, 8), dtype=np.uint8)
    zarr.create_array(str(tmp_path / "cells.zarr"), data=cells, chunks=(10, 8, 8))
    monkeypatch.chdir(tmp_path)
    return cells


def test_zarr_to_zarr(images, capsys):
    assert main(["homogenize", "cells.zarr", "-c", "1,10", "-o", "out.zarr"]) == 0
    found = zarr.open("out.zarr", mode="r")["effective"][:]
    np.testing.assert_array_equal(found, pl.homogenize(images, phases=[1, 10]))
    out = capsys.readouterr().out
    assert out.startswith("30 cells, in ")
    assert out.endswith("wrote out.zarr\n")


def test_a_cell_that_is_wrong(images, capsys):
    images[4, 1, 2] = 7
    zarr.open("cells.zarr", mode="r+")[4] = images[4]
    assert main(["homogenize", "cells.zarr", "-c", "0=1,1=10", "-o", "out.zarr"]) == 1
    shown = capsys.readouterr()
    assert "cell 4: pixel (1, 2) is 7; expected one of 0, 1" in shown.out
    assert "1 of 30 cells have no result; the first is 4: pixel (1, 2)" in shown.err


def test_interrupted_and_resumed(images, capsys, monkeypatch):
    from pearlite.cli import homogenize_batch

    real = homogenize_batch.homogenize

    def interrupted(*arguments, **options):
        def stop(done, total):
            if done:
                raise KeyboardInterrupt

        return real(*arguments, **{**options, "chunk": 10, "progress": stop})

    monkeypatch.setattr(homogenize_batch, "homogenize", interrupted)
    command = ["homogenize", "cells.zarr", "-c", "1,10", "-o", "out.zarr"]
    assert main(command) == 130
    assert "out.zarr.parts; go on with --resume" in capsys.readouterr().err
    monkeypatch.setattr(
        homogenize_batch, "homogenize", lambda *a, **options: real(*a, **options, chunk=10)
    )
    assert main([*command, "--resume"]) == 0
    assert ", 30 of them before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cells.zarr", "--resume"], "a long run needs -o OUT"),
        (["cells.zarr", "cells.zarr", "-o", "o.zarr"], "one source, and there are 2"),
        (["cells.zarr", "-o", "o.zarr", "--bounds"], "--bounds does not go with a long run"),
        (["cells.zarr", "-o", "o.zarr", "-c", "x"], "--conductivity"),
        (["cells.zarr", "-o", "o.zarr", "--workers", "1", "--cluster", "a"], "give one of them"),
        (["cells.zarr", "-o", "o.json", "--resume", "-c", "1,10"], "unknown ending '.json'"),
    ],
)
def test_usage(images, arguments, message, capsys):
    assert main(["homogenize", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
