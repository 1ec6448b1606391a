"""The scalar conductivity of Dirichlet-distributed fractions of layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pearlite._arrays import check_integer
from pearlite.inversion._dirichlet_law import mean_below, mean_excess
from pearlite.inversion._draws import even_uniforms, independent_uniforms
from pearlite.inversion._gamma import Places, log_gamma_quantiles, places
from pearlite.inversion._model import Model, Parameters
from pearlite.inversion._parameters import Block, Floats
from pearlite.microstructures.dirichlet import normalized

_LEAST, _MOST = 1e-3, 1e6  # of alpha, beyond which quantiles are not computed


@dataclass(frozen=True)
class DirichletLayers(Model):
    r"""Layers in 1D whose volume fractions are Dirichlet-distributed.

    .. math:: a^* = \Big(\sum_k v_k/a_k\Big)^{-1}, \quad v \sim \mathrm{Dir}(α).

    Parameters
    ----------
    materials : int
        K, the number of materials, at least 2.

    Notes
    -----
    The parameters are the conductivities a of the materials, in the data's unit, and α > 0. The
    random numbers are uniform, one for each material, and v_k ∝ the quantile of the gamma
    distribution of shape α_k.

    Source: arXiv:2604.14083, eqs. 23–25 and section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> model = DirichletLayers(3)
    >>> truth = {"a": np.array([1.0, 4.0, 10.0]), "alpha": np.array([0.2, 0.3, 0.5])}
    >>> samples, _ = model.simulate(truth, model.draw(4096, seed=1))
    >>> float((1 / samples).mean().round(3))  # Σ ᾱ_k / a_k = .325
    0.325
    """

    materials: int = 3
    components = 1
    order = "a"

    def __post_init__(self) -> None:
        check_integer("materials", self.materials, 2, 256)

    @property
    def blocks(self) -> tuple[Block, ...]:  # type: ignore[override]
        """Conductivities and parameters of the Dirichlet distribution."""
        count = self.materials
        return Block("a", count, "positive"), Block("alpha", count, "positive")

    def draw(self, count: int, seed: int) -> Places:
        """Draw uniform numbers (count, K), located for interpolation."""
        return places(even_uniforms(count, self.materials, seed))

    def draw_independent(self, count: int, seed: int) -> Places:
        """Draw numbers as `draw` does, but independent ones."""
        return places(independent_uniforms(count, self.materials, seed))

    def simulate(
        self,
        parameters: Parameters,
        numbers: Places,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Return a* (count, 1), and its Jacobian (count, 1, 2K)."""
        a, alpha = parameters["a"], np.clip(parameters["alpha"], _LEAST, _MOST)
        quantiles = [
            log_gamma_quantiles(shape, Places(nodes, offsets), jacobian)
            for shape, nodes, offsets in zip(alpha, numbers[0].T, numbers[1].T, strict=True)
        ]
        fractions = normalized(np.stack([logs for logs, _ in quantiles], axis=1))  # (count, K)
        samples = 1 / (fractions @ (1 / a))  # (count,)
        if not jacobian:
            return samples[:, None], None
        square = samples[:, None] ** 2
        in_a = square * fractions / a**2
        # ∂(1/a*)/∂log g_k = v_k (1/a_k − 1/a*)
        shifts = np.stack([slopes for _, slopes in quantiles if slopes is not None], axis=1)
        in_alpha = -square * fractions * (1 / a - 1 / samples[:, None]) * shifts
        return samples[:, None], np.concatenate([in_a, in_alpha], axis=1)[:, None]

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Conductivities log-uniform over the range of the data, α log-uniform in (.2, 5)."""
        low, high = np.log(np.nanmin(data)), np.log(np.nanmax(data))
        margin = 0.25 * (high - low)
        a = np.exp(np.sort(rng.uniform(low - margin, high + margin, self.materials)))
        return {"a": a, "alpha": np.exp(rng.uniform(np.log(0.2), np.log(5), self.materials))}

    def feasible(self, parameters: Parameters, data: Floats) -> Parameters:
        """Let the conductivities of the materials enclose the data."""
        a = parameters["a"].copy()
        a[a.argmin()] = min(a.min(), data.min() * (1 - 1e-6))
        a[a.argmax()] = max(a.max(), data.max() * (1 + 1e-6))
        return {**parameters, "a": a}

    def distribution(self, parameters: Parameters, points: Floats) -> tuple[Floats, Floats]:
        """Return P(a* ≤ t) (E,) and its Jacobian (E, 2K)."""
        a = parameters["a"]
        below, in_values, in_alpha = mean_below(1 / a, parameters["alpha"], 1 / points)
        return 1 - below, np.concatenate([in_values / a**2, -in_alpha], axis=1)

    def excess(self, parameters: Parameters, resistivities: Floats) -> tuple[Floats, Floats]:
        """Return E max(0, 1/a* − r) (E,) and its Jacobian (E, 2K)."""
        a = parameters["a"]
        mean, in_values, in_alpha = mean_excess(1 / a, parameters["alpha"], resistivities)
        return mean, np.concatenate([-in_values / a**2, in_alpha], axis=1)
