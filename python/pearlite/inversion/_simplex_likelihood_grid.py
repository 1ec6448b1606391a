"""Boxes of the numbers of grains that materials have, and the masses that Dirichlet laws give them.

With fractions v ~ Dir(α) the numbers n of the S grains that have each material follow the
Dirichlet-multinomial law. It is a chain of beta-binomial laws: of the T grains that materials
j, j+1, … have, material j has

.. math:: P(n | T) = C(T, n) B(n + α_j, T − n + β_j)/B(α_j, β_j),   β_j = α_{j+1} + … + α_K.

Each link is cut into boxes of neighbouring n, equally wide in arcsin √(n/T), since shares of areas
scatter by a multiple of √(n (1 − n/T)): few grains are told apart, many are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pearlite.inversion._stochastic_coordinates import Floats

Integers = NDArray[np.int64]
_LEAST_MASS = 1e-290
_COARSER = 1.15


@dataclass(frozen=True)
class Link:
    """The boxes of one material, for each number of grains that the materials before it leave.

    Attributes
    ----------
    counts, totals : (I,) arrays
        n and T of all terms.
    starts : (B,) array
        The first term of each box.
    box : (G,) array
        The box of each cell of the grid.
    """

    counts: Floats
    totals: Floats
    starts: Integers
    box: Integers

    def masses(self, first: float, second: float) -> tuple[Floats, Floats]:
        """Return logarithms (G,) of the masses, and their derivatives (G, 2) in α_j and β_j."""
        n, rest, both = self.counts, self.totals - self.counts, first + second
        logs = special.gammaln(self.totals + 1) - special.gammaln(n + 1)
        logs += special.betaln(n + first, rest + second) - special.betaln(first, second)
        terms = np.exp(logs - special.gammaln(rest + 1))
        common = special.digamma(both) - special.digamma(self.totals + both)
        slopes = [
            (special.digamma(n + first) - special.digamma(first) + common) * terms,
            (special.digamma(rest + second) - special.digamma(second) + common) * terms,
        ]
        masses = np.maximum(np.add.reduceat(terms, self.starts), _LEAST_MASS)
        ratios = [np.add.reduceat(slope, self.starts) / masses for slope in slopes]
        return np.log(masses)[self.box], np.stack(ratios, axis=1)[self.box]


@dataclass(frozen=True)
class CountGrid:
    """A grid on the numbers of grains of K materials.

    Attributes
    ----------
    fractions : (G, K) array
        n/S in the middle of each cell.
    width : (G,) array
        The variance of n within a cell, over n (1 − n/T), a mean over the links.
    links : tuple of K − 1 Link
    """

    fractions: Floats
    width: Floats
    links: tuple[Link, ...]

    def __len__(self) -> int:
        return len(self.fractions)

    def log_masses(self, alpha: Floats) -> tuple[Floats, Floats]:
        """Logarithms (G,) of the cells' masses, and their derivatives (G, K) in α."""
        total = np.zeros(len(self))
        slopes = np.zeros((len(self), len(alpha)))
        for level, link in enumerate(self.links):
            logs, parts = link.masses(alpha[level], alpha[level + 1 :].sum())
            total += logs
            slopes[:, level] += parts[:, 0]
            slopes[:, level + 1 :] += parts[:, 1:]
        return total, slopes


def count_grid(materials: int, sites: int, spacing: float, limit: int) -> CountGrid:
    """Cut the numbers of grains into boxes of `spacing` √(n (1 − n/T)), `limit` cells at most."""
    while True:
        grid = _grid(materials, sites, spacing, limit)
        if grid is not None:
            return grid
        spacing *= _COARSER


def _grid(materials: int, sites: int, spacing: float, limit: int) -> CountGrid | None:
    """Grow the tree of boxes level by level; None if it has more than `limit` leaves."""
    left = np.array([float(sites)])  # grains that materials j, j+1, … have in each cell
    fractions = np.empty((1, 0))
    width = np.zeros(1)
    links: list[Link] = []
    for _ in range(materials - 1):
        totals, which = np.unique(np.rint(left).astype(np.int64), return_inverse=True)
        tables = [_boxes(int(total), spacing) for total in totals]
        sizes = np.array([len(table) - 1 for table in tables])
        repeats = sizes[which]
        if repeats.sum() > limit:
            return None
        parent = np.repeat(np.arange(len(left)), repeats)
        within = np.arange(len(parent)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        box = (np.cumsum(sizes) - sizes)[which][parent] + within
        ends = np.concatenate([np.stack([t[:-1], t[1:] - 1]) for t in tables], axis=1)[:, box]
        share = np.where(
            totals[which][parent] > 0, ends.mean(axis=0) / np.maximum(totals[which][parent], 1), 1.0
        )
        own = share * left[parent]
        spread = np.maximum(own * (1 - share), 1e-300)
        square = ((ends[1] - ends[0] + 1.0) ** 2 - 1) / 12
        width = width[parent] + np.where(square > 0, square / spread, 0) / (materials - 1)
        links = [Link(e.counts, e.totals, e.starts, e.box[parent]) for e in links]
        links.append(_link(totals, tables, box))
        fractions = np.concatenate([fractions[parent], own[:, None] / sites], axis=1)
        left = left[parent] - own
    return CountGrid(np.column_stack([fractions, left / sites]), width, tuple(links))


def _link(totals: Integers, tables: list[Integers], box: Integers) -> Link:
    """Lay the terms of all boxes out in one row."""
    lengths = totals + 1
    offsets = np.cumsum(lengths) - lengths
    counts = np.concatenate([np.arange(length) for length in lengths])
    starts = np.concatenate([o + t[:-1] for o, t in zip(offsets, tables, strict=True)])
    given = np.repeat(totals, lengths).astype(np.float64)
    return Link(counts.astype(np.float64), given, starts, box)


def _boxes(total: int, spacing: float) -> Integers:
    """First numbers of the boxes of 0 … total, and total + 1 at the end."""
    if total == 0:
        return np.array([0, 1])
    steps = max(1, int(np.pi * np.sqrt(total) / spacing))  # dn = 2 √(n (1 − n/T)) √T dθ
    angles = np.linspace(0, np.pi / 2, steps + 1)
    inner = np.ceil(total * np.sin(angles) ** 2 - 1e-9)[1:-1]
    # No grain at all, and all of them, are boxes of their own.
    ends = np.concatenate([[0, 1], inner, [total, total + 1]]).astype(np.int64)
    return np.unique(ends)
