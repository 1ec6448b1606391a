"""Large specimens whose microstructure varies slowly from cell to cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pearlite.microstructures._draw import (
    Floats,
    check_array,
    check_batch,
    check_integer,
    check_kind,
    check_pair,
    normals,
    uniforms,
)
from pearlite.microstructures.dirichlet import DirichletField
from pearlite.microstructures.mosaic import DirichletMosaic, categorical, painted
from pearlite.microstructures.neumann import NeumannField, Window
from pearlite.microstructures.tessellation import Labels, LaguerreCells


@dataclass(frozen=True)
class LocallyPeriodic:
    """A specimen of cells of one seed a material, whose seeds move slowly from cell to cell.

    The specimen is the unit square, cut into cells. In local coordinates of a cell, seed k at the
    point x of the specimen is (u_k0(x), u_k1(x)), with 2K independent copula fields u, uniform at
    each point. `labels` freezes the seeds of each cell at the cell's centre, which makes it
    periodic; `window` draws the specimen itself, where seeds move within cells.

    Parameters
    ----------
    cell : LaguerreCells
        The materials, pixels and metric of a cell, in 2D.
    cells : (m0, m1)
        Cells along each axis of the specimen.
    field : NeumannField
        The Gaussian field behind the copula, in units of the specimen's side.

    Notes
    -----
    Source: arXiv:2604.14083, eq. 33 and figures 8 and 9.

    Examples
    --------
    >>> import pearlite as pl
    >>> cell = LaguerreCells((16, 16), materials=3)
    >>> specimen = LocallyPeriodic(cell, cells=(10, 12))
    >>> normals = specimen.draw(1, seed=1)[0]
    >>> labels = specimen.labels(normals, weights=[0.0, -0.1, -0.05])
    >>> pl.homogenize(labels, phases=[1.0, 4.0, 10.0]).shape
    (10, 12, 2, 2)
    """

    cell: LaguerreCells
    cells: tuple[int, int] = (100, 100)
    field: NeumannField = field(default_factory=NeumannField)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", _checked(self.cell, LaguerreCells, self.cells))
        check_kind("field", self.field, NeumannField)

    def draw(self, count: int, *, seed: int, sample: int = 0) -> Floats:
        """Draw the standard normal coefficients of the fields of `count` specimens.

        Parameters
        ----------
        count : int
            Number of specimens.
        seed : int
            Seed of the batch.
        sample : int
            Number of the first specimen.

        Returns
        -------
        normals : (count, K, 2, M, M) float64 array
        """
        shape = (self.cell.materials, 2, self.field.modes, self.field.modes)
        return normals(seed, check_batch(count, seed, sample, shape), shape, "seed fields")

    def sites(self, normals: npt.ArrayLike, points: npt.ArrayLike | None = None) -> Floats:
        """Seeds in local coordinates of the cells.

        Parameters
        ----------
        normals : (..., K, 2, M, M) array
            Coefficients, as `draw` returns them.
        points : (N, 2) array, optional
            Points of the unit square; by default the centres of the cells.

        Returns
        -------
        (..., m0, m1, K, 2) float64 array, or (..., N, K, 2) at points
        """
        given = self._normals(normals)
        if points is None:
            fields = self.field.uniform_on_grid(self.cells, given)
            return np.ascontiguousarray(np.moveaxis(fields, (-2, -1), (-4, -3)))
        fields = self.field.uniform(check_array("points", points, (None, 2)), given)
        return np.ascontiguousarray(np.moveaxis(fields, -1, -3))

    def labels(self, normals: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Labels:
        """Label the pixels of all cells, each with the seeds of its centre.

        Parameters
        ----------
        normals : (..., K, 2, M, M) array
            Coefficients, as `draw` returns them.
        weights : (K,) array, optional
            Weights, 0 by default; see `LaguerreCells`.

        Returns
        -------
        (..., m0, m1, n0, n1) array of the dtype that `LaguerreCells.labels` has
        """
        return self.cell.labels(self.sites(normals), weights)

    def window(
        self,
        normals: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        *,
        first: tuple[int, int] = (0, 0),
        cells: tuple[int, int] | None = None,
    ) -> Labels:
        """Label the pixels of neighbouring cells, with the seeds that each pixel's own place has.

        Parameters
        ----------
        normals : (K, 2, M, M) array
            Coefficients of one specimen.
        weights : (K,) array, optional
            Weights, 0 by default.
        first : (i, j)
            The first cell of the window.
        cells : (c0, c1), optional
            Cells of the window along each axis; by default all from `first` on.

        Returns
        -------
        (c0 n0, c1 n1) array of the dtype that `LaguerreCells.labels` has
        """
        given = self._normals(normals)
        if given.ndim != 4:
            raise ValueError(f"normals has shape {given.shape}; expected that of one specimen")
        window, count = self._window(first, cells)
        materials = self.cell.materials
        shares = check_array(
            "weights", np.zeros(materials) if weights is None else weights, (materials,)
        )
        if shares.ndim != 1:
            raise ValueError(f"weights has shape {shares.shape}; expected ({materials},)")
        shape = (count[0] * self.cell.shape[0], count[1] * self.cell.shape[1])
        seeds = self.field.uniform_on_grid(shape, given, window=window)  # (K, 2, *shape)
        for axis, (n, m) in enumerate(zip(self.cell.shape, count, strict=True)):
            local = np.tile((np.arange(n) + 0.5) / n, m)
            gap = np.abs(seeds[:, axis] - (local[:, None] if axis == 0 else local))
            seeds[:, axis] = np.minimum(gap, 1 - gap) ** 2
        scores = seeds.sum(axis=1)
        if self.cell.metric == "additive":
            scores = np.sqrt(scores)
        scores -= shares[:, None, None]
        labels: Labels = scores.argmin(axis=0).astype(np.uint8 if materials <= 256 else np.uint16)
        return labels

    def _window(
        self, first: tuple[int, int], cells: tuple[int, int] | None
    ) -> tuple[Window, tuple[int, int]]:
        """Return the part of the unit square that cells cover, and their number on each axis."""
        start = check_pair("first", first, 0, [m - 1 for m in self.cells])
        left = self.cells[0] - start[0], self.cells[1] - start[1]
        if cells is not None:
            left = check_pair("cells", cells, 1, left)
        ends = [(i / m, (i + c) / m) for i, c, m in zip(start, left, self.cells, strict=True)]
        return (ends[0], ends[1]), left

    def _normals(self, given: npt.ArrayLike) -> Floats:
        modes = self.field.modes
        return check_array("normals", given, (self.cell.materials, 2, modes, modes))


class SpecimenDraws(NamedTuple):
    """The random numbers behind a locally stationary specimen.

    Attributes
    ----------
    normals : (K, M, M) array
        Standard normal coefficients of the fields.
    cells : (N, 2) integer array
        The cells, counted along each axis of the specimen.
    sites : (N, S, 2) array
        Seeds of the grains of each cell, in its local coordinates.
    grains : (N, S) array
        Numbers that decide on the materials of the grains.
    """

    normals: Floats
    cells: npt.NDArray[np.int64]
    sites: Floats
    grains: Floats


@dataclass(frozen=True)
class LocallyStationary:
    """A specimen of Voronoi mosaics whose fractions vary slowly, locally stationary and ergodic.

    The specimen is the unit square, cut into cells. Each has seeds of its own, uniform in it; a
    grain takes material k with the probability v_k(c) of a `DirichletField` v at its seed c. Each
    cell is periodic.

    Parameters
    ----------
    cell : DirichletMosaic
        The materials, pixels and number of seeds of a cell, in 2D.
    cells : (m0, m1)
        Cells along each axis of the specimen.
    field : NeumannField
        The Gaussian field behind the copula, in units of the specimen's side.

    Notes
    -----
    Source: arXiv:2604.14083, eq. 39 and figures 15 and 16.

    Examples
    --------
    >>> import pearlite as pl
    >>> cell = DirichletMosaic((32, 32), sites=50, materials=3)
    >>> specimen = LocallyStationary(cell, cells=(100, 100))
    >>> draws = specimen.draw(seed=1, cells=[(0, 0), (0, 1), (50, 70)])
    >>> labels = specimen.labels(draws, alpha=[2.0, 3.0, 4.0])
    >>> pl.homogenize(labels, phases=[1.0, 4.0, 10.0]).shape
    (3, 2, 2)
    """

    cell: DirichletMosaic
    cells: tuple[int, int] = (100, 100)
    field: NeumannField = field(default_factory=NeumannField)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", _checked(self.cell, DirichletMosaic, self.cells))
        check_kind("field", self.field, NeumannField)

    @property
    def fraction_field(self) -> DirichletField:
        """The field of the fractions v."""
        return DirichletField(self.field, self.cell.materials)

    def draw(
        self, *, seed: int, sample: int = 0, cells: npt.ArrayLike | None = None
    ) -> SpecimenDraws:
        """Draw the random numbers behind one specimen.

        Parameters
        ----------
        seed : int
            Seed of the specimens.
        sample : int
            Number of the specimen.
        cells : (N, 2) integer array, optional
            The cells wanted; by default all, row by row. The numbers of a cell do not depend on
            which others are wanted.

        Returns
        -------
        SpecimenDraws
        """
        wanted = self._wanted(cells)
        total, count = self.cells[0] * self.cells[1], self.cell.sites
        first = check_integer("sample", sample, 0, 2**63 // total) * total
        fields = self.fraction_field.draw(1, seed=seed, sample=sample)[0]
        numbers = wanted[:, 0] * self.cells[1] + wanted[:, 1]
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)  # of consecutive ones
        parts = [range(first + int(run[0]), first + int(run[-1]) + 1) for run in runs]
        flat = np.concatenate([uniforms(seed, part, 3 * count, "specimen") for part in parts])
        return SpecimenDraws(
            fields, wanted, flat[:, : 2 * count].reshape(-1, count, 2), flat[:, 2 * count :]
        )

    def fractions(self, draws: SpecimenDraws, alpha: npt.ArrayLike) -> Floats:
        """Probabilities of the materials at the seeds of the grains, (N, S, K)."""
        check_kind("draws", draws, SpecimenDraws)
        points = (draws.cells[:, None] + draws.sites) / self.cells
        return self.fraction_field.at(points, draws.normals, alpha)

    def labels(self, draws: SpecimenDraws, alpha: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Label the pixels of the cells by their materials.

        Parameters
        ----------
        draws : SpecimenDraws
            What `draw` returned.
        alpha : (K,) array
            Parameters > 0 of the Dirichlet distribution.

        Returns
        -------
        (N, n0, n1) uint8 array
        """
        materials = categorical(self.fractions(draws, alpha), draws.grains)
        return painted(self.cell.shape, draws.sites, materials)

    def _wanted(self, cells: npt.ArrayLike | None) -> npt.NDArray[np.int64]:
        if cells is None:
            return np.indices(self.cells).reshape(2, -1).T
        wanted = check_array("cells", cells, (None, 2))
        inside = (wanted >= 0) & (wanted < self.cells) & (wanted == np.floor(wanted))
        if wanted.ndim != 2 or len(wanted) == 0 or not inside.all():
            raise ValueError(
                f"cells has an entry that is no cell; expected (N, 2) below {self.cells}"
            )
        return wanted.astype(np.int64)


def _checked(cell: object, kind: type, cells: tuple[int, int]) -> tuple[int, int]:
    """Check the cell of a specimen and return the checked number of cells along each axis."""
    check_kind("cell", cell, kind)
    shape: tuple[int, ...] = cell.shape  # type: ignore[attr-defined]
    if len(shape) != 2:
        raise ValueError(f"cell has shape {shape}; expected one in 2D")
    return check_pair("cells", cells, 1, (2**20, 2**20))
