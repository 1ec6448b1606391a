"""Gaussian random fields of the covariance (−Δ + τ²)^(−β), and their copulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from pearlite._errors import brief
from pearlite.microstructures._draw import (
    Floats,
    check_array,
    check_batch,
    check_integer,
    check_number,
    check_positive,
    check_shape,
    normals,
)

Window: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

UNIT_SQUARE: Window = ((0.0, 1.0), (0.0, 1.0))
_CHUNK = 2**13  # points whose eigenfunctions are in memory at a time
# Products of matrices of at most so many multiplications stay on one thread of OpenBLAS, where more
# would wait for each other longer than they work; they also do not depend on the number of points.
_SINGLE = 2**18
_BLOCK = (32, 4096)  # points, at least and at most


@dataclass(frozen=True)
class NeumannField:
    """Gaussian random field on the unit square, by a truncated Karhunen–Loève expansion.

    .. math:: g(x) = Σ_{j,k=1}^M λ_{jk}^{1/2} ξ_{jk} φ_j(x_0) φ_k(x_1),
              λ_{jk} = (π² (j² + k²)/L² + τ²)^{−β},

    with independent standard normal ξ and the eigenfunctions φ_j(s) = (2/L)^½ cos(jπ(s + e)/L) of
    the Laplacian under Neumann conditions, on a square of side L = 1 + 2e around the unit square.
    The modes with j = 0 or k = 0 are left out, as in the source: averages along either axis, over
    the extended square, vanish.

    Parameters
    ----------
    tau : float
        τ, the inverse of the correlation length, in units of the square's side.
    beta : float
        β > 1, which sets the smoothness: without boundary and truncation the field has a Matérn
        covariance of order ν = β − 1, proportional to (τr)^ν K_ν(τr).
    modes : int
        M, the modes along each axis.
    extension : float
        e, by how much the square is extended on each side. Beyond about 2 √(2ν)/τ the boundary
        is not felt.

    Notes
    -----
    The numbers behind a sample (`draw`) are apart from the field made of them (`at`, `on_grid`), so
    that fields of different τ and β can share them.

    Sources: arXiv:2604.14083, eqs. 30–32; F. Lindgren, H. Rue and J. Lindström, J. R. Stat. Soc. B
    73, 423 (2011), for the relation with the Matérn covariance.

    Examples
    --------
    >>> field = NeumannField(tau=20.0, beta=4.0)
    >>> normals = field.draw(3, seed=1)
    >>> normals.shape, field.at([[0.5, 0.5], [0.5, 0.51]], normals).shape
    ((3, 40, 40), (3, 2))
    >>> field.uniform_on_grid((64, 48), normals).shape
    (3, 64, 48)
    """

    tau: float = 20.0
    beta: float = 4.0
    modes: int = 40
    extension: float = 0.25

    def __post_init__(self) -> None:
        check_positive("tau", self.tau)
        if check_positive("beta", self.beta) <= 1:
            raise ValueError(f"beta is {brief(self.beta)}; expected a number > 1")
        check_integer("modes", self.modes, 1, 2**15)
        if not 0 <= check_number("extension", self.extension) < np.inf:
            raise ValueError(f"extension is {brief(self.extension)}; expected a finite number >= 0")

    def draw(self, count: int, *, seed: int, sample: int = 0) -> Floats:
        """Draw the standard normal coefficients ξ of `count` fields.

        Parameters
        ----------
        count : int
            Number of fields.
        seed : int
            Seed of the batch.
        sample : int
            Number of the first field.

        Returns
        -------
        normals : (count, M, M) float64 array
        """
        shape = (self.modes, self.modes)
        samples = check_batch(count, seed, sample, shape)
        return normals(seed, samples, shape, "field")

    def at(self, points: npt.ArrayLike, normals: npt.ArrayLike) -> Floats:
        """Evaluate fields at any points.

        Parameters
        ----------
        points : (..., 2) array
            Points of the unit square.
        normals : (*batch, M, M) array
            Coefficients ξ of the fields.

        Returns
        -------
        (*batch, ...) float64 array
            Values g(x).
        """
        return self._unit() * self._at(points, normals)

    def on_grid(
        self, shape: Sequence[int], normals: npt.ArrayLike, *, window: Window = UNIT_SQUARE
    ) -> Floats:
        """Evaluate fields at the pixel centres of a grid.

        Parameters
        ----------
        shape : (n0, n1)
            Pixels along each axis.
        normals : (*batch, M, M) array
            Coefficients ξ of the fields.
        window : ((a0, b0), (a1, b1))
            Part of the unit square that the grid covers: from a to b along each axis.

        Returns
        -------
        (*batch, n0, n1) float64 array
            Values g(x).
        """
        return self._unit() * self._on_grid(shape, normals, window)

    def variance(self, points: npt.ArrayLike) -> Floats:
        """Variance of the truncated field at points (..., 2) of the unit square, exactly."""
        return self.covariance(points, points)

    def covariance(self, first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
        """Covariance of the truncated field between pairs of points, exactly.

        Parameters
        ----------
        first, second : (..., 2) array
            Points of the unit square, whose leading axes broadcast.

        Returns
        -------
        (...) float64 array
            ⟨g(x) g(y)⟩ = Σ λ_jk φ_j(x_0) φ_j(y_0) φ_k(x_1) φ_k(y_1).
        """
        one, two = self._points("first", first), self._points("second", second)
        try:
            one, two = np.broadcast_arrays(one, two)
        except ValueError:
            raise ValueError(
                f"second has shape {two.shape}; expected one that broadcasts with {one.shape}"
            ) from None
        return self._unit() ** 2 * self._covariance(one, two)

    def standard(self, points: npt.ArrayLike, normals: npt.ArrayLike) -> Floats:
        """Fields at points over their exact standard deviation there; arguments as in `at`."""
        return self._at(points, normals, standard=True)

    def standard_on_grid(
        self, shape: Sequence[int], normals: npt.ArrayLike, *, window: Window = UNIT_SQUARE
    ) -> Floats:
        """Fields on a grid over their exact standard deviation; arguments as in `on_grid`."""
        along0, along1 = (self._cosines(centres) ** 2 for centres in _centres(shape, window))
        deviation = np.sqrt(along0.T @ self._eigenvalues() @ along1)
        return self._on_grid(shape, normals, window) / deviation

    def uniform(self, points: npt.ArrayLike, normals: npt.ArrayLike) -> Floats:
        """Copula fields u = Φ(g/σ), uniform in (0, 1) at each point; arguments as in `at`.

        Notes
        -----
        σ is the exact standard deviation of the truncated field at the point, so that the boundary
        does not disturb the marginals. Source: arXiv:2604.14083, eq. 32.
        """
        return np.asarray(special.ndtr(self.standard(points, normals)))

    def uniform_on_grid(
        self, shape: Sequence[int], normals: npt.ArrayLike, *, window: Window = UNIT_SQUARE
    ) -> Floats:
        """Copula fields on a grid; arguments as in `on_grid`, see `uniform`."""
        return np.asarray(special.ndtr(self.standard_on_grid(shape, normals, window=window)))

    def sample(self, points: npt.ArrayLike, count: int, *, seed: int, sample: int = 0) -> Floats:
        """Draw `count` fields and evaluate them: ``at(points, draw(count, ...))``."""
        return self.at(points, self.draw(count, seed=seed, sample=sample))

    # What follows is in units of τ^(−β), which may underflow and drops out of the copula.

    def _unit(self) -> float:
        """Largest possible value of λ^½, τ^(−β)."""
        return float(np.exp(-self.beta * np.log(self.tau)))

    def _at(self, points: npt.ArrayLike, normals: npt.ArrayLike, standard: bool = False) -> Floats:
        where, coefficients = self._points("points", points), self._scaled(normals)
        blocks = self._cut(where)
        fields = coefficients.reshape(-1, self.modes, self.modes)
        values = np.empty((len(fields), len(blocks), blocks.shape[-1]))
        for part in self._parts(blocks):
            along0, along1 = (self._cosines(blocks[part, axis]) for axis in (0, 1))
            for value, field in zip(values, fields, strict=True):
                np.einsum("bkn,bkn->bn", field.T @ along0, along1, out=value[part])
            if standard:
                variance = np.einsum("bkn,bkn->bn", self._eigenvalues() @ along0**2, along1**2)
                values[:, part] /= np.sqrt(variance)
        values = values.reshape(len(fields), -1)[:, : where.size // 2]
        return values.reshape((*coefficients.shape[:-2], *where.shape[:-1]))

    def _on_grid(self, shape: Sequence[int], normals: npt.ArrayLike, window: Window) -> Floats:
        along0, along1 = (self._cosines(centres) for centres in _centres(shape, window))
        values: Floats = along0.T @ self._scaled(normals) @ along1
        return values

    def _covariance(self, first: Floats, second: Floats) -> Floats:
        one, two = self._cut(first), self._cut(second)
        values = np.empty((len(one), one.shape[-1]))
        for part in self._parts(one):
            along0, along1 = (
                self._cosines(one[part, axis]) * self._cosines(two[part, axis]) for axis in (0, 1)
            )
            np.einsum("bkn,bkn->bn", self._eigenvalues() @ along0, along1, out=values[part])
        return values.ravel()[: first.size // 2].reshape(first.shape[:-1])

    def _cut(self, points: Floats) -> Floats:
        """Points (..., 2) as blocks (B, 2, n), the last filled up with zeros."""
        flat = points.reshape(-1, 2)
        size = int(np.clip(_SINGLE // self.modes**2, *_BLOCK))
        blocks = np.zeros((-(-len(flat) // size) * size, 2))
        blocks[: len(flat)] = flat
        return np.ascontiguousarray(blocks.reshape(-1, size, 2).swapaxes(1, 2))

    def _parts(self, blocks: Floats) -> list[slice]:
        """Cut blocks into parts whose eigenfunctions fit into memory."""
        step = max(1, _CHUNK // blocks.shape[-1])
        return [slice(start, start + step) for start in range(0, len(blocks), step)]

    def _cosines(self, positions: Floats) -> Floats:
        """Eigenfunctions (..., M, N) of one axis at positions (..., N) of the unit interval."""
        side = 1 + 2 * self.extension
        first = np.exp(1j * (np.pi / side) * (positions + self.extension))
        wave = first.copy()
        cosines = np.empty((*positions.shape[:-1], self.modes, positions.shape[-1]))
        for j in range(self.modes):
            cosines[..., j, :] = wave.real
            wave *= first  # as exact as the cosine of a multiple of a rounded angle
        cosines *= np.sqrt(2 / side)
        return cosines

    def _eigenvalues(self) -> Floats:
        """λ (M, M)."""
        side = 1 + 2 * self.extension
        squares = (np.arange(1, self.modes + 1) * (np.pi / (side * self.tau))) ** 2
        eigenvalues: Floats = (1 + np.add.outer(squares, squares)) ** -self.beta
        return eigenvalues

    def _scaled(self, normals: npt.ArrayLike) -> Floats:
        """λ^½ ξ of coefficients (..., M, M)."""
        given = check_array("normals", normals, (self.modes, self.modes))
        return given * np.sqrt(self._eigenvalues())

    def _points(self, name: str, points: npt.ArrayLike) -> Floats:
        """Points (..., 2) of the unit square, or an error."""
        where = check_array(name, points, (2,))
        if not ((where >= 0) & (where <= 1)).all():
            raise ValueError(
                f"{name} has entries outside of [0, 1]; expected points of the unit square"
            )
        return where


def _centres(shape: Sequence[int], window: Window) -> list[Floats]:
    """Positions of the pixel centres along both axes."""
    sizes = check_shape(shape, dims=(2,), least=1)  # a specimen may be one cell wide
    ends = check_array("window", window, (2, 2))
    if (
        ends.ndim != 2
        or not ((ends[:, 0] >= 0) & (ends[:, 0] < ends[:, 1]) & (ends[:, 1] <= 1)).all()
    ):
        raise ValueError(
            f"window is {brief(window)}; expected ((a0, b0), (a1, b1)) with 0 <= a < b <= 1"
        )
    return [a + (b - a) * (np.arange(n) + 0.5) / n for n, (a, b) in zip(sizes, ends, strict=True)]
