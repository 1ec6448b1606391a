"""What a fit returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from scipy import special

from pearlite.inversion._estimate import Estimate
from pearlite.inversion._levenberg import Path
from pearlite.inversion._model import Model
from pearlite.inversion._parameters import Floats
from pearlite.inversion._problem import Problem

FAR = 1.5  # misfit of a model that does not fit; that of a right one is a quarter or so
HOPELESS = "Intervals mean nothing; try another model, or more restarts."


@dataclass(frozen=True)
class Restart:
    """One of the starts of a fit.

    Attributes
    ----------
    start, end : dict of str to array
        Parameters at both ends, materials sorted at the end.
    loss : float
        SW2² at the end; of Adam the mean over the last 100 iterations.
    iterations : int
        Steps that were taken.
    solves : int
        Cell problems that were solved.
    """

    start: dict[str, Floats]
    end: dict[str, Floats]
    loss: float
    iterations: int
    solves: int


@dataclass(frozen=True)
class History:
    """The way of the selected start.

    Attributes
    ----------
    losses : (I,) array
        SW2² at each iteration.
    parameters : dict of str to (I, size) array
        Parameters at each iteration, as the optimizer numbers the materials.
    stages : (I,) integer array
        The stage of each iteration; the last one is the polish.
    """

    losses: Floats
    parameters: dict[str, Floats]
    stages: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Fit:
    """Estimated parameters of a law, with what they are worth.

    Attributes
    ----------
    parameters : dict of str to (size,) array
        The estimate, materials sorted.
    errors : dict of str to (size,) array
        Standard errors.
    intervals : dict of str to (size, 2) array
        Intervals that cover the truth with the probability `level`.
    covariance : (P, P) array
        Covariance of all entries, in the order of `names`.
    names : list of str
        Names of the P entries.
    level : float
        Probability of the intervals.
    bound : dict of str to float
        Information bound: root mean square error of a block over its norm, in percent, that no
        unbiased estimate from as many independent data goes below. Of tensors it is that of the
        score projected on 400 functions, and somewhat above the true one.
    loss, start_loss : float
        SW2² of the data from samples of the model, in units of the data's scatter: at the estimate,
        and of the least sliced distance from which a refinement started.
    misfit : float
        `loss` over the mean SW2² of random halves of the data from each other: a quarter or so of a
        model that is right; one above 1.5 does not fit, and its intervals mean nothing. NaN where
        components are missing from some of the data. See `goodness` for a test.
    refinement : {None, "likelihood", "score"}
        How the estimate of least distance was refined.
    method : str
        How the distance was minimized.
    restarts : tuple of Restart
        All starts.
    selected : int
        Number of the start that was selected.
    history : History
        Losses and parameters along the way.
    samples : (M, C) array
        Samples of the model at the estimate.
    data : (N, C) array
        The data.
    solves : int
        Cell problems that were solved in all.
    seconds : float
        Time that it took.
    seed : int
        Seed of its random numbers.
    """

    parameters: dict[str, Floats]
    level: float
    bound: dict[str, float]
    loss: float
    start_loss: float
    refinement: str | None
    method: str
    restarts: tuple[Restart, ...]
    selected: int
    history: History
    samples: Floats
    solves: int
    seconds: float
    seed: int
    problem: Problem
    estimate: Estimate
    path: Path

    @property
    def model(self) -> Model:
        """The model, with noise and known parameters."""
        return self.problem.model

    @property
    def data(self) -> Floats:
        """The data (N, C)."""
        return self.problem.data

    @property
    def names(self) -> list[str]:
        """Names of the P entries."""
        return self.model.layout.names

    @cached_property
    def misfit(self) -> float:
        """Loss over the mean SW2² of halves of the data from each other."""
        own = self.problem.own_distance(self.seed)
        return self.loss / own if np.isfinite(own) else np.nan

    @cached_property
    def coordinate_covariance(self) -> Floats:
        """Covariance (Q, Q) of the unconstrained coordinates."""
        return self.estimate.covariance(self.problem.groups, self.problem.effective)

    @cached_property
    def covariance(self) -> Floats:
        """Covariance (P, P) of all entries."""
        slopes = self.model.layout.jacobian(self.estimate.coordinates)
        return np.asarray(slopes @ self.coordinate_covariance @ slopes.T)

    @property
    def errors(self) -> dict[str, Floats]:
        """Standard errors of each block."""
        return self.model.layout.split(np.sqrt(np.maximum(np.diag(self.covariance), 0)))

    @property
    def intervals(self) -> dict[str, Floats]:
        """Intervals (size, 2) of each block.

        Positive parameters are normal in their logarithms, shares in those of their odds.
        """
        width = float(special.ndtri(0.5 + self.level / 2))
        errors = self.errors
        result = {}
        for block in self.model.layout.blocks:
            value, reach = self.parameters[block.name], width * errors[block.name]
            ends = np.stack([-reach, reach], axis=1)
            if block.constraint == "positive":
                with np.errstate(over="ignore"):  # an upper end of a value near 0 may be infinite
                    result[block.name] = value[:, None] * np.exp(ends / value[:, None])
            elif block.constraint in ("simplex", "parts"):
                slope = value * (1 - value)
                odds = np.log(value / (1 - value))[:, None] + ends / slope[:, None]
                result[block.name] = special.expit(odds)
            else:
                result[block.name] = value[:, None] + ends
        return result

    @property
    def relative_errors(self) -> dict[str, float]:
        """Root mean square error expected of each block over its norm, in percent."""
        return relative(self.covariance, self.parameters, self.model)

    def summary(self) -> str:
        """Return the estimate with its intervals, as lines of text."""
        lines = [
            f"{len(self.data)} data, {self.method}"
            + (f", refined by {self.refinement}" if self.refinement else "")
            + f"; {self.solves} cell problems, {self.seconds:.1f} s",
            f"{'':10} {'estimate':>10} {'error':>9}   {100 * self.level:g} % interval",
        ]
        intervals, errors = self.intervals, self.errors
        for block in self.model.layout.blocks:
            names = [block.name] if block.size == 1 else None
            for k in range(block.size):
                name = names[0] if names else f"{block.name}_{k + 1}"
                value, error = self.parameters[block.name][k], errors[block.name][k]
                low, high = intervals[block.name][k]
                known = "known" if error == 0 else f"{low:.4g} to {high:.4g}"
                lines.append(f"{name:10} {value:10.4g} {error:9.2g}   {known}")
        for name, expected in self.relative_errors.items():
            if name in self.bound:
                lines.append(
                    f"{name}: {expected:.2g} % expected error, bound {self.bound[name]:.2g} %"
                )
        if self.misfit > FAR:
            lines.append(far_off(self.misfit))
        return "\n".join(lines)

    def report(self, path: str | FilePath) -> None:
        """Write one self-contained HTML page on the fit, with its `goodness`, to `path`."""
        import_module("pearlite.inversion._page").write_page(self, path)


def far_off(misfit: float) -> str:
    """Say that a model does not fit."""
    return (
        f"The model does not fit: it is {misfit:.2g} times as far from the data as halves of them "
        f"are from each other. {HOPELESS}"
    )


def relative(covariance: Floats, parameters: dict[str, Floats], model: Model) -> dict[str, float]:
    """Root mean square errors of blocks over their norms, in percent; known ones are left out."""
    result = {}
    for name, part in model.layout.slices().items():
        norm = float(np.linalg.norm(parameters[name]))
        if name not in model.layout.known and norm > 0:
            result[name] = 100 * float(np.sqrt(np.trace(covariance[part, part]))) / norm
    return result
