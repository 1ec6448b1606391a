"""Reconstruction from all three-point correlations, given as such: by their bispectrum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pearlite import _core
from pearlite.correlation._bispectrum import doubled, doubled_transform, pulled_back
from pearlite.reconstruction import _lbfgs
from pearlite.reconstruction._correlations import Correlations
from pearlite.reconstruction._methods import Images, Options, refuse_unknown
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._watch import Watch

Array = NDArray[Any]

_EVALUATIONS = 400
_STARTS = 8
_STALLED = 0.02  # relative loss above which a search has ended in a local minimum
_ROUNDING = 0.1  # below it the rounded field is worth a test


def target_of(target: Any, method: str) -> Correlations:
    """Return a target that has a bispectrum."""
    if isinstance(target, Images):
        if target.phases > 2:
            raise ValueError(f"target has {target.phases} phases; expected 2 for {method!r}")
        target = Correlations.from_images(list(target.labels), order=3)
    if not isinstance(target, Correlations) or target.bispectrum is None:
        kind = type(target).__name__
        raise TypeError(
            f"target is a {kind} without three-point correlations; for {method!r} expected "
            "Correlations.from_images(..., order=3) or .from_three_point(...)"
        )
    return target


class Loss:
    """½ L₂ + ½ L₃ of the centred field u = M − φ, each relative to the target's own.

    L₃ = Σ|B − B*|² / Σ|B*|², L₂ = Σ(|U|² − |U*|²)² / Σ|U*|⁴, over all wave vectors. Centring takes
    away whatever has a zero among k1, k2 and k1 + k2: there U is known.
    """

    def __init__(self, target: Correlations, dtype: type, threads: int) -> None:
        assert target.bispectrum is not None
        self.shape, self.threads, self.dtype = target.shape, threads, dtype
        self.fraction = float(target.two_point[(0, *[0] * len(self.shape))])
        self.pixels = math.prod(self.shape)
        self.goal: Array = _centred(target.bispectrum).astype(dtype)
        power = fft.fftn(target.two_point[0]).real * self.pixels
        power.flat[0] = 0
        self.power = np.maximum(power, 0)
        nothing = np.zeros((2, *self.goal.shape[:2], 2 * self.shape[-1]), dtype)
        self.scale3 = _core.bispectrum_loss(nothing, self.goal, threads)[0]
        self.scale2 = float((self.power**2).sum())
        if not self.scale2 > 0:
            raise ValueError("target is of one phase; expected correlations that vary")
        # An image that equals its negative, moved, has B* = 0: then other fields' B sets the scale.
        usual = self.power.sum() ** 2 * self.power.max() / float(self.pixels) ** 4
        self.scale3 = max(self.scale3, 1e-3 * float(usual))

    def __call__(self, field: Array) -> tuple[float, Array]:
        """Return the loss and its gradient."""
        u = field.astype(np.float64) - self.fraction
        transform = fft.fftn(u)
        transform.flat[0] = 0
        loss3, parts = _core.bispectrum_loss(
            doubled(transform).astype(self.dtype), self.goal, self.threads
        )
        gamma = (parts[0] + 1j * parts[1]).reshape(self.shape) / self.scale3
        excess = np.abs(transform) ** 2 - self.power
        loss2 = float((excess**2).sum()) / self.scale2
        gamma = 0.5 * gamma + excess * transform / self.scale2
        gamma.flat[0] = 0
        return 0.5 * (loss2 + loss3 / self.scale3), pulled_back(gamma).astype(field.dtype)


def _centred(bispectrum: Array) -> Array:
    """Return it without the entries where k1, k2 or k1 + k2 is zero."""
    n0, m, half, _, _, _, n = bispectrum.shape
    centred = bispectrum.copy()
    centred[0, 0, 0] = 0
    centred[:, :, :, :, 0, 0, 0] = 0
    a, b, c = np.ogrid[:n0, :m, :half]
    centred[a, b, c, :, -a % n0, -b % m, -c % n] = 0
    return centred


class Search:
    """A minimization from random starts, until the rounded field has all the counts."""

    def __init__(
        self, target: Correlations, seed: int, options: Options, watch: Watch, method: str
    ) -> None:
        self.target, self.seed, self.watch, self.method = target, seed, watch, method
        self.loss = Loss(target, np.float32, options.threads)
        self.most = options.evaluations or _EVALUATIONS
        self.tolerance = options.tolerance or 0.0
        self.threads = options.threads
        self.evaluations = 0
        self.exact = self.interrupted = False
        self.best: tuple[float, Array] = (math.inf, np.full(target.shape, 0.5, np.float32))
        self._tested: bytes = b""

    def run(self, start: Array | None = None) -> None:
        """Minimize from a start, and from others while it ends in a local minimum."""
        for attempt in range(_STARTS):
            field = _noise(self.target, self.seed, attempt) if start is None else start
            start = None
            before = self.evaluations

            def watched(evaluations: int, loss: float, x: Array, before: int = before) -> bool:
                self.evaluations = before + evaluations
                return self._look(loss, x)

            found = _lbfgs.minimize(
                self.loss, field, evaluations=self.most - before, tolerance=self.tolerance,
                watch=watched,
            )  # fmt: skip
            self.evaluations = before + found.evaluations
            self.interrupted = found.why == "interrupted"
            if self.exact or self.interrupted or self.evaluations >= self.most:
                return
            if self.best[0] < _STALLED:
                return

    def _look(self, loss: float, x: Array) -> bool:
        """Record a step, and tell whether the field rounds to one with all the counts."""
        if loss < self.best[0]:
            self.best = loss, x.copy()
        rounded_loss = math.nan
        if loss < _ROUNDING:
            image = rounded(x, self.target)
            if image.tobytes() != self._tested:
                self._tested = image.tobytes()
                rounded_loss = self.loss(image.astype(np.float32))[0]
                self.exact = has_all_counts(image, self.target, self.threads)
                if self.exact:
                    self.best = loss, x.copy()
        self.watch.record(self.evaluations, loss, rounded_loss)
        return self.exact

    def result(self, why: str = "") -> Result:
        """Return the best image."""
        image = rounded(self.best[1], self.target)
        ended = "all integer two- and three-point counts agree" if self.exact else (
            f"the loss went no further down in {self.evaluations} evaluations"
        )  # fmt: skip
        if self.interrupted:
            ended = "it was interrupted"
        return self.watch.result(
            image, self.method, f"{why}Ended since {ended}.", self.seed, loss=self.best[0],
            rounded_loss=self.loss(image.astype(np.float32))[0], exact=self.exact,
            interrupted=self.interrupted,
        )  # fmt: skip


def solve(
    target: Any, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """Minimize the bispectrum's distance; see `pearlite.reconstruction.match`."""
    refuse_unknown("bispectrum", options)
    goal = target_of(target, "bispectrum")
    if shape is not None and shape != goal.shape:
        raise ValueError(f"shape is {shape}; expected {goal.shape}, since all vectors count")
    search = Search(goal, seed, options, watch, "bispectrum")
    search.run()
    return search.result()


def has_all_counts(image: NDArray[np.uint8], target: Correlations, threads: int) -> bool:
    """Tell whether all two- and three-point correlations are the target's.

    Those of labels are whole numbers over N: if one of them differed, Σ (T − T*)² would be 1/N² at
    least. The two-point ones are among them, at s = r.
    """
    assert target.bispectrum is not None
    transform = doubled_transform((image == 1).astype(np.float64))
    goal = target.bispectrum.astype(np.float64, copy=False)
    distance = _core.bispectrum_loss(transform, goal, threads)[0]
    return bool(distance * image.size**2 < 0.25)


def rounded(field: Array, target: Correlations) -> NDArray[np.uint8]:
    """Return the image with the target's count of phase 1: its largest pixels."""
    count = int(target.counts[(0, *[0] * len(target.shape))])
    image = np.zeros(field.size, np.uint8)
    if count:
        image[np.argpartition(-field.ravel(), count - 1)[:count]] = 1
    return image.reshape(field.shape)


def _noise(target: Correlations, seed: int, attempt: int) -> Array:
    key = np.array([seed, attempt], np.uint64)
    random = np.random.Generator(np.random.Philox(key=key)).random(target.shape)
    fraction = float(target.two_point[(0, *[0] * len(target.shape))])
    return np.clip(fraction + 0.5 * (random - 0.5), 0, 1).astype(np.float32)
