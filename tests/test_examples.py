import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def example(request):
    """The module of an example, which is a script."""
    spec = importlib.util.spec_from_file_location(request.param, EXAMPLES / f"{request.param}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[request.param] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[request.param]


@pytest.mark.parametrize("example", ["design_for_target_tensor"], indirect=True)
def test_design_for_target_tensor(example, tmp_path, monkeypatch):
    monkeypatch.setattr(example, "STAGES", (2, 8, 32))
    target = example.rotated(5.0, 2.5, 30.0)
    image, history = example.design(target, steps=15)
    assert set(image.unique().tolist()) == {0.0, 1.0}
    assert example.distance(example.effective(image), target) <= 5e-3  # 1e-3 with all stages
    assert len(history.starts) == len(history.images) == 4
    example.draw(tmp_path / "design.png", image, target, history)
    assert (tmp_path / "design.png").stat().st_size > 50_000
    with pytest.raises(ValueError, match="no mixture of 1 and 10"):
        example.design(example.rotated(9.0, 1.2, 0.0))
