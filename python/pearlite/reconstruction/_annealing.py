"""Simulated annealing on two-point counts: Yeong and Torquato (1998)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _core
from pearlite.reconstruction._correlations import Correlations
from pearlite.reconstruction._methods import Images, Options, refuse_unknown
from pearlite.reconstruction._overlap import overlap
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._watch import Watch

_PROPOSALS = 10_000_000
_CHUNK = 50_000  # proposals between two looks at progress and Ctrl-C
_ACCEPTANCE = 0.5  # of proposals that make it worse, at the first temperature
_COOLING = 0.99999


def solve(
    target: Any, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """Anneal; see `pearlite.reconstruction.match`.

    Its own options are `cooling`, the factor of the temperature after each proposal, and
    `temperature`, the first one, in squared counts: by default one at which half of the proposals
    that make a random image worse are accepted.
    """
    refuse_unknown("annealing", options, ("cooling", "temperature"))
    single = target.labels[0] if isinstance(target, Images) and len(target.labels) == 1 else None
    if isinstance(target, Images):
        target = Correlations.from_images(list(target.labels))
    if not isinstance(target, Correlations):
        kind = type(target).__name__
        raise TypeError(f"target is a {kind}; expected images or Correlations for 'annealing'")
    if shape is not None and shape != target.shape:
        raise ValueError(f"shape is {shape}; expected {target.shape}, since all vectors count")
    cooling = float(options.extra.get("cooling", _COOLING))
    if not 0 < cooling <= 1:
        raise ValueError(f"cooling is {cooling}; expected a factor within 0 and 1")
    chain = _Chain(target, seed, watch)
    first = options.extra.get("temperature")
    chain.temperature = chain.mean_rise() / math.log(1 / _ACCEPTANCE) if first is None else first
    chain.cooling = cooling
    chain.resume()
    proposals = options.evaluations or _PROPOSALS
    interrupted = False
    try:
        chain.run(proposals, options.tolerance or 0.0)
    except KeyboardInterrupt:
        interrupted = True
    return _result(chain, single, seed, watch, interrupted)


class _Chain:
    """One chain: its labels are in the kernel's hands."""

    def __init__(self, target: Correlations, seed: int, watch: Watch) -> None:
        self.target, self.seed, self.watch = target, seed, watch
        self.temperature, self.cooling, self.made = 0.0, 1.0, 0
        self.goal = target.counts
        self.scale = float((self.goal.astype(np.float64) ** 2).sum())
        self.kernel = self._started(_random_labels(target, self.goal, seed))

    def _started(self, labels: NDArray[np.int32]) -> Any:
        shape = self.target.shape
        flat = (shape[0], math.prod(shape[1:-1]), shape[-1])
        counts = self.goal.reshape(-1, *flat)
        return _core.Annealer(labels.reshape(flat), counts, self.target.first)

    def image(self) -> NDArray[np.uint8]:
        labels: NDArray[np.uint8] = self.kernel.labels().astype(np.uint8)
        return labels.reshape(self.target.shape)

    def mean_rise(self) -> float:
        """Return the mean rise of the energy by exchanges that are accepted at any rate."""
        probe = self._started(self.kernel.labels())
        rises, before = [], probe.energy
        for k in range(200):
            probe.run(1, math.inf, 1.0, self.seed, 1, k)
            rises.append(max(probe.energy - before, 0))
            before = probe.energy
        positive = [rise for rise in rises if rise > 0]
        return float(np.mean(positive)) if positive else 1.0

    def resume(self) -> None:
        saved = self.watch.resumed()
        if saved:
            self.kernel = self._started(saved["labels"])
            self.made, self.temperature = int(saved["made"]), float(saved["temperature"])

    def run(self, proposals: int, tolerance: float) -> None:
        """Go on until the counts agree, the loss is small enough, or the proposals are made."""
        while self.made < proposals and self.loss() > tolerance:
            chunk = min(_CHUNK, proposals - self.made)
            made, _, _ = self.kernel.run(
                chunk, self.temperature, self.cooling, self.seed, 0, self.made
            )
            self.made += made
            self.temperature *= self.cooling**made
            self.watch.record(self.made, self.loss(), self.loss(), self.kernel.wrong)
            if self.watch.due:
                self.save()
        self.save()

    def save(self) -> None:
        self.watch.save(labels=self.kernel.labels(), made=self.made, temperature=self.temperature)

    def loss(self) -> float:
        """Return Σ (C − T)² / Σ T²."""
        return float(self.kernel.energy) / self.scale


def _random_labels(target: Correlations, counts: NDArray[np.int64], seed: int) -> NDArray[np.int32]:
    """Return labels in random order, as many of each as the target has."""
    pixels = math.prod(target.shape)
    own = [int(counts[(i, *[0] * len(target.shape))]) for i in range(len(counts))]
    if sum(own) > pixels or (target.first == 0 and sum(own) != pixels):
        raise ValueError(
            f"target has fractions that give {own} of {pixels} pixels; expected all, once"
        )
    if target.first == 1:
        own = [pixels - own[0], *own]
    labels = np.repeat(np.arange(len(own), dtype=np.int32), own)
    key = np.array([seed, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(labels)


def _result(
    chain: _Chain, single: NDArray[Any] | None, seed: int, watch: Watch, interrupted: bool
) -> Result:
    image = chain.image()
    done = chain.kernel.energy == 0
    wrong = None
    if single is not None:
        share = overlap(image, single)
        wrong = round((1 - share.best) * image.size)
    why = (
        "Ended since all integer two-point counts agree; that does not determine an image."
        if done
        else f"Ended after {chain.made} proposals with {chain.kernel.wrong} wrong two-point counts."
    )
    if interrupted:
        why = f"Interrupted after {chain.made} proposals."
    references = () if single is None else (single,)
    return watch.result(
        image, "annealing", why, seed, loss=chain.loss(), rounded_loss=chain.loss(),
        exact=wrong == 0, interrupted=interrupted, wrong_pixels=wrong, references=references,
        details={"proposals": chain.made, "wrong_counts": chain.kernel.wrong},
    )  # fmt: skip
