"""Variograms of fields whose range is known, and the sites that thinning keeps."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

import pearlite as pl
from pearlite.inversion import Measurements

RISES = {
    "exponential": lambda h: 1 - np.exp(-3 * h),
    "gaussian": lambda h: 1 - np.exp(-3 * h**2),
    "spherical": lambda h: np.where(h < 1, 1.5 * h - 0.5 * h**3, 1),
}


def sites(count, seed):
    return np.random.default_rng(seed).random((count, 2))


def fields(where, shape, reach, nugget, count, seed):
    """Normal fields (count, N) of unit variance, a share `nugget` of which is noise."""
    correlation = (1 - nugget) * (1 - RISES[shape](cdist(where, where) / reach))
    np.fill_diagonal(correlation, 1)
    root = np.linalg.cholesky(correlation + 1e-10 * np.eye(len(where)))
    return np.random.default_rng(seed).standard_normal((count, len(where))) @ root.T


def table(values, where, specimen=None):
    """Measurements of values (C, N) as standard normal numbers about 10."""
    return Measurements(10 + values.T, ("A11", "A22", "A12"), specimen=specimen, locations=where)


@pytest.mark.parametrize("shape", list(RISES))
@pytest.mark.parametrize("nugget", [0.0, 0.3])
def test_the_range_is_found(shape, nugget):
    where = sites(500, 1)
    values = fields(where, shape, 0.25, nugget, 15, 2).reshape(5, 3, 500)
    found = [pl.inversion.variogram(table(one, where)) for one in values]
    ranges = [one.range for one in found]
    assert np.median(ranges) == pytest.approx(0.25, rel=0.25)
    assert np.median([one.nugget / one.sill for one in found]) == pytest.approx(nugget, abs=0.1)
    assert np.median([one.sill for one in found]) == pytest.approx(1, abs=0.15)
    one = found[0]
    assert one.pairs.sum() > 50_000
    np.testing.assert_allclose(one(one.distance), one.value, atol=0.15)
    np.testing.assert_allclose(one.correlation(one.distance), 1 - one(one.distance) / one.sill)


def test_a_short_range_is_looked_at_closely():
    where = sites(1200, 8)
    found = pl.inversion.variogram(table(fields(where, "gaussian", 0.06, 0, 3, 9), where))
    assert found.range == pytest.approx(0.06, rel=0.25)
    assert found.nugget < 0.1
    assert found.distance.max() < 0.25


def test_independent_measurements_have_no_range():
    where = sites(200, 2)
    ranges = []
    for seed in range(12):
        values = np.random.default_rng(seed).standard_normal((3, 200))
        found = pl.inversion.variogram(table(values, where))
        ranges.append(found.range)
        if found.range == 0:
            kept = pl.inversion.thin(table(values, where), fitted=found)
            assert len(kept.rows) == 200
            assert kept.effective == pytest.approx(200)
            assert found(np.array([0.1]))[0] == found.sill
    assert np.mean(np.array(ranges) > 0.05) <= 0.2


def test_missing_components_and_specimens():
    where = sites(600, 3)
    specimen = np.repeat([0, 1, 2], 200)
    values = np.concatenate(
        [fields(where[specimen == k], "spherical", 0.4, 0, 3, 10 + k) for k in range(3)], axis=1
    )
    values[1, ::2] = np.nan
    values[2] = np.nan
    # Other places of other specimens: only distances within one count.
    given = table(values, where + 100 * specimen[:, None], specimen)
    found = pl.inversion.variogram(given)
    assert found.distance.max() < 1
    assert found.range == pytest.approx(0.4, rel=0.4)
    kept = pl.inversion.thin(given, distance=0.2)
    for k in range(3):
        chosen = kept.rows[specimen[kept.rows] == k]
        assert pdist(where[chosen]).min() >= 0.2
    one = pl.inversion.thin(table(values, where), distance=0.2)
    assert len(one.rows) < len(kept.rows)


def test_greedy_thinning():
    """On a line of sites one apart, every other one is kept at distance 2, which is the most."""
    line = np.stack([np.arange(21.0), np.zeros(21)], axis=1)
    values = np.random.default_rng(1).standard_normal((3, 21))
    flat = pl.inversion.Variogram(np.ones(4), np.ones(4), np.ones(4, int), "spherical", 0, 1, 1.5)
    kept = pl.inversion.thin(table(values, line), distance=2, fitted=flat)
    np.testing.assert_array_equal(kept.rows, np.arange(0, 21, 2))
    assert kept.distance == 2
    where = sites(500, 4)
    kept = pl.inversion.thin(table(np.zeros((3, 500)) + sites(500, 5)[:, 0], where),
                             distance=0.1, fitted=flat).rows  # fmt: skip
    apart = cdist(where[kept], where)
    assert np.sort(apart[:, kept], axis=1)[:, 1].min() >= 0.1
    assert (apart.min(axis=0) < 0.1).all()  # no site could be added


def test_effective_number_is_that_of_the_mean():
    """The variance of a mean of N measurements is 1/N_eff."""
    where = sites(300, 6)
    true = pl.inversion.Variogram(np.ones(4), np.ones(4), np.ones(4, int), "exponential", 0.2, 1,
                                  0.3)  # fmt: skip
    values = fields(where, "exponential", 0.3, 0.2, 4000, 7)
    kept = pl.inversion.thin(table(values[:3], where), fitted=true)
    assert kept.distance == 0.3
    assert 1 / values.mean(axis=1).var() == pytest.approx(kept.effective_before, rel=0.1)
    assert 1 / values[:, kept.rows].mean(axis=1).var() == pytest.approx(kept.effective, rel=0.1)
    assert kept.effective > 0.75 * len(kept.rows)


def test_errors_name_the_argument():
    where = sites(40, 1)
    good = table(np.random.default_rng(1).standard_normal((3, 40)), where)
    bare = Measurements(good.data, good.components)
    for function in (pl.inversion.variogram, pl.inversion.thin):
        with pytest.raises(ValueError, match="table has no locations"):
            function(bare)
        with pytest.raises(TypeError, match="table is a list"):
            function([1])
    with pytest.raises(ValueError, match="table has all its locations at one place"):
        pl.inversion.variogram(table(good.data.T, 0 * where))
    with pytest.raises(ValueError, match=r"table has [0-9]+ pairs"):
        pl.inversion.variogram(good.rows(np.arange(12)), bins=1000)
    with pytest.raises(ValueError, match="bins is 2"):
        pl.inversion.variogram(good, bins=2)
    with pytest.raises(ValueError, match="distance is -1"):
        pl.inversion.thin(good, distance=-1)
    with pytest.raises(TypeError, match="distance is 'far'"):
        pl.inversion.thin(good, distance="far")
    with pytest.raises(TypeError, match="fitted is a int"):
        pl.inversion.thin(good, fitted=3)
