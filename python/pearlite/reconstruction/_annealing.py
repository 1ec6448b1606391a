"""Simulated annealing on two-point counts: Yeong and Torquato (1998)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite._arrays import check_integer, check_number, check_positive
from pearlite.reconstruction._chains import Chains, OnCard, OnCpu
from pearlite.reconstruction._correlations import Correlations
from pearlite.reconstruction._methods import Images, Options, refuse_unknown
from pearlite.reconstruction._overlap import overlap
from pearlite.reconstruction._result import Result
from pearlite.reconstruction._watch import Watch

_PROPOSALS = 10_000_000
_CHUNK = 50_000  # proposals between two looks at progress and Ctrl-C
_ACCEPTANCE = 0.5  # of proposals that make it worse, at the first temperature
_COOLING = 0.99999
_MOST_CHAINS = 2**16


def solve(
    target: Any, shape: tuple[int, ...] | None, seed: int, options: Options, watch: Watch
) -> Result:
    """Anneal; see `pearlite.reconstruction.match`.

    Its own options are `cooling`, the factor of the temperature after each proposal; `temperature`,
    the first one, in squared counts: by default one at which half of the proposals that make a
    random image worse are accepted; and `chains`, how many run side by side from starts of their
    own until one has all the counts, on the threads of the CPU or as blocks of a card.
    """
    refuse_unknown("annealing", options, ("chains", "cooling", "temperature"))
    single = target.labels[0] if isinstance(target, Images) and len(target.labels) == 1 else None
    if isinstance(target, Images):
        target = Correlations.from_images(list(target.labels))
    if not isinstance(target, Correlations):
        kind = type(target).__name__
        raise TypeError(f"target is a {kind}; expected images or Correlations for 'annealing'")
    if shape is not None and shape != target.shape:
        raise ValueError(f"shape is {shape}; expected {target.shape}, since all vectors count")
    cooling = check_number("cooling", options.extra.get("cooling", _COOLING))
    if not 0 < cooling <= 1:
        raise ValueError(f"cooling is {cooling}; expected a factor above 0, at most 1")
    chains = check_integer("chains", options.extra.get("chains", 1), 1, _MOST_CHAINS)
    run = _Run(target, seed, chains, options, watch)
    first = options.extra.get("temperature")
    if first is None:
        run.temperature[:] = run.mean_rises() / math.log(1 / _ACCEPTANCE)
    else:
        run.temperature[:] = check_positive("temperature", first)
    run.cooling = cooling
    run.resume()
    proposals = options.evaluations or _PROPOSALS
    interrupted = False
    try:
        run.go_on(proposals, options.tolerance or 0.0)
    except KeyboardInterrupt:
        interrupted = True
    return _result(run, single, seed, watch, interrupted)


class _Run:
    """Chains from starts of their own, of which the best counts."""

    def __init__(
        self, target: Correlations, seed: int, chains: int, options: Options, watch: Watch
    ) -> None:
        self.target, self.seed, self.watch, self.options = target, seed, watch, options
        self.temperature, self.cooling, self.made = np.zeros(chains), 1.0, 0
        self.goal = target.counts
        self.scale = float((self.goal.astype(np.float64) ** 2).sum())
        starts = [_random_labels(target, self.goal, seed, k) for k in range(chains)]
        self.samples = 2 * np.arange(chains)  # whose numbers are drawn; the odd ones for a trial
        self.kernel = self._started(np.stack(starts))

    def _started(self, labels: NDArray[np.int32]) -> Chains:
        shape = self.target.shape
        flat = (shape[0], math.prod(shape[1:-1]), shape[-1])
        placed, counts = labels.reshape(-1, *flat), self.goal.reshape(-1, *flat)
        if self.options.card:
            return OnCard(placed, counts, self.target.first)
        return OnCpu(placed, counts, self.target.first, self.options.threads)

    def best(self) -> int:
        """Return which chain is the best."""
        return int(np.argmin(self.kernel.energy))

    def image(self) -> NDArray[np.uint8]:
        """Return the image of the best chain."""
        labels: NDArray[np.uint8] = self.kernel.labels()[self.best()].astype(np.uint8)
        return labels.reshape(self.target.shape)

    def mean_rises(self) -> NDArray[np.float64]:
        """Return each chain's mean rise of the energy while all exchanges are accepted."""
        trial = self._started(self.kernel.labels())
        everywhere = np.full(len(self.samples), math.inf)
        energies = [trial.energy]
        for k in range(200):
            trial.run(1, everywhere, 1.0, self.seed, self.samples + 1, k)
            energies.append(trial.energy)
        rises = np.diff(np.array(energies, np.float64), axis=0)
        positive = rises > 0
        means = (rises * positive).sum(axis=0) / np.maximum(positive.sum(axis=0), 1)
        return np.where(positive.any(axis=0), means, 1.0)

    def resume(self) -> None:
        saved = self.watch.resumed()
        if saved:
            self.kernel = self._started(saved["labels"])
            self.made, self.temperature = int(saved["made"]), np.atleast_1d(saved["temperature"])

    def go_on(self, proposals: int, tolerance: float) -> None:
        """Go on until the counts agree, the loss is small enough, or the proposals are made."""
        while self.made < proposals and self.loss() > tolerance:
            chunk = min(_CHUNK, proposals - self.made)
            made = self.kernel.run(
                chunk, self.temperature, self.cooling, self.seed, self.samples, self.made
            )
            self.made += made
            self.temperature = self.temperature * self.cooling**made
            self.watch.record(self.made, self.loss(), self.loss(), self.kernel.wrong(self.best()))
            if self.watch.due:
                self.save()
        self.save()

    def save(self) -> None:
        self.watch.save(labels=self.kernel.labels(), made=self.made, temperature=self.temperature)

    def loss(self) -> float:
        """Return the least Σ (C − T)² / Σ T²."""
        return float(self.kernel.energy.min()) / self.scale


def _random_labels(
    target: Correlations, counts: NDArray[np.int64], seed: int, chain: int
) -> NDArray[np.int32]:
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
    key = np.array([seed, chain], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(labels)


def _result(
    run: _Run, single: NDArray[Any] | None, seed: int, watch: Watch, interrupted: bool
) -> Result:
    image = run.image()
    done = run.kernel.energy.min() == 0
    wrong_counts, wrong = run.kernel.wrong(run.best()), None
    if single is not None:
        share = overlap(image, single)
        wrong = round((1 - share.best) * image.size)
    why = (
        "Ended since all integer two-point counts agree; that does not determine an image."
        if done
        else f"Ended after {run.made} proposals with {wrong_counts} wrong two-point counts."
    )
    if interrupted:
        why = f"Interrupted after {run.made} proposals."
    references = () if single is None else (single,)
    return watch.result(
        image, "annealing", why, seed, loss=run.loss(), rounded_loss=run.loss(),
        exact=wrong == 0, interrupted=interrupted, wrong_pixels=wrong, references=references,
        details={"proposals": run.made, "wrong_counts": wrong_counts,
                 "chains": len(run.samples)},
    )  # fmt: skip
