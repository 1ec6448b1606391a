"""The commands that show what there is: demo, info, version and help."""

import itertools
import json
import os

import pyarrow.parquet
import pytest

import pearlite as pl


def test_demo(pearlite):
    code, out, err = pearlite("demo", "--count", 11, "-o", "here/there")
    assert (code, err) == (0, "")
    assert "cells/s" in out
    assert "two phases, noise: 6 cells of 64×64, conductivities 1, 10" in out
    assert "five phases, Voronoi: 5 cells of 64×64, conductivities 1, 2, 4, 7, 10" in out
    assert "1.818182" in out
    assert "1.544220" in out
    assert sorted(os.listdir("here/there")) == ["demo.png", "tensors.csv", "tensors.parquet"]
    table = pyarrow.parquet.read_table("here/there/tensors.parquet").to_pylist()
    assert len(table) == 11
    assert table[6]["family"] == "five phases, Voronoi"
    assert all(1 < row["A11"] < 10 for row in table)


def test_demo_as_json(pearlite):
    code, out, _ = pearlite("demo", "--count", 4, "--json")
    assert code == 0
    report = json.loads(out)
    assert [family["count"] for family in report["families"]] == [2, 2]
    for case in report["exact_cases"]:
        assert abs(case["difference"]) < (1e-6 if "layers" in case["name"] else 1e-3)
    assert report["cells_per_second"] > 0


def test_demo_without_optional_packages(pearlite, monkeypatch):
    from pearlite.io import errors

    find = errors.importlib.import_module

    def missing(name):
        if name.startswith(("pyarrow", "matplotlib")):
            raise ImportError(f"No module named {name!r}")
        return find(name)

    monkeypatch.setattr(errors.importlib, "import_module", missing)
    code, out, _ = pearlite("demo", "--count", 2)
    assert code == 0
    assert "skipped: tensors.parquet: writing Parquet needs pyarrow" in out
    assert "skipped: demo.png: drawing needs matplotlib" in out
    assert os.listdir("pearlite-demo") == ["tensors.csv"]


def test_info(pearlite):
    code, out, _ = pearlite("info")
    assert code == 0
    assert "passed" in out
    code, out, _ = pearlite("info", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["pearlite"] == pl.__version__
    assert facts["self_test"]["passed"]
    assert facts["threads"] >= 1
    assert facts["packages"]["h5py"]


def test_version_and_help(pearlite):
    assert pearlite("--version") == (0, f"pearlite {pl.__version__}\n", "")
    for command in (["--help"], ["homogenize", "-h"], ["demo", "--help"], ["info", "--help"]):
        code, out, err = pearlite(*command)
        assert (code, err) == (0, "")
        assert "Usage: pearlite" in out


@pytest.mark.parametrize("columns", [64, 100])
def test_help_breaks_lines_where_the_terminal_ends(pearlite, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = pearlite("invert", "--help")
    lines = [line.strip() for line in out.splitlines()]
    begin = next(k for k, line in enumerate(lines) if line.startswith("1000 tensors"))
    paragraph = lines[begin : lines.index("", begin)]
    assert " ".join(paragraph).endswith("whether the model fits.")
    for line, following in itertools.pairwise(paragraph):
        assert len(line) + 1 + len(following.split()[0]) > columns - 2
