"""The scalar conductivity of layers whose fractions are uniform."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from pearlite._arrays import check_integer
from pearlite.inversion._draws import even_uniforms, independent_uniforms
from pearlite.inversion._model import Model, Parameters
from pearlite.inversion._parameters import Block, Floats


@dataclass(frozen=True)
class UniformLayers(Model):
    r"""Layers in 1D of which all volume fractions but the last are uniform and independent.

    .. math:: 1/a^* = b_K + \sum_{k<K} v_k (b_k − b_K), \quad v_k \sim U(0, δ_k), \quad b = 1/a.

    Parameters
    ----------
    materials : int
        K, the number of materials, 2 to 9.

    Notes
    -----
    The parameters are "a", the conductivities of the first K − 1 materials; "a_last", that of the
    last, which takes the rest; and "delta", with Σ δ_k < 1.

    The law of a* tells the set of widths δ_k |b_k − b_K| and the sum of the shifts, no more. With a
    known (``known={"a": ..., "a_last": ...}``) δ follows up to an exchange: where b_1 − b_K and
    b_2 − b_K have the same sign, (δ_1, δ_2) and (δ_2 |b_2 − b_K|/|b_1 − b_K|,
    δ_1 |b_1 − b_K|/|b_2 − b_K|) have the same law, if both are allowed.

    Source: arXiv:2604.14083, Theorem 4.1 and appendix A, with v_k between 0 and δ_k.

    Examples
    --------
    >>> import numpy as np
    >>> model = UniformLayers(2)
    >>> truth = {"a": np.ones(1), "a_last": np.array([4.0]), "delta": np.array([0.6])}
    >>> samples, _ = model.simulate(truth, model.draw(1024, seed=1))
    >>> float(samples.min().round(2)), float(samples.max().round(2))  # 1/(1/4 + .6 · 3/4), 4
    (1.43, 4.0)
    """

    materials: int = 2
    components = 1
    order = "a"

    def __post_init__(self) -> None:
        check_integer("materials", self.materials, 2, 9)

    @property
    def blocks(self) -> tuple[Block, ...]:  # type: ignore[override]
        """Conductivities, and ends of the intervals of the fractions."""
        count = self.materials - 1
        return (
            Block("a", count, "positive"),
            Block("a_last", 1, "positive", materials=False),
            Block("delta", count, "parts"),
        )

    def draw(self, count: int, seed: int) -> Floats:
        """Draw uniform numbers (count, K − 1)."""
        return even_uniforms(count, self.materials - 1, seed)

    def draw_independent(self, count: int, seed: int) -> Floats:
        """Draw numbers as `draw` does, but independent ones."""
        return independent_uniforms(count, self.materials - 1, seed)

    def simulate(
        self,
        parameters: Parameters,
        numbers: Floats,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Return a* (count, 1), and its Jacobian (count, 1, 2K − 1)."""
        a, last, delta = parameters["a"], parameters["a_last"], parameters["delta"]
        fractions = numbers * delta  # (count, K − 1)
        rest = 1 - fractions.sum(axis=1, keepdims=True)
        samples = 1 / (fractions @ (1 / a) + rest[:, 0] / last[0])
        if not jacobian:
            return samples[:, None], None
        square = samples[:, None] ** 2
        parts = [
            square * fractions / a**2,
            square * rest / last**2,
            -square * numbers * (1 / a - 1 / last),
        ]
        return samples[:, None], np.concatenate(parts, axis=1)[:, None]

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Conductivities log-uniform over twice the range of the data, uniform δ."""
        low, high = np.log(np.nanmin(data)), np.log(np.nanmax(data))
        margin = 0.5 * (high - low)
        count = self.materials - 1
        a = np.exp(rng.uniform(low - margin, high + margin, count + 1))
        shares = rng.dirichlet(np.ones(count + 1))
        return {"a": np.sort(a[:-1]), "a_last": a[-1:], "delta": shares[:-1]}

    def distribution(self, parameters: Parameters, points: Floats) -> tuple[Floats, None]:
        r"""Return P(a* ≤ t) (E,).

        A sum of n uniform numbers of widths h_k is below x with the probability
        Σ_S (−1)^|S| (x − Σ_S h)₊ⁿ / (n! Π h), a sum over all sets S.
        """
        gaps = 1 / parameters["a"] - 1 / parameters["a_last"]
        widths = np.abs(parameters["delta"] * gaps)
        widths = np.maximum(widths, 1e-9 * widths.max())
        shift = 1 / parameters["a_last"] + np.minimum(parameters["delta"] * gaps, 0).sum()
        reach = np.clip(1 / points - shift, 0, widths.sum())
        total = np.zeros(len(points))
        for size in range(len(widths) + 1):
            for subset in itertools.combinations(widths, size):
                total += (-1) ** size * np.maximum(reach - sum(subset), 0) ** len(widths)
        below = total / (math.factorial(len(widths)) * widths.prod())
        return 1 - np.clip(below, 0, 1), None
