"""Estimates nearly as good as those of maximum likelihood, for laws known by samples only.

The score ∂ log p/∂z of a law, projected on functions h of a sample, is Cov(h)⁻¹ ∂E[h]/∂z times
h − E[h], and ∂E[h]/∂z is the mean of ∇h · ∂x/∂z over samples with Jacobians. An estimate for which
the model's mean of that projection is the data's has the least variance that these functions allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pearlite.inversion._estimate import Estimate
from pearlite.inversion._model import Model, Numbers
from pearlite.inversion._parameters import Floats

_FEATURES = {1: 60, 3: 400}  # at most, and a fortieth of the samples that they learn from
_FREQUENCY = 3.0  # scatter of the waves' frequencies, per standard deviation
_RIDGE = 3e-3  # of the covariance of standardized features
_SMOOTH = {1: 3.0, 3: 1.0}  # the same where the neighbourhood is looked for
_FEW = 2000  # samples that find it; twice as many learn
_ROUNDS = 12  # evaluations, at most
_ARRIVED = 0.1  # difference of the means, in standard errors
_CLOSE = 0.5  # the same where sharp cells, which jump, never get so near
_NEAR = 2.0  # standard errors off which a projection loses a tenth of its worth; 4 double errors
_LONGEST = 3.0  # step, in standard errors
_ROUNDING = 1e-10  # longest coordinate of a step that teaches nothing
_FARTHEST = 0.5  # step of a coordinate; twice as far from the start it has strayed
_CHUNK = 2**11  # samples at a time


@dataclass(frozen=True)
class Features:
    """Waves in the standardized invariants of a sample.

    For tensors these are the logarithm of the mean A = (A11 + A22)/2, (A11 − A22)/2A and A12/A;
    the signs of the latter two mean nothing where all orientations are alike, and the waves are
    averaged over them.

    Source: A. Rahimi and B. Recht, *Random features for large-scale kernel machines*, NIPS (2007).
    """

    centre: Floats  # (C,)
    spread: Floats  # (C,)
    logarithm: bool
    frequencies: Floats  # (C, H)
    phases: Floats  # (H,)

    def values(self, samples: Floats) -> Floats:
        """Return the features (M, H)."""
        parts = [
            self._waves(self._invariants(samples[i : i + _CHUNK]), None)[0]
            for i in range(0, len(samples), _CHUNK)
        ]
        return np.concatenate(parts)

    def values_and_mean_slopes(self, samples: Floats, jacobian: Floats) -> tuple[Floats, Floats]:
        """Return the features (M, H), and the mean (H, Q) of their derivatives."""
        values, total = [], np.zeros((len(self.phases), jacobian.shape[2]))
        for i in range(0, len(samples), _CHUNK):
            part = samples[i : i + _CHUNK]
            slopes = self._slopes(part) @ jacobian[i : i + _CHUNK]  # (M, C, Q)
            wave, slope = self._waves(self._invariants(part), slopes)
            values.append(wave)
            total += slope
        return np.concatenate(values), total / len(samples)

    def _invariants(self, samples: Floats) -> Floats:
        if samples.shape[1] == 1:
            first, others = samples, samples[:, :0]
        else:
            first = samples[:, :2].mean(axis=1, keepdims=True)
            half = 0.5 * (samples[:, :1] - samples[:, 1:2])
            others = np.concatenate([half, samples[:, 2:]], axis=1)
            if self.logarithm:
                others = others / first
        first = np.log(first) if self.logarithm else first
        return np.asarray((np.concatenate([first, others], axis=1) - self.centre) / self.spread)

    def _slopes(self, samples: Floats) -> Floats:
        """Return the derivatives (M, C, C) of the standardized invariants in the components."""
        count, size = samples.shape
        slopes = np.zeros((count, size, size))
        if size == 1:
            slopes[:, 0, 0] = 1 / samples[:, 0] if self.logarithm else 1.0
            return slopes / self.spread[:, None]
        mean = samples[:, :2].mean(axis=1) if self.logarithm else np.ones(count)
        slopes[:, 0, :2] = (0.5 / mean)[:, None]
        slopes[:, 1, 0], slopes[:, 1, 1] = 0.5 / mean, -0.5 / mean
        slopes[:, 2, 2] = 1 / mean
        if self.logarithm:
            half = 0.5 * (samples[:, 0] - samples[:, 1])
            slopes[:, 1, :2] -= (0.5 * half / mean**2)[:, None]
            slopes[:, 2, :2] -= (0.5 * samples[:, 2] / mean**2)[:, None]
        return slopes / self.spread[:, None]

    def _waves(self, points: Floats, slopes: Floats | None) -> tuple[Floats, Floats]:
        """Return the waves (M, H) at points (M, C), and the sum (H, Q) of their derivatives."""
        size = points.shape[1]
        total = np.zeros((len(points), len(self.phases)))
        rates = np.zeros((len(self.phases), 0 if slopes is None else slopes.shape[2]))
        signs = [(1.0,)] if size == 1 else [(1.0, s, t) for s in (1.0, -1.0) for t in (1.0, -1.0)]
        for sign in signs:
            turned = np.array(sign)[:, None] * self.frequencies  # (C, H)
            angle = points @ turned + self.phases
            total += np.cos(angle)
            if slopes is not None:
                # Σ_m −sin(angle_mh) Σ_c turned_ch slopes_mcq
                sine = np.sin(angle)
                for c in range(size):
                    rates -= turned[c][:, None] * (sine.T @ slopes[:, c])
        return total / len(signs), rates / len(signs)


def make_features(samples: Floats, seed: int, frequency: float = _FREQUENCY) -> Features:
    """Return features fit for samples (M, C), of waves whose frequencies scatter by so much."""
    size = samples.shape[1]
    logarithm = bool((samples[:, : max(1, size - 1)].mean(axis=1) > 0).all())
    blank = Features(np.zeros(size), np.ones(size), logarithm, np.zeros((size, 1)), np.zeros(1))
    invariants = blank._invariants(samples)
    rng = np.random.default_rng([seed, 0xFEA7])
    count = min(_FEATURES[size], max(20, len(samples) // 40))
    frequencies = frequency * rng.standard_normal((size, count))
    phases = rng.uniform(0, 2 * np.pi, count)
    centre = invariants.mean(axis=0)
    centre[1:] = 0.0  # so that the waves do not tell their signs
    spread = np.sqrt(((invariants - centre) ** 2).mean(axis=0))
    return Features(centre, spread, logarithm, frequencies, phases)


@dataclass(frozen=True)
class Projection:
    """The score of a law, projected on features."""

    features: Features
    centre: Floats  # (H,)
    spread: Floats  # (H,)
    weights: Floats  # (H, Q)

    def scores(self, samples: Floats) -> Floats:
        """Return the scores (M, Q)."""
        return np.asarray(
            (self.features.values(samples) - self.centre) / self.spread @ self.weights
        )

    def scores_and_matrix(self, samples: Floats, jacobian: Floats) -> tuple[Floats, Floats]:
        """Return the scores (M, Q), and the derivative (Q, Q) of their mean in the coordinates."""
        values, slopes = self.features.values_and_mean_slopes(samples, jacobian)
        scores = (values - self.centre) / self.spread @ self.weights
        return scores, self.weights.T @ (slopes / self.spread[:, None])


def project_score(
    samples: Floats, jacobian: Floats, seed: int, frequency: float = _FREQUENCY
) -> Projection:
    """Learn the projection from samples (M, C) with Jacobians (M, C, Q)."""
    features = make_features(samples, seed, frequency)
    values, slopes = features.values_and_mean_slopes(samples, jacobian)
    centre, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    standard = (values - centre) / spread
    matrix = standard.T @ standard / len(samples) + _RIDGE * np.eye(values.shape[1])
    weights = np.linalg.solve(matrix, slopes / spread[:, None])
    return Projection(features, centre, spread, weights)


def solve_scores(
    model: Model,
    data: Floats,
    start: Floats,
    learning: int,
    testing: int,
    seed: int,
    tick: Callable[[], None],
) -> tuple[Estimate, int] | None:
    """Find coordinates at which the model's mean score is that of the data (N, C).

    `learning` samples learn the projection, `testing` ones give the means; few of both, and long
    waves, find the neighbourhood first. `tick` is called before each evaluation. Returns the
    estimate and the number of cell problems; None if it strays.
    """
    place, solves = start, 0
    rounds = [(learning, testing, _FREQUENCY)] * 2
    if testing >= _FEW and learning > 2 * _FEW:
        rounds.insert(0, (2 * _FEW, _FEW, _SMOOTH[data.shape[1]]))
    for lesson_count, count, frequency in rounds:
        whole = lesson_count == learning
        lessons, numbers = model.draw(lesson_count, seed + 1), model.draw(count, seed + 2)
        tick()
        learned = model.samples_and_jacobian(place, lessons)
        projection = project_score(*learned, seed, frequency)
        solves += model.solves(lesson_count, jacobian=True)
        try:
            coarser = model.coarser() if whole else None
            found, calls = _newton(model, projection, data, place, numbers, tick, coarser)
        except np.linalg.LinAlgError:  # samples that tell nothing of a parameter
            found, calls = None, _ROUNDS
        solves += calls * model.solves(count, jacobian=True)
        solves += 0 if coarser is None else coarser.solves(count)
        if found is None:
            if whole:
                return None
            continue  # few samples may stray where many do not
        estimate = found
        errors = np.sqrt(np.diag(estimate.covariance()))
        moved = np.abs(estimate.coordinates - place) / errors
        place = estimate.coordinates
        if whole and moved.max() < _NEAR:
            break  # else the projection once more where the first one led
    return estimate, solves


def _newton(
    model: Model,
    projection: Projection,
    data: Floats,
    place: Floats,
    numbers: Numbers,
    tick: Callable[[], None],
    coarser: Model | None,
) -> tuple[Estimate | None, int]:
    """Solve for equal means, by Newton steps that Broyden's updates correct; count evaluations.

    Jacobians of relaxed cells err by some percent, and the updates learn the difference. What the
    mesh errs by is taken off, as a `coarser` model tells it where the search begins.
    """
    of_data = projection.scores(data)
    begin = place
    update = np.zeros((len(place), len(place)))
    last: tuple[Floats, Floats] | None = None  # the last step and its rest
    best, shortest = None, _CLOSE
    mesh: Floats = np.zeros(len(place))
    for calls in range(1, _ROUNDS + 1):
        tick()
        samples, jacobian = model.samples_and_jacobian(place, numbers)
        scores, matrix = projection.scores_and_matrix(samples, jacobian)
        if calls == 1 and coarser is not None:
            half, _ = coarser.simulate(model.layout.parameters(place), numbers)
            mesh = scores - projection.scores(half)  # (M, Q)
        rest = of_data.mean(axis=0) - (scores + mesh).mean(axis=0)
        scatter = np.cov(scores.T) / len(data)
        if last is not None and np.abs(last[0]).max() > _ROUNDING:
            step, before = last
            metric = matrix.T @ np.linalg.solve(scatter, matrix)  # steps in standard errors
            wrong = before - rest - (matrix + update) @ step
            along = metric @ step
            update += np.outer(wrong, along) / max(float(step @ along), 1e-300)
        step = np.linalg.solve(matrix + update, rest)
        length = float(np.sqrt(rest @ np.linalg.solve(scatter, rest) / len(step)))
        if not np.isfinite(length):
            return None, calls
        if length < shortest:
            best, shortest = _estimate(place, of_data, scores, mesh, matrix), length
        if length < _ARRIVED:
            return best, calls
        step /= max(1.0, length / _LONGEST, float(np.abs(step).max()) / _FARTHEST)
        place, last = place + step, (step, rest)
        if not np.abs(place - begin).max() < 2 * _FARTHEST:
            return best, calls
    return best, _ROUNDS


def _estimate(
    place: Floats, of_data: Floats, scores: Floats, mesh: Floats, matrix: Floats
) -> Estimate:
    """Return what scores (M, Q) of samples and those (N, Q) of data tell; `matrix` is their slope.

    What the mesh errs by adds to the scatter of samples, and not to the information of the law.
    """
    inverse = np.linalg.inv(matrix)
    of_law, of_data, of_samples = (
        (values - values.mean(axis=0)) @ inverse.T for values in (scores, of_data, scores + mesh)
    )
    information = np.asarray(np.linalg.inv(of_law.T @ of_law / len(of_law)))
    return Estimate(place, of_data, -of_samples, information)
