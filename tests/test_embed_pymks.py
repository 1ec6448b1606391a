"""A program on PyMKS takes the same way with pearlite under it."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
pytestmark = pytest.mark.filterwarnings("ignore")  # of what PyMKS imports


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("pymks", reason="PyMKS needs setuptools < 81, and takes 4 s to import")
    return pytest.importorskip("embed_pymks")


def test_same_statistics_and_predictions(example):
    apart, predictions, before, after, _, _ = example.study(40, 20)
    assert apart < 1e-13
    assert predictions < 1e-9
    assert before == pytest.approx(after, rel=1e-9)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("cutoff", [None, 3, 50])
def test_the_function_itself(example, periodic, cutoff):
    images = example.dask.array.from_array(np.random.default_rng(0).random((5, 12, 15)), chunks=2)
    images = images.rechunk((2, 12, 15))
    options = {"periodic_boundary": periodic, "cutoff": cutoff}
    expected = example.correlations.two_point_stats(images, images**2, **options)
    with example.faster():
        found = example.correlations.two_point_stats(images, images**2, **options)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.compute(), expected.compute(), atol=1e-13)
