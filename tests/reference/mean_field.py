"""The annealed sampler on infinitely many independent pixels of two phases, by densities."""

import numpy as np


def annealed_fraction(levels, deviations, size, share, wanted, start=0.0):
    """Return the fraction of phase 1 that is left after the last level.

    Where pixels are independent, the only thing they share is their fraction, which does not
    scatter where there are many: the density of values goes from level to level by itself. This
    is x ← x + α s(x) + α v + √(2 α) z with α = 0.2 σ² and v = −(m − wanted) / (S σ_μ²), m the mass
    whose denoised value is above one half and S σ_μ² at least α; `wanted` None: v = 0.

    Parameters
    ----------
    levels, deviations : (K,)
        σ, and σ_μ for images of `size` pixels.
    share : float
        Probability of phase 1 that the score knows.
    start : float
        Value of all pixels, on the grid.
    """
    x = np.linspace(-3, 3, 301)  # steps of .02: fine enough for α down to σ = .05
    mass = np.isclose(x, start).astype(np.float64)

    def above(value):
        return np.clip((x - value) / (x[1] - x[0]) + 0.5, 0, 1)

    for sigma, deviation in zip(levels, deviations, strict=True):
        alpha = 0.2 * sigma**2
        logit = np.log(share / (1 - share)) + (2 * x - 1) / (2 * sigma**2)
        denoised = 1 / (1 + np.exp(-np.clip(logit, -500, 500)))
        moved = x + alpha * (denoised - x) / sigma**2
        if wanted is not None:
            found = mass @ above(0.5 - sigma**2 * np.log(share / (1 - share)))
            moved -= alpha * (found - wanted) / max(size * deviation**2, alpha)
        arriving = np.exp(-((x[:, None] - moved) ** 2) / (4 * alpha))  # (to, from)
        mass = arriving / arriving.sum(axis=0) @ mass
    return mass @ above(0.5)
