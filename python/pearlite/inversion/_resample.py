"""What a fit is worth by resampling: bootstrap of the data, and goodness of fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pearlite._arrays import check_integer
from pearlite._errors import brief
from pearlite.inversion._parameters import Floats
from pearlite.inversion._result import FAR, HOPELESS, Fit, far_off
from pearlite.inversion._target import Normal, Target, make_target, normal_equations

_STEPS = 12
_PLACE, _DISTANCE = 1e-6, 1e-3  # gains in distance below which a place, or the distance, is found
_POOL = 4  # samples that resamples are drawn from, over data
_UNLIKELY = 0.025  # probability up to which data and model differ by more than chance
_CLOSE = 3.0  # times the distance of data of its own that a model may be from data
_SEEDS = 2**62  # of measurements

Measure = Callable[..., npt.ArrayLike]  # of (parameters, *, seed)


@dataclass(frozen=True)
class Bootstrap:
    """Estimates from resampled data.

    Attributes
    ----------
    parameters : dict of str to (count, size) array
        The estimate of each resample.
    errors : dict of str to (size,) array
        Their standard deviations.
    intervals : dict of str to (size, 2) array
        Between their quantiles.
    """

    parameters: dict[str, Floats]
    errors: dict[str, Floats]
    intervals: dict[str, Floats]


def bootstrap(fit: Fit, count: int = 200, *, seed: int = 0) -> Bootstrap:
    """Estimate the parameters again from resampled data.

    Rows, or whole specimens where the fit has groups, are drawn with replacement. No cell problem
    is solved: an estimate of least distance is sought again among samples that move along their
    Jacobians, and a refined one moves by the mean influence of the resample.

    Parameters
    ----------
    fit : Fit
        What `pearlite.inversion.fit` returned.
    count : int
        Number of resamples.
    seed : int
        Seed of the resamples.

    Returns
    -------
    Bootstrap

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    The scatter of the model's samples is not in it; the covariance of a fit has both.

    Source: B. Efron, *Bootstrap methods: another look at the jackknife*, Ann. Stat. 7, 1 (1979).

    Examples
    --------
    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(2)
    >>> truth = {"a": [1.0, 5.0], "alpha": [2.0, 3.0]}
    >>> data = pl.inversion.sample(model, truth, 400, seed=1)
    >>> found = pl.inversion.fit(model, data, restarts=2)
    >>> again = pl.inversion.bootstrap(found, 50)
    >>> bool((again.errors["a"] / found.errors["a"] < 2).all())
    True
    """
    _check_fit(fit)
    count = check_integer("count", count, 2, 10**6)
    rng = np.random.default_rng([check_integer("seed", seed, 0, 2**63 - 1), 0xB007])
    layout = fit.model.layout
    local = None if fit.refinement else _Local.of(fit)
    places = []
    for _ in range(count):
        rows = _resampled(fit, rng)
        if local is None:
            places.append(fit.estimate.coordinates + fit.estimate.data_influence[rows].mean(axis=0))
        else:
            target = make_target(fit.data[rows], fit.problem.projections, fit.problem.target.scale)
            places.append(local.nearest(target, _PLACE)[0])
    found = [layout.sorted(layout.parameters(place)) for place in places]
    parameters = {name: np.stack([each[name] for each in found]) for name in found[0]}
    tail = (1 - fit.level) / 2
    return Bootstrap(
        parameters,
        {name: values.std(axis=0, ddof=1) for name, values in parameters.items()},
        {
            name: np.quantile(values, [tail, 1 - tail], axis=0).T
            for name, values in parameters.items()
        },
    )


@dataclass(frozen=True)
class Goodness:
    """How far data are from the model, and how far they would be if it were true.

    Attributes
    ----------
    distance : float
        SW2² of the data from the model's samples nearest to them, in units of the data's scatter.
    floor : (count,) array
        The same of as many samples of the model itself in place of the data.
    probability : float
        Share of the floor that is at least `distance`; small where the model does not fit.
    misfit : float
        That of the fit: how far it is from the data, over their halves from each other.
    fits : bool
        Whether neither tells that the model is wrong.
    verdict : str
        The same as a sentence.
    """

    distance: float
    floor: Floats
    probability: float
    misfit: float

    @property
    def fits(self) -> bool:
        """Whether the data may well be those of the model."""
        return not (self.misfit > FAR or self.probability <= _UNLIKELY)

    @property
    def verdict(self) -> str:
        """Say in a sentence whether the model fits."""
        farther = int((self.floor >= self.distance).sum())
        share = f"{farther} of {len(self.floor)} sets of data that it makes are"
        times = self.distance / float(np.median(self.floor))
        if self.fits:
            return f"The model fits: {share} at least as far from it as these."
        if self.probability <= _UNLIKELY and times < _CLOSE:
            return (
                "The model is close, but the data differ from it by more than chance: "
                f"{share} as far from it. Errors may be larger than told."
            )
        if self.probability <= _UNLIKELY:
            return (
                f"The model does not fit: it is {times:.2g} times as far from the data as from "
                f"data that it makes. {HOPELESS}"
            )
        return far_off(self.misfit)


def goodness(
    fit: Fit, count: int = 99, *, measure: Measure | None = None, seed: int = 0
) -> Goodness:
    """Compare the distance of the data with that of data the model would give.

    Both are fitted: as the parameters were fitted to the data, they are to each resample, among
    samples that move along their Jacobians.

    Parameters
    ----------
    fit : Fit
        What `pearlite.inversion.fit` returned.
    count : int
        Number of resamples.
    measure : callable, optional
        ``measure(parameters, seed=...)`` returns data as the experiment would give them, of the
        shape of the fit's, noise included: the sites of one specimen depend on each other, which a
        number of independent data tells in part only. `StationarySpecimens.measure` is such a one.
    seed : int
        Seed of the resamples.

    Returns
    -------
    Goodness

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Cell problems are solved for 4N samples of the model, from which the resamples are drawn without
    replacement, and for those that data and resamples are compared with. Missing components of the
    data are missing from the resamples, too. Resamples are as large as the number of independent
    data that the data are worth: `effective` of the fit, or what sums over its `groups` tell. With
    `measure` all resamples are measured instead, and as large as the data.

    Source: A. C. Davison and D. V. Hinkley, *Bootstrap Methods and their Application* (1997),
    section 4.2, for tests by the parametric bootstrap.

    Examples
    --------
    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(2)
    >>> truth = {"a": [1.0, 5.0], "alpha": [2.0, 3.0]}
    >>> found = pl.inversion.fit(model, pl.inversion.sample(model, truth, 400, seed=1), restarts=2)
    >>> pl.inversion.goodness(found).probability > 0.01
    True
    """
    _check_fit(fit)
    count = check_integer("count", count, 1, 10**6)
    seed = check_integer("seed", seed, 0, 2**63 - 1)
    if not (measure is None or callable(measure)):
        raise TypeError(f"measure is {brief(measure)}; expected a function of parameters and seed")
    local = _Local.of(fit)
    projections, scale = fit.problem.projections, fit.problem.target.scale

    def distance(rows: Floats) -> float:
        target = make_target(rows, projections, scale)
        return local.nearest(target, _DISTANCE)[1].loss

    resamples = (
        _drawn(fit, count, seed) if measure is None else _measured(fit, measure, count, seed)
    )
    floor = np.array([distance(rows) for rows in resamples])
    own = distance(fit.data)
    probability = float((1 + (floor >= own).sum()) / (1 + count))
    return Goodness(own, floor, probability, fit.misfit)


def _holes(data: Floats) -> Floats:
    return np.where(np.isfinite(data), 0.0, np.nan)


def _drawn(fit: Fit, count: int, seed: int) -> Iterator[Floats]:
    """Draw data of the fitted model, as many as the fit's are worth."""
    rng = np.random.default_rng([seed, 0x600D])
    model, data = fit.model, fit.data
    parameters = model.layout.parameters(fit.estimate.coordinates)
    pool, _ = model.simulate(parameters, model.draw_independent(_POOL * len(data), seed + 5))
    holes = _holes(data)
    worth = max(2, round(fit.problem.independent))
    for _ in range(count):
        lost = holes[rng.permutation(len(data))[:worth]]
        yield pool[rng.permutation(len(pool))[:worth]] + lost


def _measured(fit: Fit, measure: Measure, count: int, seed: int) -> Iterator[Floats]:
    """Let the caller measure data of the fitted parameters."""
    holes = _holes(fit.data)
    for number in np.random.default_rng([seed, 0x3EA5]).integers(_SEEDS, size=count):
        rows = np.asarray(measure(fit.parameters, seed=int(number)), np.float64)
        rows = rows.reshape(-1, 1) if rows.ndim == 1 else rows
        if rows.shape != holes.shape or not np.isfinite(rows).all():
            raise ValueError(
                f"measure returned {brief(rows)}; expected finite numbers of shape {holes.shape}"
            )
        yield rows + holes


@dataclass(frozen=True)
class _Local:
    """Samples of a model near an estimate, to first order."""

    coordinates: Floats  # (Q,)
    samples: Floats  # (M, C)
    jacobian: Floats  # (M, C, Q)

    @staticmethod
    def of(fit: Fit) -> _Local:
        count = len(fit.samples)
        samples, jacobian = fit.model.samples_and_jacobian(
            fit.estimate.coordinates, fit.model.draw(count, fit.seed + 3)
        )
        return _Local(fit.estimate.coordinates, samples, jacobian)

    def normal(self, target: Target, place: Floats) -> Normal:
        """Compare the samples at other coordinates with data."""
        return normal_equations(
            target, self.samples + self.jacobian @ (place - self.coordinates), self.jacobian
        )

    def nearest(self, target: Target, tolerance: float) -> tuple[Floats, Normal]:
        """Return the coordinates of least distance, up to a fraction of it, and that distance."""
        place = self.coordinates
        now = self.normal(target, place)
        for _ in range(_STEPS):
            step = -np.linalg.solve(now.matrix + 1e-9 * np.diag(np.diag(now.matrix)), now.gradient)
            then = self.normal(target, place + step)
            if not then.loss < now.loss:
                break
            gain = 1 - then.loss / now.loss
            place, now = place + step, then
            if gain < tolerance:
                break
        return place, now


def _resampled(fit: Fit, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw rows with replacement, or all rows of specimens that are drawn so."""
    groups = fit.problem.groups
    if groups is None:
        return rng.integers(len(fit.data), size=len(fit.data))
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    chosen = rng.integers(len(members), size=len(members))
    return np.concatenate([members[k] for k in chosen])


def _check_fit(fit: object) -> None:
    if not isinstance(fit, Fit):
        raise TypeError(f"fit is a {type(fit).__name__}; expected a pearlite.inversion.Fit")
