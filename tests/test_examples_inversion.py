"""The experiments on distributional inversion run, from the command line to their figures."""

import importlib
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

PAPERS = Path(__file__).parents[1] / "examples" / "papers"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run an experiment, small; return its table by case and block, and the names of its files."""
    monkeypatch.syspath_prepend(str(PAPERS))
    module = importlib.import_module("distributional_inversion")

    def call(experiment, *options):
        arguments = ["--experiment", experiment, "--quick", "--output", str(tmp_path), *options]
        monkeypatch.setattr(sys, "argv", ["distributional_inversion.py", *arguments])
        module.main()
        printed = capsys.readouterr().out
        assert "| case | method | block |" in printed
        (table,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
        names = sorted(path.name for path in tmp_path.glob("*.png"))
        assert all(f"{name}" in printed for name in names)
        return {(row["case"], row["block"]): row for row in table}, names

    yield call
    for name in [name for name in sys.modules if name.startswith(("inversion_", "distributional"))]:
        del sys.modules[name]


def test_uniform_layers(run):
    table, names = run("1d-uniform", "--seeds", "2")
    assert names == ["1d-uniform.png"]
    assert len(table) == 2
    for row in table.values():
        assert row["worst %"] < 4 * row["bound %"]


def test_dirichlet_layers(run):
    table, names = run("1d-dirichlet", "--seeds", "1")
    assert names == ["figure_03.png"]
    assert {case for case, _ in table} == {
        "4.3 Dirichlet, least distance", "4.3 Dirichlet, likelihood",
    }  # fmt: skip
    assert table["4.3 Dirichlet, likelihood", "alpha"]["N_eff"] == 500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "figures"),
    [
        ("1d-sweep", ["figure_04.png"]),
        ("2d-periodic", ["figure_06.png", "figure_07.png"]),
        ("2d-locally-periodic", ["2d-locally-periodic.png", "figure_10.png", "figure_11.png"]),
        ("2d-stochastic", ["figure_13.png", "figure_14.png"]),
        ("2d-locally-stochastic", ["figure_15.png", "figure_16.png"]),
    ],
)
def test_experiments(run, experiment, figures):
    table, names = run(experiment, "--seeds", "1")
    assert names == figures
    assert all(0 <= row["median %"] < 100 for row in table.values())
