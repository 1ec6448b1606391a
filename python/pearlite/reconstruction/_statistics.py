"""A structure from a descriptor alone: its centred two- and three-point correlations in a window.

The loss of a level is the relative squared distance of both,

    L(M) = ½ |S2 − S2*|² / |S2*|² + ½ |G − G*|² / max(|G*|², σ² K |S2*|² / 10),

σ² the target's variance and K the number of vectors; the second bound keeps structures whose
three-point correlations vanish, such as a checkerboard, from weighing rounding errors. Levels are
solved from the coarsest, whose window covers all vectors, to the finest; each starts from the one
before. No level sees an image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pearlite import _core
from pearlite.correlation import _descriptor, _window
from pearlite.correlation._descriptor import Descriptor
from pearlite.reconstruction import _lbfgs
from pearlite.reconstruction._methods import Images, Options, refuse_unknown

if TYPE_CHECKING:
    from pearlite.reconstruction._result import Result
    from pearlite.reconstruction._watch import Watch

Array = NDArray[Any]

_SHARE = 0.5  # of the three-point term
_LEAST_THREE_POINT = 0.1
_COARSE_TOLERANCE = 1e-3  # relative loss at which a level hands over to the next
_LEAST_VARIANCE = 0.05  # of the finest level's: levels of less tell nothing
_NOISE = 0.1  # of the start, and a fifth of it at each further level
_COARSE_EVALUATIONS = 200
_EVALUATIONS = 300  # of the finest level
_ATTEMPTS = 6  # from different noise
_WINDOW_PIXELS = 8.0  # K²/2 over N, of the window that is chosen for an image
_START_PIXELS, _START_RADIUS = 2.0, 8  # of the window at coarser levels, and its least radius


def solve_descriptor(
    target: Any, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """Reconstruct from a centred descriptor; of images, one is computed first."""
    refuse_unknown("descriptor", options, ("radius", "levels", "attempts"))
    wanted = as_descriptor(target, options)
    shape = checked_shape(wanted, shape)
    search = _Search(wanted, shape, seed, options, watch)
    search.run()
    labels = search.labels
    return watch.result(
        labels, "descriptor", search.why(), seed, loss=search.loss, exact=search.exact,
        rounded_loss=search.rounded_loss, interrupted=search.interrupted,
        references=list(target.labels) if isinstance(target, Images) else (),
        details={"vectors": len(wanted.vectors), "levels": wanted.levels,
                 "attempts": search.attempt + 1},
    )  # fmt: skip


def as_descriptor(target: Any, options: Options) -> Descriptor:
    """Return the target as a centred descriptor: the mean of those of several images."""
    if isinstance(target, Images):
        radius = options.extra.get("radius")
        if radius is None:
            radius = default_radius(target.shape)
        found = [
            _descriptor.descriptor(image, radius=radius, levels=options.extra.get("levels"),
                                   threads=options.threads)
            for image in with_all_phases(target)
        ]  # fmt: skip
        return found[0] if len(found) == 1 else _mean(found)
    if not isinstance(target, Descriptor):
        raise TypeError(
            f"target is a {type(target).__name__}; expected images or a Descriptor for this method"
        )
    if target.form != "centred":
        raise ValueError(
            f"target is a descriptor of the form {target.form!r}; expected 'centred' for "
            "method='descriptor'"
        )
    return target


def with_all_phases(images: Images) -> list[Array]:
    """Return the images as fields in which phase k counts as k / (P − 1), whichever occur."""
    values = _window.phase_values(images.phases)
    if images.phases == 2:
        return [np.asarray(image) for image in images.labels]
    return [values[np.asarray(image).astype(np.int64)] for image in images.labels]


def default_radius(shape: tuple[int, ...], numbers: float = _WINDOW_PIXELS) -> int:
    """Return the least radius whose Gram matrix has so many numbers for each pixel."""
    pixels, axes = float(np.prod(shape)), len(shape)
    radius = 1
    while ((2 * radius + 1.0) ** axes / 2) ** 2 / 2 < numbers * pixels:
        radius += 1
    return radius


def _mean(found: list[Descriptor]) -> Descriptor:
    """Return the mean of descriptors of one kind."""
    first = found[0]
    return _descriptor.assembled(
        first.vectors,
        np.mean([d.s2 for d in found], axis=0),
        np.mean([d.gram for d in found], axis=0),
        np.mean([d.fractions for d in found], axis=0),
        tuple(first.radius.tolist()),
        "centred",
        tuple(first.shape.tolist()),
    )


def checked_shape(target: Descriptor, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the shape of the result."""
    own: tuple[int, ...] = tuple(target.shape.tolist())
    if shape is None or shape == own:
        return own
    if len(shape) != len(own):
        raise ValueError(f"shape is {shape}; expected {len(own)} axes, those of the target")
    factor = 2 ** (target.levels - 1)
    if any(n % factor for n in shape):
        raise ValueError(
            f"shape is {shape}; expected multiples of {factor}, which the target's "
            f"{target.levels} levels need"
        )
    return shape


# One level ---------------------------------------------------------------------------------------


class Level:
    """The loss of one level of a centred descriptor, and what counts of labels it misses."""

    def __init__(
        self,
        target: Descriptor,
        level: int,
        shape: tuple[int, ...],
        threads: int,
        radius: int | None = None,  # of a smaller window
    ) -> None:
        self.shape = tuple(n >> level for n in shape)
        self.pixels = int(np.prod(self.shape))
        self.mean = np.float32(target.mean)
        self.vectors = target.vectors
        self.s2, self.gram = np.asarray(target.s2[level]), np.asarray(target.gram[level])
        if radius is not None:
            inner = np.flatnonzero(np.abs(self.vectors).max(axis=1) <= radius)
            self.vectors = self.vectors[inner]
            self.s2, self.gram = self.s2[inner], self.gram[np.ix_(inner, inner)]
        self.variance = float(self.s2[0])
        self._s2, self._gram = self.s2.astype(np.float32), self.gram.astype(np.float32)
        square = float(np.vdot(self.s2, self.s2)) or 1.0
        three = max(float(np.vdot(self._gram, self._gram)),
                    _LEAST_THREE_POINT * self.variance * len(self.s2) * square)  # fmt: skip
        self._weights = (1 - _SHARE) / square, _SHARE / (three or 1.0)
        self._threads = threads
        missing = (1,) * (3 - len(shape))
        self._volume = missing + self.shape
        self._kernel = np.ascontiguousarray(np.pad(self.vectors, ((0, 0), (len(missing), 0))))

    def evaluate(self, values: Array) -> tuple[float, Array]:
        """Return the loss of a field (*shape) float32 in [0, 1], and its gradient."""
        centred = (values - self.mean).reshape(self._volume)
        kernel = centred, self._kernel, "centred", _window.STEEPNESS
        gram = np.empty_like(self._gram)
        s2 = _core.descriptor(*kernel, gram, self._threads)
        gram -= self._gram
        s2 -= self._s2
        of_s2, of_gram = self._weights
        loss = of_s2 * float(s2 @ s2) + of_gram * float(np.vdot(gram, gram))
        gram *= np.float32(2 * of_gram)
        s2 *= np.float32(2 * of_s2)
        gradient = _core.descriptor_gradient(*kernel, gram, s2, self._threads)
        return loss, gradient.reshape(values.shape)

    def curvature(self, values: Array) -> Array:
        """Return the diagonal of the Gauss–Newton matrix, up to cross terms: positive, mean 1.

        The derivative of G(r, s) in u(y) has the terms u(y + r) u(y + s) and, twice,
        u(y − r) u(y − r + s); that of S2(r) has u(y + r) and u(y − r).
        """
        square = (values - self.mean).astype(np.float64) ** 2
        window = np.zeros(self.shape)
        np.add.at(window, tuple(np.mod(-self.vectors, self.shape).T), 1.0)
        of_window = fft.rfftn(window)

        def summed(field: Array, ahead: bool) -> Array:
            """Sum over the window ahead of each pixel, or behind it."""
            spectrum = of_window if ahead else of_window.conj()
            out: Array = fft.irfftn(fft.rfftn(field) * spectrum, s=self.shape)
            return out.clip(0)

        ahead = summed(square, True)
        of_s2, of_gram = self._weights
        diagonal = of_gram * (ahead**2 + 4 * summed(square * ahead, False))
        diagonal += of_s2 * (ahead + summed(square, False))
        diagonal += 1e-3 * diagonal.mean()
        result: Array = diagonal / diagonal.mean()
        return result

    def missed(self, values: Array, phases: int) -> int:
        """Return how many of the two-point counts of labels the target's differ from.

        If none, whether any of the three-point counts does.
        """
        quantum = 0.25 / (phases - 1) ** 3 / self.pixels
        centred = values - values.mean()
        gram, s2 = _window.correlate(centred, self.vectors, "centred", self._threads)
        wrong = int((np.abs(s2 - self.s2) > quantum).sum())
        return wrong or int((np.abs(gram - self.gram) > quantum).any())


# The search --------------------------------------------------------------------------------------


@dataclass
class _Search:
    """Coarse to fine, from different noise until the counts of the labels are the target's."""

    target: Descriptor
    shape: tuple[int, ...]
    seed: int
    options: Options
    watch: Watch
    attempt: int = 0
    evaluations: int = 0
    loss: float = np.inf
    rounded_loss: float = np.inf
    exact: bool = False
    interrupted: bool = False
    labels: Array = field(default_factory=lambda: np.zeros(0, np.uint8))
    latest: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    _seen: Array | None = None

    def __post_init__(self) -> None:
        self.phases = len(self.target.fractions)
        self.stages = _stages(self.target, self.shape, self.options.threads)
        self.finest = self.stages[-1]
        own = self.shape == tuple(self.target.shape.tolist())
        pixels = self.finest.pixels
        # Counts of each phase; none for a target that no labels of this shape can have.
        counts = self.target.fractions * pixels
        whole = own and np.abs(counts - np.rint(counts)).max() < 1e-3
        self.counts = np.rint(counts).astype(np.int64) if whole else None

    def run(self) -> None:
        """Try until it is exact, or for as often as may be."""
        attempts = int(self.options.extra.get("attempts", _ATTEMPTS))
        if self.counts is None:
            attempts = 1  # nothing tells a better one
        state = self.watch.resumed()
        first = int(state["attempt"]) if state else 0
        self.evaluations = int(state["evaluations"]) if state else 0
        try:
            for self.attempt in range(first, attempts):
                self._descend(state)
                state = {}
                if self.exact or self.interrupted or self._left() <= 0:
                    break
        except KeyboardInterrupt:  # outside of a minimization, which catches its own
            self.interrupted = True
        if not self.labels.size:
            self.labels = self._rounded(_prolonged(self.latest, self.shape))

    def why(self) -> str:
        """Tell how it ended."""
        if self.exact:
            return (
                f"The labels have the target's integer two- and three-point counts of "
                f"{len(self.target.vectors)} vectors."
            )
        if self.counts is None:
            return "The target's numbers are not those of labels of this shape; the loss is least."
        return "No labels were found that have all of the target's integer counts."

    def _left(self) -> int:
        """Return how many evaluations are left."""
        most = self.options.evaluations
        return 10**9 if most is None else most - self.evaluations

    def _descend(self, state: dict[str, Any]) -> None:
        """Solve the levels one after the other."""
        noise = _noise(self.seed, self.attempt)
        x = None
        for level in self.stages:
            if state:
                if level.shape != state["field"].shape:
                    continue
                x, state = state["field"].astype(np.float32), {}
            elif x is None:
                spread = _NOISE * np.sqrt(max(level.variance, 1e-6) / 0.25)
                x = level.mean + spread * noise.standard_normal(level.shape)
            elif x.shape != level.shape:
                x = _prolonged(x, level.shape)
                x += _NOISE / 5 * noise.standard_normal(level.shape)
            self.latest = np.clip(x, 0, 1).astype(np.float32)
            x = self._solve(level, self.latest)
            if self.interrupted or self._left() <= 0:
                break
        if x is not None and not self.exact:
            self._keep(_prolonged(x, self.shape))

    def _solve(self, level: Level, start: Array) -> Array:
        """Minimize the loss of one level, in unknowns of equal curvature."""
        finest = level is self.finest
        scale = np.sqrt(level.curvature(start)).astype(np.float32)
        before = self.evaluations

        def function(scaled: Array) -> tuple[float, Array]:
            loss, gradient = level.evaluate(scaled / scale)
            return loss, gradient / scale

        def watch(evaluations: int, loss: float, scaled: Array) -> bool:
            self.evaluations, self.loss = before + evaluations, loss
            x = self.latest = scaled / scale
            wrong = self._wrong(level, x) if finest else -1
            self.watch.record(self.evaluations, loss, 0.0 if wrong == 0 else np.nan, wrong)
            if self.watch.due:
                self.watch.save(field=x, attempt=self.attempt, evaluations=self.evaluations)
            return wrong == 0

        tolerance = self.options.tolerance or 1e-10
        found = _lbfgs.minimize(
            function, start * scale, lower=0.0, upper=scale, watch=watch,
            tolerance=tolerance if finest else _COARSE_TOLERANCE,
            evaluations=min(_EVALUATIONS if finest else _COARSE_EVALUATIONS, self._left()),
        )  # fmt: skip
        self.evaluations, self.loss = before + found.evaluations, found.loss
        self.interrupted = found.why == "interrupted"
        result: Array = found.x / scale
        return result

    def _wrong(self, level: Level, x: Array) -> int:
        """Return the number of wrong counts of the labels that x rounds to; −1 if not counted."""
        labels = self._rounded(x)
        if self.counts is None or (self._seen is not None and np.array_equal(labels, self._seen)):
            return -1
        self._seen = labels
        # Counting phases takes no time, and sorts out all but the last few steps.
        if not np.array_equal(np.bincount(labels.ravel(), minlength=self.phases), self.counts):
            return -1
        wrong = level.missed(_window.phase_values(self.phases)[labels], self.phases)
        if wrong == 0:
            self.labels, self.exact, self.rounded_loss = labels, True, 0.0
        return wrong

    def _rounded(self, x: Array) -> NDArray[np.uint8]:
        labels: NDArray[np.uint8] = np.rint(x * np.float32(self.phases - 1)).astype(np.uint8)
        return labels

    def _keep(self, x: Array) -> None:
        """Keep the labels that x rounds to, if their loss is the least so far."""
        labels = self._rounded(x)
        values = _window.phase_values(self.phases)[labels].astype(np.float32)
        loss, _ = self.finest.evaluate(values)
        if loss < self.rounded_loss:
            self.labels, self.rounded_loss = labels, loss
        self.watch.record(self.evaluations, self.loss, loss)


def _stages(target: Descriptor, shape: tuple[int, ...], threads: int) -> list[Level]:
    """Return what is solved, from the coarsest level to the finest.

    Levels whose variance shows that they tell nothing are left out. Coarser ones are solved in a
    window just large enough for their pixels: they are but a start.
    """
    largest = int(target.radius.max())
    variance = float(target.s2[0][0])
    stages = []
    for k in reversed(range(target.levels)):
        if k and float(target.s2[k][0]) < _LEAST_VARIANCE * variance:
            continue
        pixels = tuple(n >> k for n in shape)
        radius = min(largest, max(_START_RADIUS, default_radius(pixels, _START_PIXELS)))
        if k:
            stages.append(Level(target, k, shape, threads, radius))
    return [*stages, Level(target, 0, shape, threads)]


def _prolonged(x: Array, shape: tuple[int, ...]) -> Array:
    """Return a field with each pixel repeated."""
    for axis, (n, m) in enumerate(zip(shape, x.shape, strict=True)):
        x = np.repeat(x, n // m, axis)
    return x


def _noise(seed: int, attempt: int) -> np.random.Generator:
    """Return the generator of one attempt."""
    key = np.array([seed, attempt], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
