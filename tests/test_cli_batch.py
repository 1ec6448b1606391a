"""Long runs of `pearlite homogenize`."""

import h5py
import numpy as np
import pyarrow.parquet
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


COMMANDS = {
    "homogenize": (["homogenize", "cells.zarr", "-c", "1,10", "-o", "out.zarr"], "cells"),
    "statistics": (["statistics", "cells.zarr", "-p", "0", "-p", "1", "-o", "out.zarr"], "images"),
    "maps": (
        ["statistics", "cells.zarr", "-p", "0", "-p", "1", "--two-point", "-o", "out.zarr"],
        "images",
    ),
    "generate": (
        ["generate", "-n", "30", "--shape", "16", "--evaluations", "2", "-o", "out.zarr"],
        "images",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_and_resumed(name, images, capsys, monkeypatch):
    from pearlite.cli import long_run

    command, what = COMMANDS[name]
    real = long_run.Run.go

    def smaller(self, label, start, cells, quiet, stop=False):
        def reached(done, total):
            if stop and done:
                raise KeyboardInterrupt

        def begin(**options):
            return start(**{**options, "chunk": 10, "progress": reached})

        return real(self, label, begin, cells, quiet)

    monkeypatch.setattr(long_run.Run, "go", lambda *given: smaller(*given, stop=True))
    assert main(command) == 130
    assert "out.zarr.parts; go on with --resume" in capsys.readouterr().err
    monkeypatch.setattr(long_run.Run, "go", smaller)
    assert main([*command, "--resume"]) == 0
    assert f"30 {what}, 30 of them before" in capsys.readouterr().out


def test_statistics_of_a_store(images, capsys):
    command = ["statistics", "cells.zarr", "-p", "0", "-p", "1"]
    options = ["--connectivity", "corners", "--spacing", "0.5", "--open"]
    assert main([*command, *options, "-o", "out.zarr"]) == 0
    assert capsys.readouterr().out.startswith("30 images, in ")
    found = zarr.open("out.zarr", mode="r")
    expected = pl.statistics.characterize(
        images, phases=[0, 1], periodic=False, spacing=0.5, connectivity="corners"
    )
    np.testing.assert_array_equal(found["clusters"][:], expected.clusters)
    np.testing.assert_allclose(found["mean_chord"][:], expected.chords.mean)


def test_endings_that_only_a_long_run_writes_ask_for_one(images):
    assert main(["statistics", "cells.zarr", "-p", "0", "-p", "1", "-o", "out.parquet"]) == 0
    assert pyarrow.parquet.read_table("out.parquet").num_rows == 30
    assert main(["homogenize", "cells.zarr", "-c", "1,10", "-o", "out.h5"]) == 0
    with h5py.File("out.h5") as file:
        np.testing.assert_array_equal(file["effective"], pl.homogenize(images, phases=[1, 10]))


def test_maps_of_a_store(images):
    command = ["statistics", "cells.zarr", "-p", "0", "-p", "1", "--two-point"]
    assert main([*command, "-o", "out.npy"]) == 0
    expected = pl.correlation.two_point(images, phases=[0, 1])
    np.testing.assert_allclose(np.load("out.npy"), expected, atol=1e-12)


def test_generated_into_a_store(images):
    command = ["generate", "-n", "3", "--shape", "16", "--evaluations", "2", "--seed", "5"]
    assert main([*command, "-o", "out.zarr"]) == 0
    expected = pl.generation.generate(count=3, shape=(16, 16), evaluations=2, seed=5)
    np.testing.assert_array_equal(zarr.open("out.zarr", mode="r")["images"][:], expected.images)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["statistics", "cells.zarr", "--resume"], "a long run needs -o OUT"),
        (["statistics", "cells.zarr", "-o", "o.zarr"], "a long run needs --phase"),
        (["statistics", "cells.zarr", "-o", "o.zarr", "--threshold", "1"], "--threshold does not"),
        (
            ["statistics", "cells.zarr", "-p", "0", "-o", "o.npy", "--two-point", "--spacing", "1"],
            "--spacing does not go with --two-point",
        ),
        (["generate", "-o", "o.zarr", "--json"], "--json does not go with a long run"),
        (["generate", "-o", "o.csv", "--resume"], "unknown ending '.csv'"),
    ],
)
def test_usage_of_others(images, arguments, message, capsys):
    assert main(arguments) in (1, 2)
    assert message in capsys.readouterr().err
