"""One step of Langevin dynamics, and the phases of its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _cuda, _threads
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
    x : ndarray, cupy.ndarray or tensor, shape (B, C, n0 + 2 p, n1 + 2 p[, n2 + 2 p])
        Images with C channels and padding p, float32 or float64, changed in place. Any strides
        are fine, as those of channels-last tensors.
    score : array like x, of its shape, dtype and device
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
        Threads to use; by default all cores of this process. The result does not depend on it, and
        on a card it means nothing.

    Returns
    -------
    array like x, of int64, shape (B, P)
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
    if _cuda.is_array(x, score):
        return step_on_card(x, score, *options)
    return step_arrays(x, score, *options)


def phase_counts(x: Any, *, padding: int | Sequence[int] = 0, threads: int | None = None) -> Any:
    """Count the pixels of each phase in the interior of images.

    Parameters
    ----------
    x : ndarray, cupy.ndarray or tensor, shape (B, C, n0 + 2 p, n1 + 2 p[, n2 + 2 p])
        Indicators of phases, float32 or float64, segmented as in `step`.
    padding : int or one for each axis
        p >= 0.
    threads : int, optional
        Threads to use; by default all cores of this process.

    Returns
    -------
    array like x, of int64, shape (B, P)
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
    if _cuda.is_array(x):
        return count_on_card(x, padding, threads)
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
    each = _check.each_image(x, step_size, volume_fraction, sigma_volume, sample)
    lower, upper = _check.limits(clamp)
    factor = _check.number("noise", noise, 0)
    return _core.langevin_step(
        images.pixels, _check.like(score, images.pixels), each.step_size, each.fractions,
        each.sigma, images.padding, factor, lower, upper,
        _arrays.check_integer("seed", seed, 0, _check.SEEDS),
        _arrays.check_integer("step", step, 0, _check.STEPS), each.sample, _threads.count(threads),
    )  # fmt: skip


def step_on_card(
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
) -> Any:
    """Do what `step` does, to arrays of cupy."""
    from pearlite.langevin import _card

    _cuda.same_device(x=x, score=score)
    around = _check.around(x, padding)
    _check.check_places(x)
    each = _check.each_image(x, step_size, volume_fraction, sigma_volume, sample)
    limits = _check.limits(clamp)
    factor = _check.number("noise", noise, 0)
    seed = _arrays.check_integer("seed", seed, 0, _check.SEEDS)
    step = _arrays.check_integer("step", step, 0, _check.STEPS)
    _threads.count(threads)
    return _card.step(x, _card.like(score, x), around, each, seed, step, limits, factor)


def count_on_card(x: Any, padding: Any, threads: int | None) -> Any:
    """Do what `phase_counts` does, to an array of cupy."""
    from pearlite.langevin import _card

    around = _check.around(x, padding)
    _threads.count(threads)
    return _card.phase_counts(x, around)


def count_arrays(x: Any, padding: Any, threads: int | None) -> NDArray[np.int64]:
    """Do what `phase_counts` does, to a numpy array."""
    images = _check.images(x, padding)
    return _core.count_phases(
        _check.regular(images.pixels), images.padding, _threads.count(threads)
    )


def phases(channels: int) -> int:
    """Return how many phases images with these channels have."""
    return 2 if channels == 1 else channels
