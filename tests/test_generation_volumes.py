"""Volumes of a score network, which torch evaluates: the same numbers, and samples of them."""

import numpy as np
import pytest

import pearlite as pl
from pearlite import generation

torch = pytest.importorskip("torch", reason="torch is not installed")

MODEL = generation.Model.random(phases=2, channels=4, levels=1, dim=3, seed=1)


def test_scores_are_those_of_the_network():
    from pearlite.generation._network import ScoreNetwork
    from pearlite.generation._torch_score import TorchEvaluator

    x = np.random.default_rng(0).standard_normal((2, 1, 8, 6, 10)).astype(np.float32)
    before = torch.get_num_threads()
    found = TorchEvaluator(MODEL, 1).score(x, 0.3, padding="zero")
    assert torch.get_num_threads() == before
    with torch.no_grad():
        wanted = ScoreNetwork.of(MODEL)(torch.from_numpy(x), torch.full((2,), 0.3))
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="padding is 'periodic'"):
        TorchEvaluator(MODEL, 1).score(x, 0.3, padding="periodic")


def test_volumes_with_given_statistics(tmp_path):
    reference = pl.microstructures.thresholded_noise(
        1, (16, 16, 16), length=2, fractions=[0.75, 0.25], seed=1
    )[0]
    options = {"seed": 1, "statistics": reference, "evaluations": 2, "threads": 1}
    made = generation.generate(MODEL, 2, **options)
    assert made.images.shape == (2, 16, 16, 16)
    assert (made.images == 1).mean(axis=(1, 2, 3)).tolist() == [0.25, 0.25]
    again = generation.generate(MODEL, 1, sample=1, **options)
    np.testing.assert_array_equal(again.images[0], made.images[1])
    names = made.save(tmp_path / "a.vti")
    np.testing.assert_array_equal(pl.io.read_images(names[1]), made.images[1])
