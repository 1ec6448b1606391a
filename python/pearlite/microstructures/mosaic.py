"""Voronoi mosaics of Dirichlet-distributed fractions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pearlite.laguerre import assign
from pearlite.microstructures._draw import (
    MANY,
    Floats,
    check_array,
    check_batch,
    check_integer,
    check_kind,
    check_shape,
    uniforms,
)
from pearlite.microstructures.dirichlet import check_alpha, dirichlet
from pearlite.microstructures.tessellation import chunks, paint


class MosaicDraws(NamedTuple):
    """The uniform numbers behind mosaics.

    Attributes
    ----------
    sites : (..., S, d) array
        Seeds of the grains, in the unit cell.
    grains : (..., S) array
        Numbers that decide on the materials of the grains.
    fractions : (..., K) array
        Numbers that decide on the fractions of the materials.
    """

    sites: Floats
    grains: Floats
    fractions: Floats


@dataclass(frozen=True)
class DirichletMosaic:
    """Periodic Voronoi mosaics whose grains take materials by random probabilities.

    Each cell has probabilities v ~ Dirichlet(α) of its own; S seeds are uniform in it, and each
    grain takes material k with probability v_k.

    Parameters
    ----------
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    sites : int
        S, the number of grains.
    materials : int
        K, the number of materials, 1 to 256.

    Notes
    -----
    The numbers behind a sample (`draw`) are apart from the microstructure made of them
    (`fractions`, `labels`), so that mosaics of different α can share them. With the same numbers
    `labels` also takes fractions that are given.

    Source: arXiv:2604.14083, eqs. 34–35.

    Examples
    --------
    >>> import pearlite as pl
    >>> mosaic = DirichletMosaic((32, 32), sites=50, materials=3)
    >>> draws = mosaic.draw(4, seed=1)
    >>> v = mosaic.fractions(draws, alpha=[2.0, 3.0, 4.0])
    >>> labels = mosaic.labels(draws, v)
    >>> pl.homogenize(labels, phases=[1.0, 4.0, 10.0]).shape
    (4, 2, 2)
    """

    shape: tuple[int, ...]
    sites: int
    materials: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", check_shape(self.shape))
        check_integer("sites", self.sites, 1, MANY)
        check_integer("materials", self.materials, 1, 256)

    def draw(self, count: int, *, seed: int, sample: int = 0) -> MosaicDraws:
        """Draw the uniform numbers behind `count` mosaics.

        Parameters
        ----------
        count : int
            Number of mosaics.
        seed : int
            Seed of the batch.
        sample : int
            Number of the first mosaic.

        Returns
        -------
        MosaicDraws
        """
        samples = check_batch(count, seed, sample, self.shape)
        dim = len(self.shape)
        flat = uniforms(seed, samples, self.sites * (dim + 1) + self.materials, "mosaic")
        return split(flat, self.sites, dim)

    def fractions(self, draws: MosaicDraws, alpha: npt.ArrayLike) -> Floats:
        """Probabilities v of the materials.

        Parameters
        ----------
        draws : MosaicDraws
            What `draw` returned.
        alpha : (..., K) array
            Parameters > 0 of the Dirichlet distribution.

        Returns
        -------
        (..., K) float64 array
        """
        check_kind("draws", draws, MosaicDraws)
        return dirichlet(check_alpha(alpha, 1, self.materials), draws.fractions)

    def labels(self, draws: MosaicDraws, fractions: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Label pixels by their materials.

        Parameters
        ----------
        draws : MosaicDraws
            What `draw` returned.
        fractions : (..., K) array
            Probabilities v, which broadcast with the batch of `draws`.

        Returns
        -------
        (..., *shape) uint8 array
        """
        check_kind("draws", draws, MosaicDraws)
        shares = check_array("fractions", fractions, (self.materials,))
        return painted(self.shape, draws.sites, categorical(shares[..., None, :], draws.grains))

    def sample(
        self, count: int, alpha: npt.ArrayLike, *, seed: int, sample: int = 0
    ) -> npt.NDArray[np.uint8]:
        """Draw `count` mosaics and label them: `draw`, `fractions` and `labels` in one call."""
        draws = self.draw(count, seed=seed, sample=sample)
        return self.labels(draws, self.fractions(draws, alpha))


def split(flat: Floats, sites: int, dim: int) -> MosaicDraws:
    """Name the parts of uniform numbers (count, S (d + 1) + K)."""
    positions, grains, fractions = np.split(flat, [sites * dim, sites * (dim + 1)], axis=1)
    return MosaicDraws(positions.reshape(-1, sites, dim), grains, fractions)


def painted(
    shape: tuple[int, ...], sites: Floats, materials: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Label pixels (..., *shape) by the materials (..., S) of the grains of sites (..., S, d)."""
    batch = materials.shape[:-1]
    own = materials.reshape(-1, materials.shape[-1])
    places = np.broadcast_to(sites, (*batch, *sites.shape[-2:])).reshape(-1, *sites.shape[-2:])
    labels = np.empty((len(own), *shape), np.uint8)
    for part in chunks(len(own), shape):
        paint(own[part], assign(places[part], shape=shape), out=labels[part])
    return labels.reshape(*batch, *shape)


def categorical(fractions: npt.ArrayLike, uniform: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Turn uniform numbers into materials 0 … K−1 of given probabilities.

    The material is the number of partial sums v_0, v_0 + v_1, … (but the last) that are at most u:
    common random numbers u give materials that change one grain at a time with v.

    Parameters
    ----------
    fractions : (..., K) array
        Probabilities >= 0 that sum to 1; the leading axes broadcast with those of `uniform`.
    uniform : (...) array
        Numbers in [0, 1), one for each grain.

    Returns
    -------
    (...) uint8 array

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Source: arXiv:2604.14083, eqs. 34c and 39c.

    Examples
    --------
    >>> categorical([0.25, 0.25, 0.5], [0.1, 0.3, 0.7, 0.9])
    array([0, 1, 2, 2], dtype=uint8)
    """
    shares = check_array("fractions", fractions, (None,))
    numbers = check_array("uniform", uniform, ())
    if not 1 <= shares.shape[-1] <= 256:
        raise ValueError(f"fractions has shape {shares.shape}; expected 1 to 256 materials")
    if not ((shares >= 0).all() and (np.abs(shares.sum(axis=-1) - 1) <= 1e-9).all()):
        raise ValueError("fractions has entries that are no probabilities; expected a sum of 1")
    try:
        batch = np.broadcast_shapes(shares.shape[:-1], numbers.shape)
    except ValueError:
        raise ValueError(
            f"fractions has shape {shares.shape}; expected leading axes that broadcast with "
            f"{numbers.shape}, those of uniform"
        ) from None
    bounds = np.cumsum(shares, axis=-1)
    materials = np.zeros(batch, np.uint8)
    for k in range(shares.shape[-1] - 1):
        materials += bounds[..., k] <= numbers
    return materials
