"""Voronoi mosaics, and cells of one seed a material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pearlite import laguerre
from pearlite.laguerre import assign
from pearlite.laguerre._check import Metric, metric_name
from pearlite.microstructures._draw import (
    MANY,
    Floats,
    check_batch,
    check_integer,
    check_phases,
    check_shape,
    generator,
    uniforms,
)

_CHUNK = 2**24  # pixels whose grains are in memory at a time
Labels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.int32]


def voronoi(
    count: int, shape: Sequence[int], *, sites: int, phases: int, seed: int, sample: int = 0
) -> npt.NDArray[np.uint8]:
    """Periodic Poisson-Voronoi mosaics whose grains take a random phase each.

    Parameters
    ----------
    count : int
        Number of images.
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    sites : int
        Grains in an image, their sites uniform in the cell.
    phases : int
        Number of phases P; each grain takes one of 0 … P−1 with equal probability.
    seed : int
        Seed of the batch.
    sample : int
        Number of the first image: `voronoi(5, ...)[2:]` is `voronoi(3, ..., sample=2)`.

    Returns
    -------
    labels : (count, *shape) uint8

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    LaguerreCells : one weighted seed a phase.
    DirichletMosaic : phases of random, unequal probabilities.

    Examples
    --------
    >>> labels = voronoi(4, (32, 32), sites=10, phases=5, seed=1)
    >>> labels.shape, labels.dtype.name, int(labels.max()) < 5
    ((4, 32, 32), 'uint8', True)
    """
    shape = check_shape(shape)
    samples = check_batch(count, seed, sample, shape)
    sites = check_integer("sites", sites, 1, MANY)
    phases = check_phases(phases)
    labels = np.empty((len(samples), *shape), np.uint8)
    for part in chunks(len(samples), shape):
        positions = np.empty((part.stop - part.start, sites, len(shape)))
        grain_phase = np.empty(positions.shape[:2], np.uint8)
        for k, number in enumerate(samples[part]):
            random = generator(seed, number, "voronoi")
            positions[k] = random.random(positions.shape[1:])
            grain_phase[k] = random.integers(phases, size=sites, dtype=np.uint8)
        paint(grain_phase, nearest(positions, shape), out=labels[part])
    return labels


def chunks(count: int, shape: tuple[int, ...]) -> list[slice]:
    """Cut a batch into parts of a moderate number of pixels."""
    step = max(1, _CHUNK // int(np.prod(shape)))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def nearest(positions: Floats, shape: tuple[int, ...]) -> Labels:
    """Label pixels (count, *shape) by the nearest of sites (count, K, d), in pixels' lengths."""
    if len(set(shape)) == 1:
        return assign(positions, shape=shape)
    # Square pixels and unequal sides: distances are not those on the unit torus.
    centres = np.moveaxis(np.indices(shape), 0, -1) + 0.5  # (*shape, d), in pixels
    trees = (cKDTree(each * shape, boxsize=shape) for each in positions)
    return np.stack([tree.query(centres)[1].astype(np.int32) for tree in trees])


def paint(materials: npt.NDArray[np.uint8], grains: Labels, out: npt.NDArray[np.uint8]) -> None:
    """Write the material (count, K) of each pixel's grain (count, *shape) to `out`."""
    for own, labels, image in zip(materials, grains, out, strict=True):
        np.take(own, labels, out=image, mode="clip")


@dataclass(frozen=True)
class LaguerreCells:
    r"""Periodic cells of one seed for each material.

    Material k has the pixels where its seed c_k, uniform in the unit cell, has the least score,

    .. math:: V_k = \{x : d(x, c_k) − w_k ≤ d(x, c_j) − w_j  for all j\},

    with the distance d on the unit torus ("additive") or its square ("power"). The weights have the
    sign of `pearlite.laguerre`: a larger one makes a larger cell. A lag t_k of the growth of a
    seed, as in the source, where d + t competes, is the weight w_k = −t_k.

    Parameters
    ----------
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    materials : int
        K, the number of materials.
    metric : {"additive", "power"}
        What the seeds compete by. Weights are lengths for "additive", squares of lengths for
        "power", in units of the cell's sides.

    See Also
    --------
    pearlite.laguerre.assign, pearlite.laguerre.relax : the tessellations behind.

    Notes
    -----
    The numbers behind a sample (`draw`) are apart from the microstructure made of them (`labels`,
    `field`), so that cells of different weights and conductivities can share them.

    Source: arXiv:2604.14083, eqs. 26–29.

    Examples
    --------
    >>> import pearlite as pl
    >>> cells = LaguerreCells((32, 32), materials=3)
    >>> sites = cells.draw(4, seed=1)
    >>> labels = cells.labels(sites, weights=[0.0, -0.1, -0.05])
    >>> pl.homogenize(labels, phases=[1.0, 4.0, 10.0]).shape
    (4, 2, 2)
    >>> cells.field(sites, [1.0, 4.0, 10.0], [0.0, -0.1, -0.05], epsilon=0.01).shape
    (4, 32, 32)
    """

    shape: tuple[int, ...]
    materials: int
    metric: Metric = "additive"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", check_shape(self.shape))
        check_integer("materials", self.materials, 1, 2**16)
        metric_name(self.metric)

    def draw(self, count: int, *, seed: int, sample: int = 0) -> Floats:
        """Draw the seeds of `count` cells.

        Parameters
        ----------
        count : int
            Number of cells.
        seed : int
            Seed of the batch.
        sample : int
            Number of the first cell: ``draw(5, ...)[2:]`` is ``draw(3, ..., sample=2)``.

        Returns
        -------
        sites : (count, K, d) float64 array
            Uniform in the unit cell.
        """
        samples = check_batch(count, seed, sample, self.shape)
        dim = len(self.shape)
        flat = uniforms(seed, samples, self.materials * dim, "cells")
        return flat.reshape(-1, self.materials, dim)

    def labels(self, sites: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Labels:
        """Label pixels by their materials.

        Parameters
        ----------
        sites : (..., K, d) array
            Seeds, as `draw` returns them.
        weights : (..., K) array, optional
            Weights, 0 by default; only their differences matter.

        Returns
        -------
        (..., *shape) uint8 array, or uint16 where K is more than 256
        """
        self._check_sites(sites)
        return assign(sites, weights, shape=self.shape, metric=self.metric)

    def field(
        self,
        sites: npt.ArrayLike,
        conductivity: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        *,
        epsilon: Any,
    ) -> Any:
        """Conductivities of the relaxed cells, a mean of the materials with softmax weights.

        .. math:: A_ε(x) = Σ_k p_k a_k,   p = softmax(−(d(x, c_k) − w_k)/ε).

        Parameters
        ----------
        sites : (..., K, d) array or torch tensor
            Seeds, as `draw` returns them.
        conductivity : (..., K) array or torch tensor
            Conductivity a_k of each material.
        weights : (..., K) array or torch tensor, optional
            Weights, 0 by default.
        epsilon : float, array or torch tensor
            ε > 0, in the unit of the weights; towards 0 the fields become those of `labels`.

        Returns
        -------
        (..., *shape) array or torch tensor
            Differentiable in all four, see `pearlite.laguerre.relax`.
        """
        self._check_sites(sites)
        return laguerre.relax(
            sites, weights, conductivity, shape=self.shape, epsilon=epsilon, metric=self.metric
        )

    def sample(
        self, count: int, weights: npt.ArrayLike | None = None, *, seed: int, sample: int = 0
    ) -> Labels:
        """Draw `count` cells and label them: ``labels(draw(count, ...), weights)``."""
        return self.labels(self.draw(count, seed=seed, sample=sample), weights)

    def _check_sites(self, sites: Any) -> None:
        """Raise unless there is one seed for each material."""
        try:
            given = tuple(np.shape(sites))
        except ValueError:
            return  # rows of different lengths, which the tessellation refuses
        expected = (self.materials, len(self.shape))
        if given[-2:] != expected:
            raise ValueError(
                f"sites has shape {given}; expected (..., {expected[0]}, {expected[1]})"
            )
