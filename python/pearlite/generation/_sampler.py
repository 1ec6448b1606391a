"""The two samplers: annealed Langevin dynamics as in the paper, and one with few evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pearlite import langevin
from pearlite.generation._fractions import (
    Counts,
    exact_labels,
    largest_labels,
    projection,
    segmented_fractions,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Labels = NDArray[np.uint8]
Score = Callable[[Floats, float], Floats]  # (B, C, *shape), σ → the same shape
Tick = Callable[[int], None]  # called with the number of samples after each evaluation

# Steps of the noise; those below are the Gaussian field's, whose noise has to be another.
_FIRST_STEP = 2**20
_ALPHA = 0.2  # step size over σ², annealed
_CLAMP = 3.0


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
    padding : int
        Pixels that continue the image periodically on each side; 0 if the score does it itself.
    deviations : (K,) float64 array
        σ_μ of the volume fraction, annealed.
    renewal : float
        Share of the noise that each step of the fast sampler draws anew: 1 − ρ.
    """

    levels: Doubles
    counts: Counts
    conditioned: bool
    seed: int
    padding: int
    deviations: Doubles
    renewal: float
    threads: int

    @property
    def fractions(self) -> Doubles:
        """Volume fractions (P,) that are the condition."""
        return self.counts / self.counts.sum()


@dataclass(frozen=True)
class Sampled:
    """Labels (B, *shape), and on the way the deviation (K, B) of the fractions after each step."""

    labels: Labels
    deviation: Doubles


def noisy(start: Floats, plan: Plan, sample: int) -> Floats:
    """Add noise of the first level to a start (B, C, *shape): samples `sample` and on."""
    noise = langevin.normal(
        start.shape, seed=plan.seed, sample=sample, step=_FIRST_STEP, dtype=np.float32
    )
    noise *= np.float32(plan.levels[0])
    noise += start
    return noise


def annealed(
    start: Floats, plan: Plan, score: Score, *, sample: int = 0, tick: Tick | None = None
) -> Sampled:
    """Annealed Langevin dynamics, one step on each level: eqs. 3 and 12.

    .. math:: x ← x + α s(x, σ) + α (v − v(x)) 1/(S σ_μ²) + √(2 α) z,   α = 0.2 σ²,

    clamped to ±3, where v(x) are the fractions of the segmented image; at the end each pixel
    goes to its largest phase.

    Parameters
    ----------
    start : (B, C, *shape)
        Where it begins, without noise.
    plan : Plan
    score : callable
        Of the images with their padding.
    sample : int
        Number of the first image, which its noise depends on.
    tick : callable, optional
        Called with B after each evaluation.

    Sources: A. E. Robertson et al., Acta Mater. 253 (2023) 118966, Sections 3.2 and 5, Appendix A;
    Y. Song and S. Ermon, NeurIPS 2019, algorithm 1.
    """
    image = _padded(start, plan.padding)
    inside = _inside(image, plan.padding)
    deviation = np.empty((len(plan.levels), len(image)))
    for k, sigma in enumerate(plan.levels.tolist()):
        step = _ALPHA * sigma**2
        langevin.step(
            image,
            score(image, sigma),
            step,
            seed=plan.seed,
            step=_FIRST_STEP + 1 + k,
            sample=sample,
            padding=plan.padding,
            clamp=_CLAMP,
            threads=plan.threads,
            **_condition(plan, k, step),
        )
        deviation[k] = _deviations(inside, plan)
        if tick is not None:
            tick(len(image))
    return Sampled(np.stack([largest_labels(x) for x in inside]), deviation)


def _condition(plan: Plan, k: int, step: float) -> dict[str, object]:
    """Return the arguments of the volume-fraction term.

    A step never moves the mean by more than the deviation that it corrects, or it would not
    converge: Sσ_μ² ≥ α. At 256² pixels the paper's σ_μ are all larger.
    """
    if not plan.conditioned:
        return {}
    size = int(plan.counts.sum())
    deviation = max(float(plan.deviations[k]), (step / size) ** 0.5)
    fractions = plan.fractions
    wanted: float | Sequence[float] = (
        float(fractions[1]) if len(fractions) == 2 else fractions.tolist()
    )
    return {"volume_fraction": wanted, "sigma_volume": deviation}


def fast(
    start: Floats, plan: Plan, score: Score, *, sample: int = 0, tick: Tick | None = None
) -> Sampled:
    """Sample with few evaluations: from level to level through the denoised estimate.

    .. math::

        D = x + σ² s(x, σ) + w,   x ← D + σ' [ρ (x − D)/σ + √(1 − ρ²) z],

    where w shifts each phase, by at most 0.3, to the number of pixels that it shall have in D. After
    the last level, labels are those with these numbers exactly that fit D best. ρ = 1 keeps the
    noise of the start (DDIM), ρ = 0 draws all of it anew in each step.

    Parameters are those of `annealed`.

    Sources: J. Song, C. Meng and S. Ermon, ICLR 2021, eq. 12; T. Karras et al., NeurIPS 2022.
    """
    image = _padded(noisy(start, plan, sample), plan.padding)
    inside = _inside(image, plan.padding)
    deviation = np.empty((len(plan.levels), len(image)))
    last = len(plan.levels) - 1
    for k, sigma in enumerate(plan.levels.tolist()):
        drift = score(image, sigma)  # its memory becomes that of D − x
        drift *= np.float32(sigma**2)
        _project(drift, image, plan)
        denoised = inside + _inside(drift, plan.padding)
        deviation[k] = _deviations(denoised, plan)
        if k < last:
            _advance(image, drift, plan, k, sample)
        if tick is not None:
            tick(len(image))
    label = exact_labels if plan.conditioned else _largest
    return Sampled(np.stack([label(x, plan.counts) for x in denoised]), deviation)


def _advance(image: Floats, drift: Floats, plan: Plan, k: int, sample: int) -> None:
    """Go to the next level in place, as one Langevin step with a drift and a noise of its own."""
    sigma, after = plan.levels[k : k + 2].tolist()
    kept = 1 - plan.renewal
    step = 0.5 * after**2 * max(1 - kept**2, 1e-12)
    drift *= np.float32((1 - kept * after / sigma) / step)
    langevin.step(
        image,
        drift,
        step,
        seed=plan.seed,
        step=_FIRST_STEP + 1 + k,
        sample=sample,
        padding=plan.padding,
        clamp=_CLAMP,
        threads=plan.threads,
    )


def _project(drift: Floats, image: Floats, plan: Plan) -> None:
    """Add the shift of the denoised images (image + drift) to the drift in place."""
    if not plan.conditioned:
        return
    for x, d in zip(_inside(image, plan.padding), _inside(drift, plan.padding), strict=True):
        d += projection(x + d, plan.counts).reshape(-1, *(1,) * (d.ndim - 1))


def _deviations(images: Floats, plan: Plan) -> Doubles:
    """Return the largest deviation (B,) of the fractions of each segmented image."""
    return np.array([np.abs(segmented_fractions(x) - plan.fractions).max() for x in images])


def _largest(channels: Floats, _counts: Counts) -> Labels:
    return largest_labels(channels)


def _padded(images: Floats, padding: int) -> Floats:
    """Return images (B, C, *shape) continued periodically on each side, a copy."""
    if padding == 0:
        return images.copy()
    return np.pad(images, [(0, 0), (0, 0), *((padding, padding),) * (images.ndim - 2)], "wrap")


def _inside(images: Floats, padding: int) -> Floats:
    """Return the view without padding."""
    if padding == 0:
        return images
    return images[(..., *(slice(padding, -padding),) * (images.ndim - 2))]
