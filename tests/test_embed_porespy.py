"""A program on PoreSpy takes the same way with pearlite under it."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
pytestmark = pytest.mark.filterwarnings("ignore")  # of what PoreSpy imports


@pytest.fixture(scope="module")
def example():
    for package in ("openpnm", "pyamg"):
        pytest.importorskip(package, reason="PoreSpy and OpenPNM bring some fifty packages")
    return pytest.importorskip("embed_porespy")


def test_volumes_and_elements_bracket_what_finer_voxels_give(example):
    coarse = example.study(1, 10)
    fine = example.study(1, 10, refine=2)
    for before, after, *_ in (coarse, fine):
        assert (after < before).all()  # of tortuosities: elements conduct more
    assert np.all(fine[0] - fine[1] < 0.75 * (coarse[0] - coarse[1]))
