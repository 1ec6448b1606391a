"""Profiles: how the distance rises when one parameter is moved and the others follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from pearlite._arrays import check_choice, check_integer, check_number
from pearlite._errors import brief
from pearlite.inversion._parameters import Floats
from pearlite.inversion._result import Fit
from pearlite.inversion._sandwich import least_distance
from pearlite.inversion._target import Normal, normal_equations

_STEPS = 4
_ENOUGH = 1e-4  # fraction of the loss, below which steps end


@dataclass(frozen=True)
class Profile:
    """Least SW2² at given values of one parameter.

    Attributes
    ----------
    name : str
        The parameter, such as "w_2".
    values : (count,) array
        Its values.
    losses : (count,) array
        SW2² of the data, least over all other parameters.
    threshold : float
        The loss at the ends of an interval of the fit's `level`, for an estimate of least distance.
    others : dict of str to (count, size) array
        All parameters at each value.
    """

    name: str
    values: Floats
    losses: Floats
    threshold: float
    others: dict[str, Floats]


def profile(fit: Fit, name: str, *, count: int = 9, width: float = 3.0) -> Profile:
    r"""Move one parameter away from the estimate of least distance, and let the others follow.

    Parameters
    ----------
    fit : Fit
        What `pearlite.inversion.fit` returned.
    name : str
        One of ``fit.names``, such as "a_1"; no part of a simplex.
    count : int
        Number of values, at least 3.
    width : float
        How far to go to both sides, in standard errors.

    Returns
    -------
    Profile

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    The distance is no likelihood: where half of it has the curvature h along the profile and the
    estimate the standard error σ, the threshold is the least loss plus h σ² q², with the quantile q
    of the normal distribution. Costs up to five calls of the model for each value.

    Examples
    --------
    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(2)
    >>> truth = {"a": [1.0, 5.0], "alpha": [2.0, 3.0]}
    >>> found = pl.inversion.fit(model, pl.inversion.sample(model, truth, 400, seed=1), restarts=2)
    >>> curve = pl.inversion.profile(found, "a_1", count=5)
    >>> int(curve.losses.argmin())
    2
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit is a {type(fit).__name__}; expected a pearlite.inversion.Fit")
    count = check_integer("count", count, 3, 10**4)
    width = check_number("width", width)
    if not 0 < width < 100:
        raise ValueError(f"width is {width}; expected a number > 0 and < 100")
    entry, coordinate = _located(fit, name)
    model, layout = fit.model, fit.model.layout
    numbers = model.draw(len(fit.samples), fit.seed + 3)

    def evaluate(place: Floats) -> Normal:
        samples, jacobian = model.samples_and_jacobian(place, numbers)
        return normal_equations(fit.problem.target, samples, jacobian)

    centre = fit.path.coordinates
    samples, jacobian = model.samples_and_jacobian(centre, numbers)
    estimate, matrix = least_distance(fit.problem.target, centre, samples, jacobian)
    covariance = estimate.covariance(fit.problem.groups, fit.problem.effective)
    error = float(np.sqrt(covariance[coordinate, coordinate]))
    rest = np.delete(np.arange(len(centre)), coordinate)
    places, losses = {}, {}
    middle = count // 2
    shifts = np.linspace(-width, width, count) * error
    for side in (range(middle, count), range(middle - 1, -1, -1)):
        place = centre.copy()
        for k in side:
            place = place.copy()
            place[coordinate] = centre[coordinate] + shifts[k]
            places[k], losses[k] = _followed(evaluate, place, rest)
            place = places[k]
    found = [layout.parameters(places[k]) for k in range(count)]
    along = 1 / np.linalg.inv(matrix)[coordinate, coordinate]
    quantile = float(special.ndtri(0.5 + fit.level / 2))
    least = min(losses.values())
    return Profile(
        name,
        np.array([layout.flat(each)[entry] for each in found]),
        np.array([losses[k] for k in range(count)]),
        least + along * (error * quantile) ** 2,
        {key: np.stack([each[key] for each in found]) for key in found[0]},
    )


def _followed(evaluate: object, place: Floats, rest: np.ndarray) -> tuple[Floats, float]:
    """Minimize the loss over the coordinates `rest`."""
    now = evaluate(place)  # type: ignore[operator]
    for _ in range(_STEPS):
        step = np.zeros(len(place))
        step[rest] = -np.linalg.solve(now.matrix[np.ix_(rest, rest)], now.gradient[rest])
        if -float(now.gradient @ step) < _ENOUGH * now.loss:
            break
        then = evaluate(place + step)  # type: ignore[operator]
        if not then.loss < now.loss:
            break
        place, now = place + step, then
    return place, now.loss


def _located(fit: Fit, name: str) -> tuple[int, int]:
    """Return the number of an entry, and that of its coordinate."""
    layout = fit.model.layout
    check_choice("name", name, layout.names)
    entry = layout.names.index(name)
    coordinate = 0
    for block in layout.blocks:
        part = layout.slices()[block.name]
        if part.start <= entry < part.stop:
            inside = entry - part.start - block.gauge
            if block.constraint in ("simplex", "parts") or block.name in layout.known or inside < 0:
                raise ValueError(f"name is {brief(name)}; expected a free parameter of its own")
            return entry, coordinate + inside
        coordinate += 0 if block.name in layout.known else block.free
    raise AssertionError(name)
