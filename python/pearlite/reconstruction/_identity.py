"""Matching images through the kernel identity.

The loss is the distance of all two- and three-point correlations of a field and the images (see
`pearlite.correlation.kernel_loss`), minimized within [0, 1] from a random start, on coarser grids
first. At the end the correlations are weighted so that the fine details of smooth images count for
more: those lie in high wave vectors, which have little power.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pearlite.correlation._kernel_evaluation import Evaluation
from pearlite.correlation._kernel_target import KernelTarget, indicators
from pearlite.reconstruction import _counts, _lbfgs
from pearlite.reconstruction._methods import Images, Options, refuse_unknown
from pearlite.reconstruction._overlap import register
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._watch import Watch

Array: TypeAlias = NDArray[Any]

_COARSEST = 16  # pixels a side
_VARIANCE = 0.05  # share of the finest grid's that a coarser one must have
_LEVEL_LOSS = 1e-3  # at which a coarser level has done its work
_SHARP_LOSS = 1e-2  # at which the finest level goes on with the sharpened loss
_SHARPEN = 0.5
_ROUNDING_LOSS = 0.1  # below it the rounded field is worth a test
_STALLED_LOSS = 0.02  # above it the coarsest level has ended in a local minimum
_STARTS = 8
_EVALUATIONS = 2000
_EACH = 400  # of one level
_NOISE = 0.5  # of the start, from peak to peak


def solve(
    target: Images, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """Match images; see `pearlite.reconstruction.match`."""
    refuse_unknown("identity", options)
    if shape is not None and shape != target.shape:
        raise ValueError(
            f"shape is {shape}; expected {target.shape} or None, since method='identity' compares "
            "all vectors of the images' own grid"
        )
    search = _Search(target, seed, options, watch)
    try:
        search.run()
    except KeyboardInterrupt:
        search.interrupted = True
    return search.result()


class _Search:
    """A run from a random start down the levels to the image."""

    def __init__(self, images: Images, seed: int, options: Options, watch: Watch) -> None:
        self.images, self.seed, self.watch, self.threads = images, seed, watch, options.threads
        self.most = _EVALUATIONS if options.evaluations is None else options.evaluations
        self.each = _EACH if len(images.labels) == 1 else self.most
        self.tolerance = options.tolerance
        self.evaluations = 0
        self.interrupted = self.exact = False
        self.ended = "evaluations"
        self.single = len(images.labels) == 1
        self.fields = _pyramid(indicators(images.labels, images.phases))  # finest first
        self.level = len(self.fields)
        self.x: Array = np.empty(0)
        self.loss = np.inf
        self.image: Array | None = None  # once it is exact
        self.attempt = 0
        self.best: tuple[float, Array] = np.inf, np.empty(0)  # of the finest level
        self._last: Evaluation | None = None
        self._overhead = 0.0

    def run(self) -> None:
        """Go down the levels, from other starts where that does not lead to the image."""
        saved = self.watch.resumed()
        if saved:
            self.x, self.level = saved["x"], int(saved["level"])
            self.evaluations, self.attempt = int(saved["evaluations"]), int(saved["attempt"])
            self._finish_level(self.level, self.x)
            self._descend()
            self.attempt += 1
        while self._going() and self.attempt < _STARTS:
            coarsest = len(self.fields) - 1
            start = random_start(self.fields[coarsest], self.seed, self.attempt)
            self._finish_level(coarsest, start)
            if self.loss < _STALLED_LOSS or self.attempt == _STARTS - 1 or not self.single:
                self._descend()
            if not self.single:
                return
            self.attempt += 1

    def _descend(self) -> None:
        """Finish the finer levels."""
        while self.level > 0 and self._going():
            finer = self.fields[self.level - 1].shape
            self._finish_level(self.level - 1, _prolonged(self.x, finer))
        if self.level == 0 and self.loss < self.best[0]:
            self.best = self.loss, self.x

    def _going(self) -> bool:
        return not (self.exact or self.interrupted) and self.evaluations < self.most

    def _finish_level(self, level: int, start: Array) -> None:
        """Minimize on one level; on the finest one with the sharpened loss in the end."""
        self.level = level
        if level > 0:
            self._minimize(start, 0.0, _LEVEL_LOSS)
            return
        if not self.single:
            self._minimize(start, 0.0, -np.inf if self.tolerance is None else self.tolerance)
            return
        self._minimize(start, 0.0, _SHARP_LOSS)
        if self._going() and self.loss <= _SHARP_LOSS:
            self._minimize(self.x, _SHARPEN, 0.0)

    def _minimize(self, start: Array, sharpen: float, tolerance: float) -> None:
        """Minimize on the present level from a field (C, *shape)."""
        target = KernelTarget.of_fields(self.fields[self.level].copy(), sharpen=sharpen)

        def function(x: Array) -> tuple[float, Array]:
            self._last = target.evaluate(x, self.threads)
            assert self._last.gradient is not None
            return self._last.loss, self._last.gradient

        before = self.evaluations

        def watched(evaluations: int, loss: float, x: Array) -> bool:
            self.evaluations, self.x, self.loss = before + evaluations, x, loss
            return self._look(target)

        found = _lbfgs.minimize(
            function, start, evaluations=min(self.most - before, self.each),
            tolerance=tolerance, watch=watched, threads=self.threads,
        )  # fmt: skip
        self.evaluations, self.x, self.loss = before + found.evaluations, found.x, found.loss
        self.interrupted, self.ended = found.why == "interrupted", found.why

    def _look(self, target: KernelTarget) -> bool:
        """Record a step, and tell whether the field rounds to the image."""
        rounded, wrong = np.nan, -1
        if self.level == 0 and self.single and self.loss < _ROUNDING_LOSS:
            assert self._last is not None
            labels = round_field(self.x)
            moved = _moved(self.images.labels[0], self._last.place)
            self.exact = bool(np.array_equal(labels, moved))
            if self.exact:
                self.image, rounded, wrong = labels, 0.0, 0
            elif self._worth_it():
                rounded, wrong = self._count(target, labels)
        self.watch.record(self.evaluations, self.loss, rounded, wrong)
        if self.watch.due:
            self._save()
        return self.exact

    def _worth_it(self) -> bool:
        """Whether the rounded field may be evaluated: it shall not take a tenth of the time."""
        return self._overhead < 0.1 * self.watch.seconds

    def _count(self, target: KernelTarget, labels: Array) -> tuple[float, int]:
        """Return the loss of labels, and how many integer two-point counts they miss."""
        began = self.watch.seconds
        fields = _as_field(labels, target.channels)
        loss = target.evaluate(fields, self.threads, gradient=False).loss
        wrong = _counts.wrong_two_point(labels, self.images.labels[0], self.images.phases)
        self._overhead += self.watch.seconds - began
        return loss, wrong

    def _save(self) -> None:
        self.watch.save(
            x=self.x, level=self.level, evaluations=self.evaluations, attempt=self.attempt
        )

    def result(self) -> Result:
        """Return the image, and what is known about it."""
        if self.x.size == 0:
            self.x = random_start(self.fields[-1], self.seed, 0)
            self.level = len(self.fields) - 1
        self._save()
        if self.best[1].size and not self.exact:
            self.loss, self.x = self.best
            self.level = 0
        while self.level > 0:
            self.level -= 1
            self.x = _prolonged(self.x, self.fields[self.level].shape)
        labels, wrong_pixels, rounded = self._judged()
        return self.watch.result(
            labels, "identity", self._why(), self.seed, loss=self.loss, rounded_loss=rounded,
            exact=self.exact, interrupted=self.interrupted, wrong_pixels=wrong_pixels,
            references=tuple(self.images.labels),
            details={"levels": len(self.fields), "field": self.x},
        )  # fmt: skip

    def _judged(self) -> tuple[Array, int | None, float]:
        """Return the labels, how many pixels are wrong, and the labels' loss."""
        if self.image is not None:
            return self.image, 0, 0.0
        labels = round_field(self.x)
        wrong_pixels: int | None = None
        if self.single:
            found = register(labels, self.images.labels[0])
            if found.reflected:  # the distance of the three-point correlations tells them apart
                labels = np.ascontiguousarray(np.flip(labels))
            wrong_pixels = found.wrong
            self.exact = wrong_pixels == 0
        target = KernelTarget.of_fields(self.fields[0].copy())
        field = _as_field(labels, target.channels)
        rounded = target.evaluate(field, self.threads, gradient=False).loss
        return labels, wrong_pixels, rounded

    def _why(self) -> str:
        grids = f"{len(self.fields)} grids" if len(self.fields) > 1 else "one grid"
        ended = {
            "interrupted": "Ended by Ctrl-C, with the best field so far.",
            "evaluations": f"Ended after {self.evaluations} evaluations.",
        }.get(self.ended, "The loss falls no further.")
        if self.exact:
            ended = "The image equals the target up to a translation, hence in all counts."
        many = "the image is" if self.single else f"{len(self.images.labels)} images are"
        return f"The kernel identity, on {grids}, since {many} at hand. {ended}"


def _pyramid(fields: Array) -> list[Array]:
    """Pool by 2 as long as the grid is even and the variance is worth it, finest first."""
    levels = [fields]
    axes = (0, *range(2, fields.ndim))
    whole = float(fields.var(axis=axes).sum())
    while True:
        shape = levels[-1].shape[2:]
        if min(shape) < 2 * _COARSEST or any(n % 2 for n in shape):
            return levels
        coarse = levels[-1]
        for axis in range(2, fields.ndim):
            even = (slice(None),) * axis + (slice(0, None, 2),)
            odd = (slice(None),) * axis + (slice(1, None, 2),)
            coarse = 0.5 * (coarse[even] + coarse[odd])
        if float(coarse.var(axis=axes).sum()) < _VARIANCE * whole:
            return levels
        levels.append(coarse)


def random_start(fields: Array, seed: int, attempt: int) -> Array:
    """Return a field (C, *shape) of noise about the mean of fields (R, C, *shape)."""
    shape = fields.shape[1:]
    mean = fields.mean(axis=(0, *range(2, fields.ndim))).reshape(-1, *(1,) * (len(shape) - 1))
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, attempt], np.uint64)))
    start: Array = mean + _NOISE * (rng.random(shape) - 0.5)
    return np.asarray(np.clip(start, 0, 1), np.float32)


def _prolonged(x: Array, shape: Sequence[int]) -> Array:
    """Repeat pixels of a field (C, *coarse) on the next finer grid (R, C, *shape)."""
    for axis, n in enumerate(shape[2:], start=1):
        x = x.repeat(n // x.shape[axis], axis)
    return x


def round_field(x: Array) -> Array:
    """Return labels of a field (C, *shape): of one channel at ½, else of the largest."""
    if len(x) == 1:
        mask: Array = x[0] > 0.5
        return mask.view(np.uint8)
    labels = np.zeros(x.shape[1:], np.uint8)
    largest = x[0].copy()
    for phase in range(1, len(x)):
        labels[x[phase] > largest] = phase
        np.maximum(largest, x[phase], out=largest)
    return labels


def _as_field(labels: Array, channels: int) -> Array:
    if channels == 1:
        return labels[np.newaxis].astype(np.float32)
    return np.stack([labels == k for k in range(channels)]).astype(np.float32)


def _moved(labels: Array, place: int) -> Array:
    """Return labels(x + δ), δ given as a flat index."""
    shift = np.unravel_index(place, labels.shape)
    return np.roll(labels, tuple(-int(d) for d in shift), tuple(range(labels.ndim)))
