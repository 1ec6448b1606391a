"""The examples of random microstructures run, on a small scale, and draw."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs an example with some arguments."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")

    def run(name, *arguments):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.chdir(tmp_path)
        module.main()
        return module

    return run


def test_voronoi_study(run, tmp_path, capsys):
    module = run("voronoi_study", "--count", "60", "--size", "16")
    shown = capsys.readouterr().out
    assert "60 cells of 16² pixels" in shown
    assert (tmp_path / "voronoi_study.png").stat().st_size > 20_000
    result = module.study(60, 16, seed=0)
    assert result.labels.dtype == np.uint8
    assert result.components.shape == (60, 3)
    shares = np.stack([(result.labels == k).mean(axis=(1, 2)) for k in range(3)], axis=1)
    upper = shares @ module.CONDUCTIVITY
    assert (result.components[:, :2].max(axis=1) <= upper + 1e-6).all()


def test_specimens(run, tmp_path, capsys):
    module = run("specimens", "--cells", "8", "--size", "8", "--sites", "12")
    shown = capsys.readouterr().out
    assert "locally periodic: 8 × 8 cells" in shown
    assert "locally stationary: 8 × 8 cells" in shown
    for kind in ("periodic", "stationary"):
        assert (tmp_path / f"specimens_{kind}.png").stat().st_size > 20_000
    found = module.stationary(8, 8, 12, seed=0)
    assert found.maps.shape == (8, 8, 3)
    np.testing.assert_allclose(found.fields.sum(axis=0), 1)
