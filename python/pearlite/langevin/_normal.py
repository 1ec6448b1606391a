"""Normal numbers of the counter-based generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pearlite import _arrays, _core, _cuda, _threads
from pearlite.langevin import _check


def normal(
    shape: int | Sequence[int],
    *,
    seed: int,
    sample: int | ArrayLike = 0,
    step: int = 0,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
) -> Any:
    """Draw standard normal numbers, each from its place alone.

    Number ``i`` (in C order) of a sample is a function of ``(seed, sample, step, i)``, by Philox
    4x32-10 and the transform of Box and Muller, ``z = √(−2 ln u) (cos θ, sin θ)``. Threads, and
    what is drawn together, change nothing. The integers behind it are the same on every machine,
    the numbers to their last two bits, and to all bits where the processor fuses multiplication
    and addition. float32 and float64 give the same numbers, but for rounding; those of float32
    reach to ±6.66 and those of float64 to ±9.4.

    Parameters
    ----------
    shape : int or sequence of int
        Of one sample, at most 2^34 numbers.
    seed : int
        From 0 to 2^64 − 1.
    sample : int or array of int, shape (...)
        From 0 to 2^48 − 1. An array gives one draw for each of its entries, where it is: one of
        cupy, or a torch tensor on a card, makes the numbers there.
    step : int
        From 0 to 2^32 − 1. Samples and steps are independent of each other.
    dtype : float32 or float64
        Of the result.
    threads : int, optional
        Threads to use; by default all cores of this process. The result does not depend on it.

    Returns
    -------
    ndarray, or array like `sample`, shape (..., *shape)
        ``...`` the shape of `sample`.

    Raises
    ------
    ValueError, TypeError
        An argument is out of its range or of another type.

    References
    ----------
    .. [1] J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as
       easy as 1, 2, 3", SC 2011.
    .. [2] G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates",
       Annals of Mathematical Statistics 29 (1958).

    Examples
    --------
    >>> import pearlite as pl
    >>> together = pl.langevin.normal((4, 5), seed=7, sample=range(10, 13))
    >>> together.shape
    (3, 4, 5)
    >>> alone = pl.langevin.normal((4, 5), seed=7, sample=12)
    >>> bool((together[2] == alone).all())
    True
    """
    wanted = _check.sizes(shape)
    kind = _check.float_type(dtype)
    seed = _arrays.check_integer("seed", seed, 0, _check.SEEDS)
    step = _arrays.check_integer("step", step, 0, _check.STEPS)
    samples = _check.sample_numbers(_on_host(sample))
    count = math.prod(wanted)
    if count > _check.MOST_NUMBERS or count * samples.size > 2**46:
        raise ValueError(
            f"shape is {wanted}, for {samples.size} samples; expected at most 2^34 numbers of a "
            "sample and 2^46 of all"
        )
    used = _threads.count(threads)
    if _cuda.is_array(sample) or _arrays.is_torch(sample):
        return _on_card(sample, wanted, seed, step, kind)
    numbers = _core.normals(samples.ravel(), count, seed, step, 0, kind == np.float64, used)
    return numbers.reshape(samples.shape + wanted)


def _on_host(sample: Any) -> Any:
    """Return numbers of samples as numpy takes them: they are few, and checked."""
    if _cuda.is_array(sample):
        return sample.get()
    return sample.cpu().numpy() if _arrays.is_torch(sample) and _cuda.on_card(sample) else sample


def _on_card(
    sample: Any, wanted: tuple[int, ...], seed: int, step: int, kind: np.dtype[Any]
) -> Any:
    from pearlite.langevin import _card

    if _cuda.is_array(sample):
        return _card.normal(sample, wanted, seed, step, kind)
    with _cuda.stream_of(sample):
        return _cuda.to_torch(_card.normal(_cuda.from_torch(sample), wanted, seed, step, kind))
