"""The least error that estimates from tensors of random mosaics may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pearlite._arrays import check_integer, check_number
from pearlite._errors import brief
from pearlite.inversion._simplex_likelihood import RESOLUTION
from pearlite.inversion._stochastic import StochasticMosaics, dirichlet_fractions
from pearlite.inversion._stochastic_coordinates import Floats


@dataclass(frozen=True)
class InformationBound:
    """The least errors of estimates from independent specimens, by the Fisher information.

    Attributes
    ----------
    parameters : dict of str to (K,) array
        Where the bound holds.
    count : float
        Specimens.
    covariances : (R, 2K, 2K) array
        The least covariance of (α, a), from R simulated sets of specimens.
    """

    parameters: dict[str, Floats]
    count: float
    covariances: Floats

    @property
    def relative(self) -> dict[str, float]:
        """Root mean square of ‖estimate − truth‖/‖truth‖ of each block, the median of the sets."""
        variances = np.diagonal(self.covariances, axis1=1, axis2=2)
        parts = variances.reshape(len(variances), 2, -1).sum(axis=2)
        return {
            name: float(np.median(np.sqrt(part)) / np.linalg.norm(self.parameters[name]))
            for name, part in zip(("alpha", "a"), parts.T, strict=True)
        }

    def specimens(self, name: str, error: float) -> int:
        """Return how many specimens bring the relative error of a block down to `error`."""
        if not isinstance(name, str) or name not in self.parameters:
            raise ValueError(f"name is {brief(name)}; expected 'alpha' or 'a'")
        if not 0 < check_number("error", error) < np.inf:
            raise ValueError(f"error is {brief(error)}; expected a finite number > 0")
        return int(np.ceil(self.count * (self.relative[name] / error) ** 2))

    def __str__(self) -> str:
        parts = [f"{name} {100 * value:.2g} %" for name, value in self.relative.items()]
        return f"least relative error with {self.count:.6g} specimens: " + ", ".join(parts)


def information_bound(
    model: StochasticMosaics,
    parameters: Mapping[str, npt.ArrayLike],
    count: float,
    *,
    samples: int = 16384,
    seed: int = 0,
) -> InformationBound:
    """Return the least errors that estimates from `count` independent specimens may have.

    The Fisher information is the sum of the outer products of the scores of simulated specimens;
    its inverse is the least covariance (Cramér and Rao). Where `samples` suffice for several sets
    of `count` specimens, the median of the sets is taken: rare specimens of almost one material
    tell more about its conductivity than all others, and most sets have none.

    Parameters
    ----------
    model : StochasticMosaics
        With the surrogate "moments". Before any fit it has coefficients that are typical of
        mosaics of 100 to 1000 grains, which is good enough for planning.
    parameters : mapping
        "alpha" and "a".
    count : float
        Independent specimens; an effective number, where they are correlated.
    samples : int
        Simulated specimens.
    seed : int
        Seed of the simulation.

    Returns
    -------
    InformationBound

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> model = pl.inversion.StochasticMosaics(materials=3, sites=100)
    >>> bound = pl.inversion.information_bound(
    ...     model, {"alpha": [2.0, 3.0, 4.0], "a": [1.0, 4.0, 10.0]}, 1000, samples=2000
    ... )
    >>> print(bound)
    least relative error with 1000 specimens: alpha 10 %, a 4.9 %
    """
    if not isinstance(model, StochasticMosaics):
        raise TypeError(f"model is a {type(model).__name__}; expected StochasticMosaics")
    if model.surrogate != "moments":
        raise ValueError("model has surrogate='network'; expected 'moments', which has a law")
    values = model.layout.check(parameters)
    size = check_integer("samples", samples, 16 * model.materials, 2**24)
    seed = check_integer("seed", seed, 0, 2**63)
    number = check_number("count", count)
    if not 0 < number < np.inf:
        raise ValueError(f"count is {brief(count)}; expected a finite number > 0")
    sets = max(1, int(size // max(number, 16 * model.materials)))
    scores = _simulated_scores(model, values, size, seed)
    parts = np.array_split(scores, sets)
    inverses = [np.linalg.pinv(s.T @ s / len(s), hermitian=True) / number for s in parts]
    return InformationBound(values, number, np.stack(inverses))


def _simulated_scores(
    model: StochasticMosaics, values: dict[str, Floats], size: int, seed: int
) -> Floats:
    """Scores (size, 2K) in (α, a) of specimens that the likelihood's own law gives."""
    logs = np.log(values["a"])
    numbers = model.draw_independent(size, seed)
    fractions, _ = dirichlet_fractions(values["alpha"], numbers.fractions)
    given = simulated(model, fractions, logs, np.random.default_rng([seed, 0xC0]))
    _, scores = model.likelihood().scores(given, values["alpha"], logs)
    scores[:, model.materials :] /= values["a"]
    return scores


def simulated(
    model: StochasticMosaics, fractions: Floats, logs: Floats, rng: np.random.Generator
) -> Floats:
    """Coordinates (N, 3) of specimens of fractions (N, K), by the likelihood's own law."""
    counts = rng.multinomial(model.sites, fractions) / model.sites
    law = model.trained.law(counts, logs, counted=True)
    scatter, blur = rng.standard_normal((2, len(counts), 3))
    return np.asarray(law.mean + np.exp(law.log_variance / 2) * scatter + RESOLUTION * blur)
