"""The method of Seibert et al., Comput. Mater. Sci. 196, 110455 (2021), as they describe it.

The loss is eq. (6), E + λ E_bc: E the distance of all levels' descriptors at once, eqs. (7) and
(23), of the logistic threshold, eq. (21), and E_bc the penalty of eq. (11) on values outside [0,
1] with λ in proportion to E, eq. (13); the paper does not tell the factor, for which 10 N serves,
N the number of pixels. It is minimized by Adam with its usual parameters from a field of random
values, or by L-BFGS-B within bounds, then without the penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pearlite._arrays import check_choice
from pearlite.correlation import _descriptor, _window
from pearlite.correlation._descriptor import Descriptor
from pearlite.reconstruction._methods import Images, Options, refuse_unknown

if TYPE_CHECKING:
    from pearlite.reconstruction._result import Result
    from pearlite.reconstruction._watch import Watch

Array = NDArray[Any]

_PENALTY = 10.0  # λ E_bc = 10 E ⟨overshoot²⟩
_RATE, _FIRST, _SECOND, _SMALL = 0.001, 0.9, 0.999, 1e-7  # of Adam, as in the paper
_EVALUATIONS = 6000
_RADIUS = 31  # of the paper; for smaller images that of the window which covers them
_OPTIMIZERS = ("adam", "l-bfgs-b")
_EXACT = 1e-6  # in the sums over pixels; a different count shows as more than .006


def solve_logistic(
    target: Any, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """Reconstruct two phases by the paper's method."""
    refuse_unknown("logistic", options, ("radius", "levels", "optimizer", "every", "snapshots"))
    optimizer = options.extra.get("optimizer", "adam")
    check_choice("optimizer", optimizer, _OPTIMIZERS)
    wanted = _wanted(target, options)
    own: tuple[int, ...] = tuple(wanted.shape.tolist())
    if shape is not None and shape != own:
        raise ValueError(f"shape is {shape}; expected {own}, that of the target")
    run = Run(wanted, options.threads, watch, int(options.extra.get("every", 10)))
    run.wanted_snapshots = sorted(options.extra.get("snapshots", ()))
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
    start = generator.random(own).astype(np.float32)
    most = options.evaluations or _EVALUATIONS
    minimize = run.adam if optimizer == "adam" else run.bounded
    try:
        minimize(start, most)
    except KeyboardInterrupt:
        run.interrupted = True
    return watch.result(
        run.labels, "logistic", run.why(), seed, loss=run.loss, rounded_loss=run.rounded_loss,
        exact=run.exact, interrupted=run.interrupted,
        references=list(target.labels) if isinstance(target, Images) else (),
        details={"vectors": len(wanted.vectors), "levels": wanted.levels, "optimizer": optimizer,
                 "snapshots": run.snapshots},
    )  # fmt: skip


def _wanted(target: Any, options: Options) -> Descriptor:
    """Return the target as a logistic descriptor of two phases."""
    if isinstance(target, Images):
        if target.phases != 2 or len(target.labels) != 1:
            raise ValueError(
                f"target has {len(target.labels)} images of {target.phases} phases; "
                "expected one of two phases for method='logistic'"
            )
        radius = options.extra.get("radius", min(_RADIUS, (min(target.shape) - 1) // 2))
        return _descriptor.descriptor(
            target.labels[0], radius=radius, levels=options.extra.get("levels"), form="logistic",
            threads=options.threads,
        )  # fmt: skip
    if not isinstance(target, Descriptor) or target.form == "centred":
        got = (
            f"{target.form!r} descriptor"
            if isinstance(target, Descriptor)
            else type(target).__name__
        )
        raise TypeError(f"target is a {got}; expected an image or one of 'logistic' or 'product'")
    return target


class Run:
    """A loss, and the best labels of the fields that it was evaluated at."""

    def __init__(self, target: Descriptor, threads: int, watch: Watch, every: int) -> None:
        self.target, self.watch, self.every = target, watch, every
        self._threads = threads
        self._gram = [np.asarray(gram, np.float32) for gram in target.gram]
        shape: tuple[int, ...] = tuple(target.shape.tolist())
        self.labels: NDArray[np.uint8] = np.zeros(shape, np.uint8)
        self.loss = self.rounded_loss = np.inf
        self.exact = self.interrupted = False
        self.evaluations = 0
        self.wanted_snapshots: list[int] = []
        self.snapshots: dict[int, NDArray[np.uint8]] = {}  # by evaluation
        self._seen: Array | None = None
        self._latest = np.nan

    def distance(self, values: Array) -> tuple[float, list[Array]]:
        """Return E, and the differences of the Gram matrices of the levels."""
        square, differences = 0.0, []
        for level, (weight, wanted) in enumerate(zip(self.target.weights, self._gram, strict=True)):
            if level:
                values = _window.pool(values)
            gram, _ = _window.correlate(values, self.target.vectors, self.target.form,
                                            self._threads)  # fmt: skip
            gram -= wanted
            square += float(weight) ** 2 * float(np.vdot(gram, gram))
            differences.append(gram)
        return float(np.sqrt(square)), differences

    def evaluate(self, values: Array, penalty: float) -> tuple[float, Array]:
        """Return the loss of a field, float32, and its gradient."""
        distance, differences = self.distance(values)
        overshoot = values - np.clip(values, 0, 1)
        penalized = 1 + penalty * float(np.mean(overshoot**2))
        gradient = np.zeros_like(values)
        zero = np.zeros(len(self.target.vectors), np.float32)
        pooled = values
        for level, difference in enumerate(differences):
            if level:
                pooled = _window.pool(pooled)
            scale = 2 * self.target.weights[level] ** 2 * penalized / (2 * max(distance, 1e-30))
            difference *= np.float32(scale)
            part = _window.pull_back(pooled, self.target.vectors, self.target.form, difference,
                                         zero, self._threads)  # fmt: skip
            for axis in range(values.ndim):
                part = np.repeat(part, 2**level, axis)
            gradient += part / np.float32(2.0 ** (level * values.ndim))
        gradient += np.float32(2 * penalty * distance / values.size) * overshoot
        self.evaluations += 1
        return distance * penalized, gradient

    def adam(self, values: Array, most: int) -> None:
        """Minimize by Adam (D. P. Kingma and J. Ba, 2014)."""
        first, second = np.zeros_like(values), np.zeros_like(values)
        for step in range(1, most + 1):
            loss, gradient = self.evaluate(values, _PENALTY)
            if self.judge(values, loss):
                return
            first += np.float32(1 - _FIRST) * (gradient - first)
            second += np.float32(1 - _SECOND) * (gradient**2 - second)
            rate = _RATE * np.sqrt(1 - _SECOND**step) / (1 - _FIRST**step)
            values -= np.float32(rate) * first / (np.sqrt(second) + np.float32(_SMALL))

    def bounded(self, values: Array, most: int) -> None:
        """Minimize by L-BFGS-B."""
        from scipy import optimize

        shape = values.shape

        def function(x: Array) -> tuple[float, Array]:
            field = x.reshape(shape).astype(np.float32)
            loss, gradient = self.evaluate(field, 0.0)
            if self.judge(field, loss):
                raise StopIteration
            return loss, gradient.astype(np.float64).ravel()

        solve: Callable[..., Any] = optimize.minimize
        with suppress(StopIteration):
            solve(function, values.astype(np.float64).ravel(), jac=True, method="L-BFGS-B",
                  bounds=[(0, 1)] * values.size,
                  options={"maxfun": most, "maxiter": most, "ftol": 0, "gtol": 0})  # fmt: skip
        if not self.exact:
            self.judge(values, self.loss, last=True)

    def judge(self, values: Array, loss: float, last: bool = False) -> bool:
        """Record the loss and now and then that of the rounded field; tell whether it is exact."""
        self.loss = loss
        rounded = np.nan
        if last or (self.evaluations - 1) % self.every == 0:
            rounded = self._rounded_loss(values)
        wrong = 0 if self.exact else -1
        self.watch.record(self.evaluations, loss, rounded, wrong)
        return self.exact

    def _rounded_loss(self, values: Array) -> float:
        """Return the distance of the labels that a field rounds to; 0 once all counts are right."""
        labels: NDArray[np.uint8] = (values >= 0.5).astype(np.uint8)
        while self.wanted_snapshots and self.wanted_snapshots[0] <= self.evaluations:
            del self.wanted_snapshots[0]
            self.snapshots[self.evaluations] = labels
        if self._seen is not None and np.array_equal(labels, self._seen):
            return self._latest
        self._seen = labels
        loss, _ = self.distance(labels.astype(np.float32))
        right = round(float(self.target.mean) * labels.size) == int(labels.sum())
        if right and loss < 1e-3 * float(np.linalg.norm(self._gram[0])) and self._counts(labels):
            loss, self.exact = 0.0, True
        if loss < self.rounded_loss:
            self.labels, self.rounded_loss = labels, loss
        self._latest = loss
        return loss

    def _counts(self, labels: Array) -> bool:
        """Tell whether labels have all the integer counts of the finest level."""
        values = labels.astype(np.float64)
        gram, _ = _window.correlate(values, self.target.vectors, self.target.form,
                                        self._threads)  # fmt: skip
        wanted = np.asarray(self.target.gram[0])
        exact = _EXACT if wanted.dtype == np.float64 else 1e-3
        return bool(np.abs(gram - wanted).max() * labels.size < exact)

    def why(self) -> str:
        """Tell how it ended."""
        vectors = len(self.target.vectors)
        if self.exact:
            return f"The labels have the target's integer counts of {vectors} vectors."
        return f"No labels with the target's integer counts in {self.evaluations} evaluations."
