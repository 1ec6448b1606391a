"""Transformers pass scikit-learn's own checks, and give what the functions give."""

import numpy as np
import pytest

import pearlite as pl

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from pearlite.sklearn import EffectiveConductivity, TwoPointStatistics

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(2, size=(7, 12, 10))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        TwoPointStatistics(),
        TwoPointStatistics(cut=1),
        EffectiveConductivity(contrast=1.5, rtol=1e-9),
    ]
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("periodic", [True, False])
def test_two_point(periodic):
    found = TwoPointStatistics(shape=(12, 10), periodic=periodic).fit_transform(
        IMAGES.reshape(7, -1)
    )
    maps = pl.correlation.two_point(IMAGES.astype(float), periodic=periodic)
    if periodic:
        maps = np.fft.fftshift(maps, axes=(1, 2))
    np.testing.assert_array_equal(found, maps.reshape(7, -1))
    cut = TwoPointStatistics(shape=(12, 10), periodic=periodic, cut=2).fit(IMAGES.reshape(7, -1))
    small = cut.transform(IMAGES.reshape(7, -1)).reshape(7, 5, 5)
    np.testing.assert_allclose(small[:, 2, 2], IMAGES.mean(axis=(1, 2)), rtol=1e-12)
    assert len(cut.get_feature_names_out()) == 25


def test_effective_conductivity_in_two_and_three_dimensions():
    found = EffectiveConductivity(shape=(12, 10), contrast=5).fit_transform(IMAGES.reshape(7, -1))
    tensors = pl.homogenize(5.0**IMAGES)
    np.testing.assert_array_equal(found, tensors[:, [0, 1, 0], [0, 1, 1]])
    solid = EffectiveConductivity(shape=(4, 6, 5), contrast=5).fit(IMAGES.reshape(7, -1))
    found = solid.transform(IMAGES.reshape(7, -1))
    tensors = pl.homogenize(5.0 ** IMAGES.reshape(7, 4, 6, 5), dim=3)
    np.testing.assert_array_equal(found[:, 3], tensors[:, 0, 1])
    assert solid.get_feature_names_out().tolist() == ["A11", "A22", "A33", "A12", "A13", "A23"]


def test_structure_and_property():
    """Statistics, principal components and a regression predict more than the fraction does."""
    length = np.repeat([1.0, 2.0, 4.0], 100)
    fraction = RNG.uniform(0.2, 0.8, 300)
    images = np.concatenate(
        [
            pl.microstructures.thresholded_noise(
                1, (32, 32), length=size, fractions=[1 - share, share], seed=k
            )
            for k, (size, share) in enumerate(zip(length, fraction, strict=True))
        ]
    )
    rows = images.reshape(300, -1)
    wanted = np.log(pl.homogenize(images, phases=[1.0, 10.0])[:, 0, 0])
    order = RNG.permutation(300)
    known, unseen = order[:200], order[200:]
    model = make_pipeline(TwoPointStatistics(cut=8), PCA(10), LinearRegression())
    score = clone(model).fit(rows[known], wanted[known]).score(rows[unseen], wanted[unseen])
    alone = rows.mean(axis=1, keepdims=True)
    fractions = LinearRegression().fit(alone[known], wanted[known])
    assert 1 - score < 0.5 * (1 - fractions.score(alone[unseen], wanted[unseen]))


@pytest.mark.parametrize("transformer", [TwoPointStatistics, EffectiveConductivity])
def test_errors(transformer):
    with pytest.raises(ValueError, match="shape is"):
        transformer(shape=(3, 3)).fit(np.zeros((2, 8)))
    with pytest.raises(ValueError, match="cut is -1"):
        TwoPointStatistics(cut=-1).fit_transform(np.zeros((2, 9)))
    with pytest.raises(ValueError, match="contrast is 0"):
        EffectiveConductivity(contrast=0).fit_transform(np.zeros((2, 9)))
