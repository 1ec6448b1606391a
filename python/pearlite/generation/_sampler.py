"""The two samplers: annealed Langevin dynamics as in the paper, and one with few evaluations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pearlite import langevin
from pearlite.generation._fractions import (
    Counts,
    exact_labels,
    largest_labels,
    mean_shift,
    settled,
    tilt,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Labels = NDArray[np.uint8]
Score = Callable[[Floats, float], Floats]  # (B, C, *shape), σ → the same shape
Tick = Callable[[int], None]  # called with the number of samples after each evaluation

_ALPHA = 0.2  # step size over σ², annealed
RENEWAL = 0.3  # of the noise in each step of the fast sampler
# Above this noise the denoised image is grey: its quantiles say nothing of fractions; and noise
# drawn anew beyond what the levels ask for takes it out of what the network has learned.
_GREY = 1.0
_CLAMP = 3.0  # the paper's, which starts at σ = 0.75; more noise reaches farther


@dataclass(frozen=True)
class Plan:
    """How to sample; see `generate`.

    Attributes
    ----------
    levels : (K,) float64 array
        Noise levels, decreasing: one evaluation each.
    counts : (P,) int64 array
        Pixels that each phase shall have.
    conditioned : bool
        Whether the numbers of pixels are a condition.
    seed : int
        Of the noise.
    deviations : (K,) float64 array
        σ_μ of the volume fraction, annealed.
    renewal : float
        Share of the noise that each step of the fast sampler draws anew: 1 − ρ.
    """

    levels: Doubles
    counts: Counts
    conditioned: bool
    seed: int
    deviations: Doubles
    renewal: float
    threads: int

    @property
    def fractions(self) -> Doubles:
        """Volume fractions (P,) that are the condition."""
        shares: Doubles = self.counts / self.counts.sum()
        return shares


@dataclass(frozen=True)
class Sampled:
    """Labels (B, *shape), and on the way the deviation (K, B) of the fractions in each step."""

    labels: Labels
    deviation: Doubles


def noise(shape: tuple[int, ...], plan: Plan, sample: int) -> Floats:
    """Draw noise (B, C, *shape) of the first level for images `sample` and on."""
    drawn: Floats = langevin.normal(
        shape[1:],
        seed=plan.seed,
        sample=range(sample, sample + shape[0]),
        step=0,
        dtype=np.float32,
        threads=plan.threads,
    )
    drawn *= np.float32(plan.levels[0])
    return drawn


def annealed(
    start: Floats, plan: Plan, score: Score, *, sample: int = 0, tick: Tick | None = None
) -> Sampled:
    """Annealed Langevin dynamics, one step on each level: eqs. 3 and 12.

    .. math:: x ← x + α s(x, σ) + α (v − v(D)) 1/(S σ_μ²) + √(2 α) z,   α = 0.2 σ²,

    clamped to ±3, where v(D) are the fractions of the segmented denoised image D = x + σ² s; at the
    end each pixel goes to its largest phase. Of x itself noise would tell: at σ = 0.75 a quarter of
    the pixels are on the other side of one half.

    Parameters
    ----------
    start : (B, C, *shape)
        Where it begins, without noise.
    plan : Plan
    score : callable
    sample : int
        Number of the first image, which its noise depends on.
    tick : callable, optional
        Called with B after each evaluation.

    Sources: A. E. Robertson et al., Acta Mater. 253 (2023) 118966, Sections 3.2 and 5, Appendix A;
    Y. Song and S. Ermon, NeurIPS 2019, algorithm 1.
    """
    image = start.copy()
    deviation = np.empty((len(plan.levels), len(image)))
    for k, sigma in enumerate(plan.levels.tolist()):
        step = _ALPHA * sigma**2
        drift = score(image, sigma)
        counts = langevin.phase_counts(image + np.float32(sigma**2) * drift, threads=plan.threads)
        deviation[k] = _deviations(counts, plan)
        if plan.conditioned:
            drift += _pull(counts, plan, k, step).reshape(
                *drift.shape[:2], *(1,) * (drift.ndim - 2)
            )
        langevin.step(
            image,
            drift,
            step,
            seed=plan.seed,
            step=1 + k,
            sample=sample,
            clamp=max(_CLAMP, 4 * sigma),
            threads=plan.threads,
        )
        if tick is not None:
            tick(len(image))
    return Sampled(np.stack([largest_labels(x) for x in image]), deviation)


def _pull(counts: Counts, plan: Plan, k: int, step: float) -> Floats:
    """Return what fractions add to the score (B, C), from pixels (B, P): eq. 12.

    A step never moves the mean by more than the deviation that it corrects, or it would not
    converge: Sσ_μ² ≥ α. At 256² pixels the paper's σ_μ are all larger. Pixels that are no phase's
    do not count.
    """
    found = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    width = max(float(plan.counts.sum() * plan.deviations[k] ** 2), step)
    pull: Floats = ((plan.fractions - found) / width).astype(np.float32)
    return pull[:, 1:] if pull.shape[1] == 2 else pull


def fast(
    start: Floats, plan: Plan, score: Score, *, sample: int = 0, tick: Tick | None = None
) -> Sampled:
    """Sample with few evaluations: from level to level through the denoised estimate.

    .. math::

        D = x + σ² s(x, σ) + w,   x ← D + σ' [ρ (x − D)/σ + √(1 − ρ²) z],

    where w changes the odds of each phase, by e^±2 at most, to the number of pixels that it shall
    have in D; above σ = 1, w shifts the mean of D, and ρ = σ'/σ. After the last level, labels are
    those with these numbers exactly that fit D best. ρ = 1 keeps the noise of the start (DDIM),
    ρ = 0 draws all of it anew in each step.

    Parameters are those of `annealed`.

    Sources: J. Song, C. Meng and S. Ermon, ICLR 2021, eq. 12; T. Karras et al., NeurIPS 2022.
    """
    image = start + noise(start.shape, plan, sample)
    deviation = np.empty((len(plan.levels), len(image)))
    last = len(plan.levels) - 1
    for k, sigma in enumerate(plan.levels.tolist()):
        drift = score(image, sigma)  # its memory becomes that of D − x
        drift *= np.float32(sigma**2)
        denoised = image + drift
        counts = langevin.phase_counts(denoised, threads=plan.threads)
        deviation[k] = _deviations(counts, plan)
        if plan.conditioned:
            _project(denoised, drift, plan.counts, grey=sigma > _GREY)
        if k < last:
            _advance(image, drift, plan, k, sample)
        if tick is not None:
            tick(len(image))
    label = _exact if plan.conditioned else _largest
    return Sampled(np.stack([label(x, plan.counts) for x in denoised]), deviation)


def _advance(image: Floats, drift: Floats, plan: Plan, k: int, sample: int) -> None:
    """Go to the next level in place, as one Langevin step with a drift and a noise of its own."""
    sigma, after = plan.levels[k : k + 2].tolist()
    kept = 1 - plan.renewal if sigma <= _GREY else after / sigma
    step = 0.5 * after**2 * max(1 - kept**2, 1e-12)
    drift *= np.float32((1 - kept * after / sigma) / step)
    langevin.step(
        image,
        drift,
        step,
        seed=plan.seed,
        step=1 + k,
        sample=sample,
        clamp=max(_CLAMP, 4 * after),
        threads=plan.threads,
    )


def _project(denoised: Floats, drift: Floats, counts: Counts, *, grey: bool) -> None:
    """Shift denoised images (B, C, *shape), and D − x, towards numbers of pixels, in place."""
    for x, d in zip(denoised, drift, strict=True):
        shift = mean_shift(x, counts).reshape(-1, *(1,) * (x.ndim - 1)) if grey else tilt(x, counts)
        x += shift
        d += shift


def _deviations(counts: Counts, plan: Plan) -> Doubles:
    """Return the largest deviation (B,) of a fraction, from pixels (B, P) of each phase."""
    shares = counts / plan.counts.sum()
    deviation: Doubles = np.abs(shares - plan.fractions).max(axis=1)
    return deviation


def _exact(channels: Floats, counts: Counts) -> Labels:
    return exact_labels(settled(channels), counts)


def _largest(channels: Floats, _counts: Counts) -> Labels:
    return largest_labels(channels)
