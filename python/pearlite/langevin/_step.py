"""One step of Langevin dynamics, and the phases of its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _threads
from pearlite.langevin import _check


def step(
    x: Any,
    score: Any,
    step_size: float | ArrayLike,
    *,
    seed: int,
    step: int,
    sample: int | ArrayLike = 0,
    volume_fraction: float | ArrayLike | None = None,
    sigma_volume: float | ArrayLike | None = None,
    padding: int | Sequence[int] = 0,
    clamp: float | Sequence[float] | None = None,
    noise: float = 1.0,
    threads: int | None = None,
) -> Any:
    """Make a step of Langevin dynamics, in place.

    ``x ← x + α (s + v) + c √(2 α) z``, with the step size α, the score s, normal noise z and its
    factor c, in the interior of each image, then clamped; then the padding repeats the interior
    periodically. v holds volume fractions near f: for phase i,

    ``v_i = −(m_i − f_i) / (S σ²)``,

    m_i the fraction of phase i in the segmented interior before the step, S its number of pixels.
    One channel is the indicator of phase 1 of two: a pixel is of phase 1 where ``x > ½``. Several
    channels are those of as many phases: a pixel is of the phase with the largest one, of several
    such the first, or it is uncertain, and left out of m, while ``1 − Σ x`` is larger than each. An
    image of uncertain pixels alone has v = 0.

    Parameters
    ----------
    x : ndarray or tensor, shape (B, C, n0 + 2 p, n1 + 2 p[, n2 + 2 p])
        Images with C channels and padding p, float32 or float64, changed in place. Any strides
        are fine, as those of channels-last tensors.
    score : ndarray or tensor, shape and dtype of x
        s, at x; what it has in the padding is not used.
    step_size : float or array, shape (B,)
        α >= 0, of all images or of each.
    seed, step : int
        With `sample` the key of the noise, which for an image is ``normal((C, n0, n1[, n2]),
        seed=seed, sample=..., step=step)``. From 0 to 2^64 − 1 and 2^32 − 1.
    sample : int or array of int, shape (B,)
        The number of the first image, which the others follow, or the number of each, from 0 to
        2^48 − 1: so a batch cut into parts gives the same images.
    volume_fraction : float or array, shape (B,), or of C > 1 channels (C,) or (B, C), optional
        f in [0, 1]: of phase 1, or of each phase. By default v = 0.
    sigma_volume : float or array, shape (B,)
        σ > 0, what the volume fraction may deviate by; needed with `volume_fraction`.
    padding : int or one for each axis
        p >= 0.
    clamp : float or pair of floats, optional
        Lowest and highest value of x; one number c stands for (−c, c).
    noise : float
        c >= 0.
    threads : int, optional
        Threads to use; by default all cores of this process. The result does not depend on it.

    Returns
    -------
    ndarray or tensor of int64, shape (B, P)
        How many pixels of the interior are of each phase after the step; P is 2, or C. The rest of
        them is uncertain.

    Raises
    ------
    ValueError, TypeError
        An argument is out of its range, or of another shape or type; x is read-only or repeats
        memory. A tensor requires a gradient: steps have no derivative.

    Notes
    -----
    Threads, strides and how images are batched change no bit of them. A NaN in x or the score stays
    one.

    References
    ----------
    .. [1] A. E. Robertson, C. Kelly, M. Buzzy and S. R. Kalidindi, "Local–global decompositions
       for conditional microstructure generation", Acta Materialia: eqs. 3, 4 and 12, sections 3.3
       and 5.

    Examples
    --------
    Images that tend to a normal distribution of mean 3 and deviation ½:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> x = np.zeros((2, 1, 32, 32), np.float32)
    >>> for k in range(200):
    ...     counts = pl.langevin.step(x, -(x - 3) / 0.25, 0.02, seed=1, step=k)
    >>> round(float(x.mean()), 1), round(float(x.std()), 1)
    (3.0, 0.5)
    >>> counts.tolist()
    [[0, 1024], [0, 1024]]
    """
    options: tuple[Any, ...] = (
        step_size, volume_fraction, sigma_volume, sample, seed, step, padding, clamp, noise,
        threads,
    )  # fmt: skip
    if _arrays.is_torch(x, score):
        from pearlite import _langevin_operators

        return _langevin_operators.step(x, score, *options)
    return step_arrays(x, score, *options)


def phase_counts(x: Any, *, padding: int | Sequence[int] = 0, threads: int | None = None) -> Any:
    """Count the pixels of each phase in the interior of images.

    Parameters
    ----------
    x : ndarray or tensor, shape (B, C, n0 + 2 p, n1 + 2 p[, n2 + 2 p])
        Indicators of phases, float32 or float64, segmented as in `step`.
    padding : int or one for each axis
        p >= 0.
    threads : int, optional
        Threads to use; by default all cores of this process.

    Returns
    -------
    ndarray or tensor of int64, shape (B, P)
        P is 2 for one channel, else C. Uncertain pixels are in none.

    Raises
    ------
    ValueError, TypeError
        An argument is out of its range, or of another shape or type.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> x = np.array([[0.9, 0.2, 0.1], [0.0, 0.7, 0.2]])  # two phases of three pixels
    >>> pl.langevin.phase_counts(x.reshape(1, 2, 1, 3))  # the last one is uncertain
    array([[1, 1]])
    """
    if _arrays.is_torch(x):
        from pearlite import _langevin_operators

        return _langevin_operators.phase_counts(x, padding, threads)
    return count_arrays(x, padding, threads)


def step_arrays(
    x: Any,
    score: Any,
    step_size: Any,
    volume_fraction: Any,
    sigma_volume: Any,
    sample: Any,
    seed: int,
    step: int,
    padding: Any,
    clamp: Any,
    noise: float,
    threads: int | None,
) -> NDArray[np.int64]:
    """Do what `step` does, to numpy arrays."""
    images = _check.images(x, padding)
    if images.pixels is not x:
        kind = type(x).__name__
        raise TypeError(f"x is a {kind}; expected a numpy array or torch tensor, changed in place")
    _check.check_writable(images.pixels)
    batch, channels = images.pixels.shape[:2]
    fractions = _check.fractions(volume_fraction, batch, channels)
    if (fractions is None) != (sigma_volume is None):
        names = "volume_fraction", "sigma_volume"
        missing, given = names if fractions is None else names[::-1]
        raise ValueError(f"{missing} is None; expected a value, as {given} has one")
    sigma = _check.each("sigma_volume", 1.0 if sigma_volume is None else sigma_volume, batch)
    if not (sigma > 0).all():
        raise ValueError(f"sigma_volume is {_arrays.one_line(sigma_volume)}; expected values > 0")
    sizes = _check.each("step_size", step_size, batch)
    lower, upper = _check.limits(clamp)
    factor = _check.number("noise", noise, 0)
    numbers = _check.batch_samples(sample, batch)
    return _core.langevin_step(
        images.pixels, _check.like(score, images.pixels), sizes, fractions, sigma,
        images.padding, factor, lower, upper, _arrays.check_integer("seed", seed, 0, _check.SEEDS),
        _arrays.check_integer("step", step, 0, _check.STEPS), numbers, _threads.count(threads),
    )  # fmt: skip


def count_arrays(x: Any, padding: Any, threads: int | None) -> NDArray[np.int64]:
    """Do what `phase_counts` does, to a numpy array."""
    images = _check.images(x, padding)
    return _core.count_phases(
        _check.regular(images.pixels), images.padding, _threads.count(threads)
    )


def phases(channels: int) -> int:
    """Return how many phases images with these channels have."""
    return 2 if channels == 1 else channels
