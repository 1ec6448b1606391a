"""Maximum likelihood, where the law of the data is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pearlite.inversion._estimate import Estimate
from pearlite.inversion._model import Model
from pearlite.inversion._parameters import Floats

_BINS = (32, 128, 512)  # of the data, at most, from few to many
_SHARING = 20  # data to a bin that shares them, at least: an estimate errs by less than its width
_CLOSEST = 3e-5  # distance of bins that share data, over the range: rounding errors are 1e-10
_STEP = 1e-5  # of differences in the coordinates, where derivatives are not known
_ITERATIONS = 100
_LONGEST = 0.5  # step of a coordinate


class Likelihood(NamedTuple):
    """The likelihood at one point."""

    total: float  # mean log-likelihood of a datum
    score: Floats  # (Q,), its derivative
    information: Floats  # (Q, Q), of one datum
    influence: Floats  # (N, Q), derivative of each datum's log-likelihood


Law = Callable[[Floats], Likelihood]  # of coordinates


def arrive(model: Model, data: Floats, start: Floats) -> tuple[Estimate, Likelihood] | None:
    """Maximize the likelihood of data (N, C) from `start`, in the model's own way if it has one."""
    found = model.maximum_likelihood(model.layout.parameters(start), data)
    if found is None:
        return _climbed(model, data, start)
    parameters, values, natural = found
    place = model.layout.coordinates(parameters)
    scores = natural @ model.layout.jacobian(place)
    information = scores.T @ scores / len(data)
    end = Likelihood(float(values.mean()), scores.mean(axis=0), information, scores)
    return _estimate(place, end)


def _climbed(model: Model, data: Floats, start: Floats) -> tuple[Estimate, Likelihood] | None:
    """Climb the likelihoods that are known of data (N, C), one from the end of the other."""
    found = None
    for law in likelihoods(model, data, start):
        near = model.feasible(model.layout.parameters(start), data)
        found = maximize(law, model.layout.coordinates(near))
        if found is None:
            return None
        start = found[0].coordinates
    return found


def likelihoods(model: Model, data: Floats, start: Floats) -> list[Law]:
    """Return the likelihoods of data (N, C) as functions of the coordinates, none if unknown.

    The last one is the one to be maximized; each before it has fewer local maxima.
    """
    parameters = model.layout.parameters(start)
    if model.components == 1 and model.distribution(parameters, data[:1, 0]) is not None:
        counts = sorted({int(np.clip(len(data) // 8, 8, bins)) for bins in _BINS})
        return [grouped(model, data[:, 0], bins) for bins in counts]
    if model.log_likelihood(parameters, data[:1]) is not None:
        return [direct(model, data)]
    return []


def settle(model: Model, data: Floats, found: Estimate) -> Estimate:
    """Go on from what was found for data (N, C) to bins that share data, if that is possible.

    Where nearly all data are as good as of one material each, no climb arrives.
    """
    place = found.coordinates
    if model.components != 1 or model.excess(model.layout.parameters(place), data[:1, 0]) is None:
        return found
    law = shared(model, 1 / data[:, 0], int(np.clip(len(data) // _SHARING, 8, _BINS[-1])))
    end = maximize(law, place)
    return found if end is None else end[0]


def grouped(model: Model, data: Floats, bins: int) -> Law:
    """Return the likelihood of how many data (N,) fall between quantiles of theirs.

    Densities of means of Dirichlet vectors have poles at the materials' conductivities, so that the
    likelihood of the data themselves is unbounded. Counts in some hundred bins tell nearly as much,
    but a pole within one of them is a local maximum; the fewer bins, the fewer such maxima.
    """
    edges = np.unique(np.quantile(data, np.linspace(0, 1, bins + 1)[1:-1]))
    numbers = np.searchsorted(edges, data, side="right")
    counts = np.bincount(numbers, minlength=len(edges) + 1) / len(data)

    def law(coordinates: Floats) -> Likelihood:
        below, slopes = _distribution(model, coordinates, edges)
        chances = np.diff(below, prepend=0.0, append=1.0)
        rates = np.diff(slopes, axis=0, prepend=0.0, append=0.0)  # (bins, Q)
        if not (chances > 1e-9 * counts).all():
            return _impossible(len(coordinates), len(data))
        scores = rates / chances[:, None]
        information = scores.T @ (scores * chances[:, None])
        total = float(counts @ np.log(chances))
        return Likelihood(total, counts @ scores, information, scores[numbers])

    return law


def shared(model: Model, resistivities: Floats, knots: int) -> Law:
    """Return the likelihood of data (N,) each of which two bins share, the more the nearer.

    The chance of a bin is the mean of a hat function, and smooth in the place of a pole: that of a
    bin with sharp edges is not where the pole crosses an edge, and its information there says
    nothing of the error of an estimate that jumps from bin to bin.
    """
    span = float(np.ptp(resistivities))
    places = np.quantile(resistivities, np.linspace(0, 1, knots + 1)[1:-1])
    places = _apart(np.unique(places), _CLOSEST * span)
    lower = np.clip(np.searchsorted(places, resistivities, side="right") - 1, 0, len(places) - 2)
    widths = np.diff(places)
    part = np.clip((resistivities - places[lower]) / widths[lower], 0, 1)  # of the upper bin
    totals = np.bincount(lower, 1 - part, len(places)) + np.bincount(lower + 1, part, len(places))
    counts = totals / len(resistivities)

    def law(coordinates: Floats) -> Likelihood:
        known = model.excess(model.layout.parameters(coordinates), places)
        assert known is not None
        excess, slopes = known[0], known[1] @ model.layout.jacobian(coordinates)
        # The mean share of all bins above each interval, falling from 1 to 0
        above = -np.diff(excess) / widths
        rates = -np.diff(slopes, axis=0) / widths[:, None]
        chances = -np.diff(above, prepend=1.0, append=0.0)
        if not (chances > 1e-9 * counts).all():
            return _impossible(len(coordinates), len(resistivities))
        scores = -np.diff(rates, axis=0, prepend=0.0, append=0.0) / chances[:, None]
        information = scores.T @ (scores * chances[:, None])
        influence = (1 - part)[:, None] * scores[lower] + part[:, None] * scores[lower + 1]
        return Likelihood(float(counts @ np.log(chances)), counts @ scores, information, influence)

    return law


def _apart(places: Floats, least: float) -> Floats:
    """Leave out those of sorted places that are nearer than `least` to the last one kept."""
    kept = [places[0]]
    for place in places[1:]:
        if place - kept[-1] > least:
            kept.append(place)
    return np.array(kept)


def _impossible(size: int, count: int) -> Likelihood:
    """Return the likelihood of parameters under which some data have no chance."""
    return Likelihood(-np.inf, np.zeros(size), np.eye(size), np.zeros((count, size)))


def direct(model: Model, data: Floats) -> Law:
    """Return the likelihood of the data (N, C) by the densities that the model gives."""

    def values(coordinates: Floats) -> Floats:
        logs = model.log_likelihood(model.layout.parameters(coordinates), data)
        assert logs is not None
        return logs

    def law(coordinates: Floats) -> Likelihood:
        here = values(coordinates)
        shifts = _STEP * np.eye(len(coordinates))
        scores = np.stack(
            [(values(coordinates + d) - values(coordinates - d)) / (2 * _STEP) for d in shifts], 1
        )
        information = scores.T @ scores / len(data)
        return Likelihood(float(here.mean()), scores.mean(axis=0), information, scores)

    return law


def maximize(law: Law, start: Floats) -> tuple[Estimate, Likelihood] | None:
    """Climb from `start` by damped Fisher scoring; None stands for a climb that did not arrive.

    The influences are those of the data alone, since nothing is simulated.
    """
    place, now, damping = start, law(start), 1e-3
    for _ in range(_ITERATIONS):
        if not np.isfinite(now.total) or damping > 1e8:
            return None
        scaled = now.information + damping * np.diag(np.diag(now.information) + 1e-12)
        step = np.linalg.solve(scaled, now.score)
        step /= max(1.0, float(np.abs(step).max()) / _LONGEST)
        # In units of the standard errors
        if float(step @ now.information @ step) * len(now.influence) < 1e-4:
            break
        then = law(place + step)
        if np.isfinite(then.total) and then.total > now.total:
            place, now, damping = place + step, then, max(damping / 5, 1e-9)
        else:
            damping *= 10
    else:
        return None
    return _estimate(place, now)


def _estimate(place: Floats, end: Likelihood) -> tuple[Estimate, Likelihood] | None:
    """Return the estimate where a climb ended, unless the data do not determine it."""
    if not np.linalg.cond(end.information) < 1e13:
        return None
    influence = (end.influence - end.influence.mean(axis=0)) @ np.linalg.inv(end.information)
    return Estimate(place, influence, np.zeros((0, len(place)))), end


def _distribution(model: Model, coordinates: Floats, points: Floats) -> tuple[Floats, Floats]:
    """P(A ≤ t) (E,) and its derivatives (E, Q) in the coordinates."""

    def at(place: Floats) -> tuple[Floats, Floats | None]:
        known = model.distribution(model.layout.parameters(place), points)
        assert known is not None
        return known

    below, natural = at(coordinates)
    if natural is not None:
        return below, natural @ model.layout.jacobian(coordinates)
    shifts = _STEP * np.eye(len(coordinates))
    columns = [(at(coordinates + d)[0] - at(coordinates - d)[0]) / (2 * _STEP) for d in shifts]
    return below, np.stack(columns, axis=1)
