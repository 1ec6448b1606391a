"""How far measurements on one specimen are alike, and which of them to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.spatial import cKDTree

from pearlite._arrays import check_integer, check_number
from pearlite._errors import brief
from pearlite.inversion.measurements import Measurements

Floats = NDArray[np.float64]
_PAIRS = 4_000_000  # at most; of more, sites are left out at random
_FEWEST = 30  # pairs that make a bin
_LEAST_BINS = 4
_LEVEL = 0.05  # of the sill: what correlation is left at the range


def _spherical(h: Floats) -> Floats:
    h = np.minimum(h, 1)
    return np.asarray(1.5 * h - 0.5 * h**3)


def _exponential(h: Floats) -> Floats:
    return np.asarray(1 - np.exp(-3 * h))  # .05 is left at 1


def _gaussian(h: Floats) -> Floats:
    return np.asarray(1 - np.exp(-3 * h**2))


# 1 − ρ as functions of the distance in units of the range.
SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "spherical": _spherical,
    "exponential": _exponential,
    "gaussian": _gaussian,
}


@dataclass(frozen=True, eq=False)
class Variogram:
    """Half the mean squared difference of standardized measurements, against their distance.

    Attributes
    ----------
    distance, value : (B,) array
        Mean distance of the pairs in a bin, in the unit of the locations, and γ, in units of the
        variance, a mean over the components.
    pairs : (B,) array of int
        Number of pairs in a bin.
    shape : {"spherical", "exponential", "gaussian"}
        The form that fits best.
    nugget, sill : float
        γ next to 0, which is the share of error and of structure finer than the sites, and far
        away.
    range : float
        Distance from which on measurements are independent: 5 % of the correlation are left, none
        if spherical. 0 where no correlation is seen.
    """

    distance: Floats
    value: Floats
    pairs: NDArray[np.int64]
    shape: str
    nugget: float
    sill: float
    range: float

    def __call__(self, distance: Floats) -> Floats:
        """Return the fitted γ at distances > 0."""
        if self.range == 0:
            return np.full(np.shape(distance), self.sill)
        rise = SHAPES[self.shape](np.asarray(distance, np.float64) / self.range)
        return self.nugget + (self.sill - self.nugget) * rise

    def correlation(self, distance: Floats) -> Floats:
        """Return the correlation of two measurements at distances > 0."""
        return np.asarray(1 - self(distance) / self.sill)


def variogram(table: Measurements, *, bins: int = 20, seed: int = 0) -> Variogram:
    r"""Estimate how the likeness of measurements falls off with their distance.

    .. math:: γ(h) = \tfrac12 \big\langle (z(x) - z(x'))^2 \big\rangle, \quad |x - x'| ≈ h,

    of pairs on the same specimen up to half of its size, or three times the range where that is
    far less, z the components over their standard deviation. The form, nugget, sill and range are
    fitted by least squares with weights pairs / γ².

    Parameters
    ----------
    table : Measurements
        With locations.
    bins : int
        Number of distances, 5 to 1000.
    seed : int
        Of the choice of sites where there are more than some 2800 on a specimen.

    Returns
    -------
    Variogram

    Raises
    ------
    ValueError
        If there are no locations, or too few pairs.

    Notes
    -----
    Sources: G. Matheron, *Economic Geology* 58, 1246 (1963); for the weights N. Cressie, *Math.
    Geology* 17, 563 (1985).

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> rng = np.random.default_rng(0)
    >>> places = rng.random((200, 2))  # of waves that are long beside the distance of neighbours
    >>> values = 2 + np.sin(6 * places[:, :1]) * np.cos(6 * places[:, 1:])
    >>> table = pl.inversion.Measurements(values, ("A",), locations=places)
    >>> found = pl.inversion.variogram(table)
    >>> found.range > 0.1
    True
    """
    check_integer("bins", bins, 5, 1000)
    check_integer("seed", seed, 0, 2**63)
    sites = _locations(table)
    data = table.data[:, np.isfinite(table.data).any(axis=0)]
    scale = np.nanstd(data, axis=0)  # (C,)
    if not (scale > 0).all():
        raise ValueError("table has a component that is constant; expected all of them to vary")
    z = data / scale
    groups = _groups(table)
    reach = max(float(np.ptp(sites[group], axis=0).max()) for group in groups) / 2
    if not reach > 0:
        raise ValueError("table has all its locations at one place; expected them to differ")
    found, pairs = _estimate(sites, z, groups, reach, bins, seed)
    if found is None:
        raise ValueError(
            f"table has {pairs} pairs of sites closer than {reach:.3g}; expected at least "
            f"{_FEWEST} in each of {_LEAST_BINS} bins, for a variogram"
        )
    while 0 < found.range < reach / 5:  # the rise is in few bins: look closer
        reach = 3 * found.range
        closer, _ = _estimate(sites, z, groups, reach, bins, seed)
        if closer is None or not closer.range:
            break
        found = closer
    return found


def _estimate(
    sites: Floats,
    z: Floats,
    groups: list[NDArray[np.int64]],
    reach: float,
    bins: int,
    seed: int,
) -> tuple[Variogram | None, int]:
    """Fit to pairs closer than `reach`, if they are enough; and return how many there are."""
    sums = np.zeros((3, bins))  # of pairs, distances and squares
    for distance, square in _pairs(sites, z, groups, reach, np.random.default_rng(seed)):
        place = np.minimum((distance / reach * bins).astype(int), bins - 1)
        for row, values in zip(sums, (np.ones_like(distance), distance, square), strict=True):
            row += np.bincount(place, values, bins)
    enough = sums[0] >= _FEWEST
    if enough.sum() < _LEAST_BINS:
        return None, int(sums[0].sum())
    pairs, distance, value = (row[enough] for row in sums)
    return _fit(distance / pairs, value / pairs, pairs), int(pairs.sum())


def _locations(table: Measurements) -> Floats:
    if not isinstance(table, Measurements):
        raise TypeError(f"table is a {type(table).__name__}; expected Measurements")
    if table.locations is None:
        raise ValueError("table has no locations; expected columns x and y")
    return table.locations


def _groups(table: Measurements) -> list[NDArray[np.int64]]:
    """Return the rows of each specimen."""
    if table.specimen is None:
        return [np.arange(len(table))]
    order = np.argsort(table.specimen, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(table.specimen[order])) + 1)


def _pairs(
    sites: Floats, z: Floats, groups: list[NDArray[np.int64]], reach: float, rng: Any
) -> Iterator[tuple[Floats, Floats]]:
    """Yield distances of pairs closer than `reach`, and half their squared differences."""
    most = max(2, int((2 * _PAIRS / len(groups)) ** 0.5))
    for group in groups:
        chosen = group if len(group) <= most else rng.choice(group, most, replace=False)
        first, second = np.triu_indices(len(chosen), 1)
        distance = np.linalg.norm(sites[chosen[first]] - sites[chosen[second]], axis=1)
        near = distance <= reach
        squares = (z[chosen[first[near]]] - z[chosen[second[near]]]) ** 2 / 2  # (pairs, C)
        known = np.isfinite(squares)
        both = known.any(axis=1)
        means = np.where(known, squares, 0)[both].sum(axis=1) / known[both].sum(axis=1)
        yield distance[near][both], means


def _fit(distance: Floats, value: Floats, pairs: Floats) -> Variogram:
    """Fit each shape, and no correlation at all; keep the best."""
    weights = np.sqrt(pairs) / np.maximum(value, 1e-12)
    level = float(np.sum(value * weights**2) / np.sum(weights**2))
    best = ("spherical", level, level, 0.0)
    # Three more parameters must earn their place: without correlation the misfit is one a bin.
    least = float(np.sum((weights * (value - level)) ** 2)) / (1 + 6 / len(value))
    for shape, rise in SHAPES.items():
        found = _least_squares(rise, distance, value, weights)
        if found is not None and found[0] < least:
            least, (nugget, sill, reach) = found
            best = (shape, nugget, sill, reach)
    return Variogram(distance, value, pairs.astype(np.int64), *best)


def _least_squares(
    rise: Callable[[Floats], Floats], distance: Floats, value: Floats, weights: Floats
) -> tuple[float, tuple[float, float, float]] | None:
    """Fit nugget, sill and range; the first two are linear and not negative."""

    def linear(reach: float) -> tuple[float, float, float]:
        shape = rise(distance / reach)
        matrix = np.stack([weights * (1 - shape), weights * shape], axis=1)
        (nugget, sill), misfit = optimize.nnls(matrix, weights * value)
        return float(misfit) ** 2, float(nugget), float(sill)

    reaches = np.geomspace(distance[0], 2 * distance[-1], 40)
    start = int(np.argmin([linear(reach)[0] for reach in reaches]))
    bounds = reaches[max(start - 1, 0)], reaches[min(start + 1, len(reaches) - 1)]
    found = optimize.minimize_scalar(lambda r: linear(r)[0], bounds=bounds, method="bounded")
    misfit, nugget, sill = linear(float(found.x))
    return (misfit, (nugget, sill, float(found.x))) if sill > nugget else None


@dataclass(frozen=True, eq=False)
class Thinning:
    """Rows that are far enough from each other.

    Attributes
    ----------
    rows : (K,) array of int
        Rows of the table that are kept, ascending.
    distance : float
        The least distance between two kept sites of a specimen.
    effective, effective_before : float
        N_eff, how many independent measurements the kept and the given ones are worth for a mean:
        N²/Σ_ij ρ_ij.
    """

    rows: NDArray[np.int64]
    distance: float
    effective: float
    effective_before: float


def thin(
    table: Measurements, *, distance: float | None = None, fitted: Variogram | None = None
) -> Thinning:
    """Choose rows whose sites are at least the range of the variogram apart.

    Greedy: of the sites left, the one with the fewest neighbours closer than that is kept, and
    these neighbours are dropped. Sites on different specimens are independent.

    Parameters
    ----------
    table : Measurements
        With locations.
    distance : float, optional
        Least distance in the unit of the locations, >= 0; the range if None.
    fitted : Variogram, optional
        What `variogram` found for this table, computed if None.

    Returns
    -------
    Thinning

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Source: M. M. Halldórsson, J. Radhakrishnan, *Algorithmica* 18, 145 (1997), for the greedy rule.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> rng = np.random.default_rng(0)
    >>> places = rng.random((200, 2))  # of waves that are long beside the distance of neighbours
    >>> values = 2 + np.sin(6 * places[:, :1]) * np.cos(6 * places[:, 1:])
    >>> table = pl.inversion.Measurements(values, ("A",), locations=places)
    >>> kept = pl.inversion.thin(table, distance=0.2)
    >>> 10 < len(kept.rows) < 40
    True
    """
    sites = _locations(table)
    if fitted is not None and not isinstance(fitted, Variogram):
        raise TypeError(f"fitted is a {type(fitted).__name__}; expected a Variogram")
    wanted = None if distance is None else _distance(distance)
    found = variogram(table) if fitted is None else fitted
    least = found.range if wanted is None else wanted
    kept = [group[_greedy(sites[group], least)] for group in _groups(table)]
    rows = np.sort(np.concatenate(kept))
    return Thinning(
        rows, least, effective_number(table.rows(rows), found), effective_number(table, found)
    )


def _distance(distance: float) -> float:
    number = check_number("distance", distance)
    if not 0 <= number <= 1e300:
        raise ValueError(f"distance is {brief(distance)}; expected a number >= 0")
    return number


def _greedy(sites: Floats, least: float) -> NDArray[np.int64]:
    """Return sites no two of which are closer than `least`, those with few neighbours first."""
    if least == 0:
        return np.arange(len(sites))
    near = cKDTree(sites).query_pairs(least * (1 - 1e-12), output_type="ndarray")
    neighbours: list[set[int]] = [set() for _ in sites]
    for i, j in near.tolist():
        neighbours[i].add(j)
        neighbours[j].add(i)
    left = set(range(len(sites)))
    kept = []
    by_degree: dict[int, set[int]] = {}
    degree = [len(n) for n in neighbours]
    for site, number in enumerate(degree):
        by_degree.setdefault(number, set()).add(site)
    while left:
        site = min(by_degree[min(k for k, some in by_degree.items() if some)])
        kept.append(site)
        for gone in [site, *(neighbours[site] & left)]:
            left.discard(gone)
            by_degree[degree[gone]].discard(gone)
            for other in neighbours[gone] & left:
                by_degree[degree[other]].discard(other)
                degree[other] -= 1
                by_degree.setdefault(degree[other], set()).add(other)
    return np.array(kept, np.int64)


def effective_number(table: Measurements, fitted: Variogram) -> float:
    """Return N²/Σ_ij ρ_ij, ρ the correlation of measurements i and j."""
    sites = _locations(table)
    total = 0.0
    for group in _groups(table):
        total += len(group)
        for start in range(0, len(group), 1000):
            rows = group[start : start + 1000]
            distance = np.linalg.norm(sites[rows, None] - sites[None, group], axis=2)
            others = rows[:, None] != group[None]
            total += float(fitted.correlation(distance[others]).sum())
    return len(table) ** 2 / total
