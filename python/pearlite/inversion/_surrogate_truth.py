"""The true map of random mosaics: from fractions and conductivities to effective tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pearlite._threads import count as thread_count
from pearlite.corrector import Estimate, homogenize
from pearlite.inversion._stochastic_coordinates import Floats, coordinates
from pearlite.microstructures import DirichletMosaic
from pearlite.microstructures.mosaic import MosaicDraws, categorical, painted

_PIXELS = 2**23  # of labels that are in memory at a time
# Measured with 500 grains of conductivity 1, 4 and 10: the error is 7e-7, where 1e-2 gives 6e-5 in
# nearly the same time.
RTOL = 1e-3


@dataclass(frozen=True)
class Evaluations:
    """Evaluations of the true map, cell by cell.

    Attributes
    ----------
    fractions : (D, K) array
        Probabilities v of the materials.
    logs : (D, K) array
        Logarithms of their conductivities a.
    cells : (D, R, 3) array
        Coordinates (x, q1, q2) of the effective tensors of R cells.
    areas, counts : (D, R, K) arrays
        Shares of each cell's area and of its grains that the materials have, whose means are v.
    """

    fractions: Floats
    logs: Floats
    cells: Floats
    areas: Floats
    counts: Floats

    def __len__(self) -> int:
        return len(self.fractions)

    @property
    def solves(self) -> int:
        """The number of cell problems behind."""
        return int(self.cells.shape[0] * self.cells.shape[1])

    def joined(self, other: Evaluations) -> Evaluations:
        """Return these evaluations and others, of as many cells each."""
        return Evaluations(
            np.concatenate([self.fractions, other.fractions]),
            np.concatenate([self.logs, other.logs]),
            np.concatenate([self.cells, other.cells]),
            np.concatenate([self.areas, other.areas]),
            np.concatenate([self.counts, other.counts]),
        )


@dataclass(frozen=True)
class TrueMap:
    """F(v, a), by homogenizing mosaics of random grains.

    Parameters
    ----------
    mosaic : DirichletMosaic
        The pixels, grains and materials of a cell, in 2D.
    estimate : {"bracketed", "variational"}
        How cells are homogenized, see `pearlite.homogenize`. "bracketed" has a tenth of the mesh's
        bias: Keller's duality, which the mean of both bounds keeps, leaves no even terms.
    cells : int
        R, the cells of one evaluation. Its value is their mean.
    threads : int, optional
        By default all the cores that this process may use.

    Notes
    -----
    Source: arXiv:2604.14083, eqs. 10 and 34, with ten cells an evaluation.
    """

    mosaic: DirichletMosaic
    estimate: Estimate = "bracketed"
    cells: int = 10
    threads: int | None = None

    def evaluate(
        self, fractions: Floats, conductivity: Floats, *, seed: int, sample: int = 0
    ) -> Evaluations:
        """Evaluate the map at fractions (D, K) and conductivities (D, K).

        Cells are numbered from `sample` on, R for each evaluation.
        """
        shares = np.repeat(fractions, self.cells, axis=0)
        values = np.repeat(conductivity, self.cells, axis=0)
        draws = self.mosaic.draw(len(shares), seed=seed, sample=sample)
        parts = self.homogenized(draws, shares, values)
        shape = (len(fractions), self.cells, -1)
        areas, counts = (part.reshape(shape) for part in parts[1:])
        return Evaluations(
            fractions, np.log(conductivity), coordinates(parts[0]).reshape(shape), areas, counts
        )

    def homogenized(
        self, draws: MosaicDraws, fractions: Floats, conductivity: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Effective tensors (N, 3) of single cells, and shares (N, K) of their areas and grains."""
        count, materials = fractions.shape
        step = max(1, _PIXELS // int(np.prod(self.mosaic.shape)))
        grains = categorical(fractions[:, None], draws.grains)  # (N, S)
        effective, areas = np.empty((count, 3)), np.empty((count, materials))
        for start in range(0, count, step):
            part = slice(start, start + step)
            labels = painted(self.mosaic.shape, draws.sites[part], grains[part])
            effective[part] = self.solved(labels, conductivity[part])
            areas[part] = shares_of(labels, materials)
        return effective, areas, shares_of(grains, materials)

    def solved(self, labels: NDArray[np.uint8], conductivity: Floats) -> Floats:
        """Effective tensors (N, 3) of labels (N, n0, n1) of conductivities (K,) or (N, K)."""
        effective = homogenize(
            labels,
            phases=conductivity,
            rtol=RTOL,
            estimate=self.estimate,
            threads=thread_count(self.threads),
        )
        return components(np.asarray(effective, np.float64))


def components(effective: Floats) -> Floats:
    """Components (N, 3), A11, A22 and A12, of tensors (N, 2, 2)."""
    return np.stack([effective[:, 0, 0], effective[:, 1, 1], effective[:, 0, 1]], axis=1)


def shares_of(labels: NDArray[np.uint8], materials: int) -> Floats:
    """Share (N, K) of labels (N, ...) that each material has."""
    count = len(labels)
    numbered = labels.reshape(count, -1) + materials * np.arange(count)[:, None]
    pixels = np.bincount(numbered.ravel(), minlength=count * materials).reshape(count, materials)
    return np.asarray(pixels / labels[0].size)
