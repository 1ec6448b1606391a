"""A program on POT takes the same way with pearlite under it."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("ot")
pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
study = pytest.importorskip("embed_pot").study


def test_same_points_and_distance():
    before, after, apart, _, _ = study(300, 40, 5)
    assert after == pytest.approx(before, rel=1e-9)
    assert apart < 1e-9
