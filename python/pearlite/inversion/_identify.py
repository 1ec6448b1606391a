"""What data of a model would tell, before there are any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pearlite._arrays import check_integer, check_number
from pearlite.inversion._estimate import inverse_information
from pearlite.inversion._likelihood import likelihoods
from pearlite.inversion._model import Model, check_model
from pearlite.inversion._parameters import Floats
from pearlite.inversion._problem import Sigma, wrapped
from pearlite.inversion._result import relative
from pearlite.inversion._sandwich import least_distance
from pearlite.inversion._score import project_score
from pearlite.inversion._target import make_target

_SAMPLES = {1: 16384, 3: 24576}
_PROJECTIONS = 64
_SHOWN = 0.15  # of the largest weight in a combination, below which a name is left out


@dataclass(frozen=True)
class Identifiability:
    """What `count` independent data tell about parameters.

    Attributes
    ----------
    count : int
        The number of data.
    parameters : dict of str to array
        The parameters that they would be drawn from.
    bound : dict of str to float
        Information bound of each block: the root mean square error over the norm of the block, in
        percent, that no unbiased estimate goes below.
    distance : dict of str to float
        That of the estimate of least sliced distance, in percent.
    needed : dict of str to float
        Data that an efficient estimate needs for an error of `precision`.
    precision : float
        The root mean square error over the norm, in percent, that `needed` is for.
    errors : (Q,) array
        Root mean square errors of the Q combinations, from the worst known to the best, in percent:
        each parameter counts in units of its block's norm.
    combinations : (Q, P) array
        Their weights, rows of norm 1.
    names : list of str
        Names of the P entries.
    exact : bool
        Whether the information is that of the law itself, else of its score projected on functions
        of a sample, which is less.
    """

    count: int
    parameters: dict[str, Floats]
    bound: dict[str, float]
    distance: dict[str, float]
    needed: dict[str, float]
    precision: float
    errors: Floats
    combinations: Floats
    names: list[str]
    exact: bool

    def summary(self) -> str:
        """Return the report as lines of text."""
        what = "the law" if self.exact else "the projected score"
        lines = [
            f"{self.count} independent data; information of {what}",
            f"{'':8} {'bound':>9} {'distance':>9}   data for {self.precision:g} %",
        ]
        for name, error in self.bound.items():
            other = self.distance[name]
            lines.append(
                f"{name:8} {error:7.3g} % {other:7.3g} %   {max(1.0, self.needed[name]):.3g}"
            )
        lines.append("combinations, from the worst known:")
        for error, weights in zip(self.errors, self.combinations, strict=True):
            lines.append(f"{error:9.3g} %  {self._named(weights)}")
        return "\n".join(lines)

    def _named(self, weights: Floats) -> str:
        largest = np.abs(weights).max()
        terms = [
            f"{weight:+.2f} {name}"
            for weight, name in zip(weights, self.names, strict=True)
            if abs(weight) > _SHOWN * largest
        ]
        return " ".join(terms)


def identifiability(
    model: Model,
    parameters: Mapping[str, npt.ArrayLike],
    count: int,
    *,
    precision: float = 5.0,
    seed: int = 0,
    samples: int | None = None,
    sigma: Sigma = None,
    known: Mapping[str, npt.ArrayLike] | None = None,
) -> Identifiability:
    r"""Tell what `count` data of a model would say about its parameters, before any is measured.

    The Fisher information I of one datum bounds the covariance of an unbiased estimate z from N
    data,

    .. math:: \mathrm{Cov}\, z ⪰ (N I)^{-1}, \quad I = E\, s sᵀ, \quad s = ∂ \log p/∂z.

    Its eigenvectors are the combinations of parameters that the data tell best and worst.

    Parameters
    ----------
    model : Model
        What the data would be samples of.
    parameters : mapping of str to array
        The parameters, as they are expected to be.
    count : int
        N, the number of independent data.
    precision : float
        Wanted root mean square error of a block over its norm, in percent; the report tells how
        many data it takes.
    seed : int
        Seed of the samples.
    samples : int, optional
        Samples of the model that the report rests on; 24576 tensors, or 16384 scalars.
    sigma, known
        As for `fit`; "unknown" noise is taken as `parameters` have it.

    Returns
    -------
    Identifiability

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Where the law is not known, s is projected on some functions of a sample (see `fit`). Two thirds
    of the samples learn the projection and the rest tell what it is worth, so that the error is
    that of an estimate which can be had. With singular laws no finite number of functions has all
    the information; it is then a bound of what these functions allow.

    Examples
    --------
    Two of three conductivities of layers are hardly told apart if their fractions hardly scatter:

    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(3)
    >>> truth = {"a": [1.0, 4.0, 10.0], "alpha": [2.0, 3.0, 5.0]}
    >>> report = pl.inversion.identifiability(model, truth, 10_000)
    >>> bool(report.bound["alpha"] > 10 > 1 > report.errors[-1])
    True
    """
    whole, place, scale = _prepared(model, parameters, seed, sigma, known)
    count = check_integer("count", count, 1, 10**12)
    number = _SAMPLES[whole.components]
    if samples is not None:
        number = check_integer("samples", samples, 100, 2**24)
    precision = check_number("precision", precision)
    if not 0 < precision < np.inf:
        raise ValueError(f"precision is {precision}; expected a number > 0, in percent")
    drawn, jacobian = whole.samples_and_jacobian(place, whole.draw(number, seed))
    covariance, exact = _bound(whole, place, drawn, jacobian, seed)
    target = make_target(drawn, _PROJECTIONS, scale)
    least, _ = least_distance(target, place, drawn, jacobian)
    scatter = least.data_influence.T @ least.data_influence / number
    return _report(whole, place, count, precision, covariance, scatter, exact)


def _prepared(
    model: Model,
    parameters: Mapping[str, npt.ArrayLike],
    seed: int,
    sigma: Sigma,
    known: Mapping[str, npt.ArrayLike] | None,
) -> tuple[Model, Floats, Floats]:
    """Return the model with noise and known blocks, the coordinates and the scales (C,)."""
    check_model(model)
    check_integer("seed", seed, 0, 2**63 - 1)
    if not isinstance(parameters, Mapping):
        raise TypeError(f"parameters is a {type(parameters).__name__}; expected a mapping")
    unit = np.ones(model.components)
    if isinstance(sigma, str):  # unknown noise is in units of the scatter
        own = {block.name for block in model.blocks}
        values = model.layout.check({k: v for k, v in parameters.items() if k in own})
        probe, _ = model.simulate(values, model.draw(512, seed))
        unit = probe.std(axis=0)
    whole = wrapped(model, sigma, known, unit)
    place = whole.layout.coordinates(whole.layout.check(parameters))
    probe, _ = whole.simulate(whole.layout.parameters(place), whole.draw(512, seed))
    return whole, place, probe.std(axis=0)


def _bound(
    model: Model, place: Floats, samples: Floats, jacobian: Floats, seed: int
) -> tuple[Floats, bool]:
    """Return the least covariance (Q, Q) of one datum, and whether it is that of the law."""
    laws = likelihoods(model, samples, place)
    if laws:
        return inverse_information(laws[-1](place).information), True
    half = 2 * len(samples) // 3
    order = np.random.default_rng([seed, 0x1DE]).permutation(len(samples))
    learning, testing = order[:half], order[half:]
    projection = project_score(samples[learning], jacobian[learning], seed)
    scores, matrix = projection.scores_and_matrix(samples[testing], jacobian[testing])
    scatter = np.atleast_2d(np.cov(scores.T))
    information = matrix.T @ np.linalg.pinv(scatter, rcond=1e-12, hermitian=True) @ matrix
    return inverse_information(information), False


def _report(
    model: Model,
    place: Floats,
    count: int,
    precision: float,
    covariance: Floats,
    scatter: Floats,
    exact: bool,
) -> Identifiability:
    layout = model.layout
    parameters = layout.parameters(place)
    slopes = layout.jacobian(place)
    bound, distance = (
        relative(slopes @ part @ slopes.T / count, parameters, model)
        for part in (covariance, scatter)
    )
    needed = {name: count * (error / precision) ** 2 for name, error in bound.items()}
    for name, part in layout.slices().items():
        slopes[part] /= max(float(np.linalg.norm(parameters[name])), 1e-300)
    values, vectors = np.linalg.eigh(slopes @ covariance @ slopes.T / count)
    worst = np.argsort(values)[::-1][: layout.free]
    combinations = vectors[:, worst].T
    signs = np.sign(combinations[np.arange(len(worst)), np.abs(combinations).argmax(axis=1)])
    return Identifiability(
        count,
        parameters,
        bound,
        distance,
        needed,
        precision,
        100 * np.sqrt(np.maximum(values[worst], 0)),
        combinations * signs[:, None],
        layout.names,
        exact,
    )
