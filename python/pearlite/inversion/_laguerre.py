"""Periodic cells of one weighted seed a material, drawn sharp or relaxed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from pearlite import _arrays, _core, _threads, corrector
from pearlite._errors import brief
from pearlite.inversion._draws import even_uniforms, independent_uniforms
from pearlite.inversion._model import Model, Parameters
from pearlite.inversion._parameters import Block, Floats
from pearlite.laguerre._check import Metric
from pearlite.microstructures._draw import check_array, check_pair
from pearlite.microstructures.tessellation import LaguerreCells

_CHUNK = 2**20  # pixels in memory at a time
_RTOL = 1e-4  # of effective tensors: the scatter of a sample is 1e3 times as large
_GRADIENT_RTOL = 1e-2
_FEWEST = 32  # pixels of an axis whose error tells that of twice as many: at 16 it is not linear
_NEVER = 1e3  # lag of a seed that does not grow, in units of w
_NARROWEST = 0.25  # of a pixel: faces that no pixel meets have no slope


@dataclass(frozen=True)
class PeriodicLaguerre(Model):
    r"""Periodic cells of one seed a material, as nuclei that begin to grow at different times.

    .. math:: V_k = \{x : d(x, c_k) + w_k ≤ d(x, c_j) + w_j \text{ for all } j\},

    with seeds c_k uniform in the unit cell, the distance d on the torus ("additive") or its square
    ("power"), and conductivity a_k on V_k. A sample is (A11, A22, A12) of such a cell.

    Parameters
    ----------
    materials : int
        K, the number of materials, at least 2.
    shape : (n0, n1)
        Pixels of a cell.
    metric : {"additive", "power"}
        What seeds compete by.
    coarse : (n0, n1), optional
        Pixels of the relaxed cells; by default half as many as `shape` along each axis, at least
        32 if `shape` has as many.
    widths : sequence of float
        Widths ε of the relaxation, in the unit of w, from wide to narrow; the stages of a fit,
        before one with sharp cells. By default .04, .015, .005 for "additive", and the same times
        2ℓ for "power", with ℓ = K^(−½), the mean distance of seeds.
    mixing : {"arithmetic", "geometric"}
        How the relaxed cells of the stages mix materials: by the mean of a as in the source, or by
        that of log a.
    threads : int, optional
        By default all the cores that this process may use.

    Notes
    -----
    The parameters are the conductivities a, in the data's unit, and the lags w, in units of the
    cell's side ("power": of its square), with w_1 = 0. `pearlite.laguerre` takes weights −w.

    Sharp cells have the law itself. Their tensor is the geometric mean of two-sided bounds (see
    `pearlite.homogenize`), whose mesh bias at 32² pixels is below .3 % of the scatter of a sample.
    They have no derivative in w, and take that of relaxed cells, of the materials that are there,
    which mix log a:

    .. math:: \log A_ε(x) = Σ_k p_k \log a_k, \quad p = \mathrm{softmax}(−(d + w)/ε), \quad
              ∂A_ε/∂a_k = p_k A_ε/a_k, \quad ∂A_ε/∂w_k = p_k A_ε (\log A_ε − \log a_k)/ε.

    A fit that weighs residuals of sharp cells by these has the right zero, since residuals vanish
    at the truth whatever they are weighted by. The geometric mean is the one that duality in 2D
    maps to itself: it moves the mean tensor by .01 of the scatter of a sample at ε = .005, where
    the source's arithmetic mean moves it by .09, and the derivative in w is off by 5 %, not 20 %.
    For the stages the arithmetic mean is the default, since fewer starts get stuck with it.

    Source: arXiv:2604.14083, eqs. 26–29.

    Examples
    --------
    >>> import numpy as np
    >>> model = PeriodicLaguerre(3, (32, 32))
    >>> truth = {"a": np.array([1.0, 4.0, 10.0]), "w": np.array([0.0, 0.1, 0.05])}
    >>> samples, jacobian = model.simulate(truth, model.draw(8, seed=1), jacobian=True)
    >>> samples.shape, jacobian.shape
    ((8, 3), (8, 3, 6))
    """

    materials: int = 3
    shape: tuple[int, int] = (64, 64)
    metric: Metric = "additive"
    mixing: Literal["arithmetic", "geometric"] = "arithmetic"
    coarse: tuple[int, int] | None = None
    widths: tuple[float, ...] | None = None
    threads: int | None = None
    order = "a"

    def __post_init__(self) -> None:
        cells = LaguerreCells(self.shape, self.materials, self.metric)  # which checks
        _arrays.check_integer("materials", self.materials, 2, 256)
        if len(cells.shape) != 2:
            raise ValueError(f"shape is {brief(self.shape)}; expected 2 integers")
        object.__setattr__(self, "shape", cells.shape)
        half = [n if n <= 32 else max(32, n // 2) for n in cells.shape]
        coarse = half if self.coarse is None else self.coarse
        object.__setattr__(self, "coarse", check_pair("coarse", coarse, 2, (2**15, 2**15)))
        if self.widths is not None:
            widths = check_array("widths", self.widths, (None,))
            if widths.ndim != 1 or not len(widths) or not (widths > 0).all():
                raise ValueError(f"widths is {brief(self.widths)}; expected numbers > 0")
            object.__setattr__(self, "widths", tuple(widths.tolist()))
        _arrays.check_choice("mixing", self.mixing, ("arithmetic", "geometric"))
        _threads.count(self.threads)

    @property
    def blocks(self) -> tuple[Block, ...]:  # type: ignore[override]
        """Conductivities and lags."""
        return Block("a", self.materials, "positive"), Block("w", self.materials, gauge=True)

    @property
    def stages(self) -> Sequence[float | None]:  # type: ignore[override]
        """The widths of the relaxation, then sharp cells."""
        return (*self._widths, None)

    @property
    def _widths(self) -> tuple[float, ...]:
        if self.widths is not None:
            return tuple(self.widths)
        unit = 1.0 if self.metric == "additive" else 2 / np.sqrt(self.materials)
        return tuple(unit * width for width in (0.04, 0.015, 0.005))

    def draw(self, count: int, seed: int) -> Floats:
        """Draw the seeds (count, K, 2)."""
        return even_uniforms(count, 2 * self.materials, seed).reshape(count, -1, 2)

    def draw_independent(self, count: int, seed: int) -> Floats:
        """Draw numbers as `draw` does, but independent ones."""
        return independent_uniforms(count, 2 * self.materials, seed).reshape(count, -1, 2)

    def simulate(
        self,
        parameters: Parameters,
        numbers: Floats,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Return (A11, A22, A12) of each cell, (count, 3), and the Jacobian (count, 3, 2K)."""
        a, w = parameters["a"], parameters["w"]
        if epsilon is not None:
            lags = np.broadcast_to(w, (len(numbers), len(w)))
            return self._relaxed(a, lags, numbers, epsilon, jacobian, self.mixing)
        labels = LaguerreCells(self.shape, self.materials, self.metric).labels(numbers, -w)
        effective = corrector.homogenize(
            labels, phases=a, rtol=_RTOL, estimate="bracketed", threads=self.threads
        )
        samples = _components(effective)
        if not jacobian:
            return samples, None
        assert self.coarse is not None
        pixel = 1 / min(self.coarse)
        unit = 1.0 if self.metric == "additive" else 2 / np.sqrt(self.materials)
        width = max(self._widths[-1], _NARROWEST * pixel * unit)
        lags = np.where(present(labels, self.materials), w, _NEVER)
        return samples, self._relaxed(a, lags, numbers, width, True, "geometric")[1]

    def solves(self, count: int, *, epsilon: float | None = None, jacobian: bool = False) -> int:
        """Count the cell problems of one call: of sharp cells also the dual ones."""
        return count if epsilon is not None else count * (3 if jacobian else 2)

    def coarser(self) -> PeriodicLaguerre | None:
        """Return the model of half as many pixels an axis, if those are 32 or more."""
        if any(n % 2 or n < 2 * _FEWEST for n in self.shape):
            return None
        return replace(self, shape=(self.shape[0] // 2, self.shape[1] // 2))

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Conductivities log-uniform over the range of the data and a little more, small lags."""
        ends = np.nanmin(data[:, :2]), np.nanmax(data[:, :2])
        low, high = np.log(ends)
        margin = 0.1 * (high - low)
        a = np.exp(np.sort(rng.uniform(low - margin, high + margin, self.materials)))
        w = 0.1 * rng.standard_normal(self.materials)
        return {"a": a, "w": w - w[0]}

    def _relaxed(
        self, a: Floats, w: Floats, sites: Floats, epsilon: float, jacobian: bool, mixing: str
    ) -> tuple[Floats, Floats | None]:
        assert self.coarse is not None
        step = max(1, _CHUNK // (self.coarse[0] * self.coarse[1] * (self.materials + 4)))
        parts = [
            self._relaxed_part(a, w[i : i + step], sites[i : i + step], epsilon, jacobian, mixing)
            for i in range(0, len(sites), step)
        ]
        samples = np.concatenate([part for part, _ in parts])
        if not jacobian:
            return samples, None
        return samples, np.concatenate([part for _, part in parts if part is not None])

    def _relaxed_part(
        self, a: Floats, w: Floats, sites: Floats, epsilon: float, jacobian: bool, mixing: str
    ) -> tuple[Floats, Floats | None]:
        shares = self._shares(w, sites, epsilon)  # (count, K, n)
        geometric = mixing == "geometric"
        values = np.log(a) if geometric else a
        mean = np.einsum("ckn,k->cn", shares, values)[:, None]  # (count, 1, n)
        field = (np.exp(mean) if geometric else mean).reshape(-1, *self.coarse)  # type: ignore[misc]
        if not jacobian:
            effective = corrector.homogenize(field, rtol=_RTOL, threads=self.threads)
            return _components(effective), None
        solution = corrector.solve_correctors(
            field, rtol=_RTOL, gradient_rtol=_GRADIENT_RTOL, threads=self.threads
        )
        density = densities(solution.correctors, self.threads)  # (count, 3, n)
        if geometric:
            density *= field.reshape(len(sites), 1, -1)
        in_values = density @ shares.swapaxes(1, 2)  # (count, 3, K)
        in_w = ((density * mean) @ shares.swapaxes(1, 2) - in_values * values) / epsilon
        in_a = in_values / a if geometric else in_values
        return _components(solution.effective), np.concatenate([in_a, in_w], axis=2)

    def _shares(self, w: Floats, sites: Floats, epsilon: float) -> Floats:
        """Weights p (count, K, pixels) of the materials at each pixel, of lags w (count, K)."""
        assert self.coarse is not None
        squares = []
        for axis, n in enumerate(self.coarse):
            gap = np.abs(sites[:, :, axis, None] - (np.arange(n) + 0.5) / n)
            squares.append(np.minimum(gap, 1 - gap) ** 2)  # (count, K, n)
        score = squares[0][..., :, None] + squares[1][..., None, :]
        if self.metric == "additive":
            np.sqrt(score, out=score)
        score += w[:, :, None, None]
        score = score.reshape(*score.shape[:2], -1)
        score -= score.min(axis=1, keepdims=True)
        score *= -1 / epsilon
        np.exp(score, out=score)
        score /= score.sum(axis=1, keepdims=True)
        return np.asarray(score)


def _components(effective: corrector.Floats) -> Floats:
    columns = [effective[:, 0, 0], effective[:, 1, 1], effective[:, 0, 1]]
    return np.stack(columns, axis=1).astype(np.float64)


def present(labels: npt.NDArray[np.integer], materials: int) -> npt.NDArray[np.bool_]:
    """Return which materials each cell of labels (count, n0, n1) has: (count, K)."""
    return np.stack([(labels == k).any(axis=(1, 2)) for k in range(materials)], axis=1)


def densities(correctors: corrector.Floats, threads: int | None) -> Floats:
    """Differentiate A11, A22 and A12 in each pixel's conductivity: (count, 3, pixels)."""
    n0, n1 = correctors.shape[-2:]
    spacing = _arrays.pixel_sizes(None, (n0, n1))
    out = np.empty((len(correctors), 3, n0 * n1))
    for component, (i, j) in enumerate(((0, 0), (1, 1), (0, 1))):
        cotangent = np.zeros((len(correctors), 2, 2))
        cotangent[:, i, j] = 1
        density = _core.pull_back(
            correctors, None, cotangent, False, spacing, _threads.count(threads)
        )
        out[:, component] = density.reshape(len(density), -1)
    return out
