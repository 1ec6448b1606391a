"""Random fields cut at levels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft, special

from pearlite._errors import brief
from pearlite.microstructures._draw import (
    Floats,
    check_batch,
    check_fractions,
    check_number,
    check_positive,
    check_shape,
    generator,
)

_IMAGES = 8  # of the cell, on each side, over which a correlation is summed at most
_NEGLIGIBLE = 1e-9  # of the variance


def thresholded_noise(
    count: int,
    shape: Sequence[int],
    *,
    length: float,
    fractions: Sequence[float] = (0.5, 0.5),
    seed: int,
    sample: int = 0,
) -> npt.NDArray[np.uint8]:
    """Periodic Gaussian noise, smoothed and cut where the phases have exactly the given fractions.

    White noise is convolved with a periodic Gaussian of standard deviation `length`; the lowest
    values become phase 0, the highest the last one.

    Parameters
    ----------
    count : int
        Number of images.
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    length : float
        Standard deviation of the smoothing kernel in pixels; 0 leaves white noise.
    fractions : (P,) floats
        Volume fraction of each phase, met in every image to the nearest pixel.
    seed : int
        Seed of the batch.
    sample : int
        Number of the first image.

    Returns
    -------
    labels : (count, *shape) uint8

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> labels = thresholded_noise(3, (32, 48), length=3, fractions=(0.75, 0.25), seed=1)
    >>> [float(image.mean()) for image in labels]
    [0.25, 0.25, 0.25]
    """
    shape = check_shape(shape)
    samples = check_batch(count, seed, sample, shape)
    if not 0 <= check_number("length", length) < np.inf:
        raise ValueError(f"length is {brief(length)}; expected a finite number >= 0")
    size = int(np.prod(shape))
    bounds = np.rint(np.cumsum(check_fractions(fractions))[:-1] * size).astype(np.int64)  # (P−1,)
    cuts = np.minimum(bounds, size - 1)
    levels = np.searchsorted(bounds, np.arange(size), side="right").astype(np.uint8)  # of a rank
    # Ten sides smooth everything away; the square of far more would overflow.
    smoothing = _gaussian(shape, min(float(length), 10.0 * max(shape)))
    labels = np.empty((len(samples), size), np.uint8)
    for image, number in zip(labels, samples, strict=True):
        field = generator(seed, number, "noise").standard_normal(shape)
        if length > 0:
            field = fft.irfftn(fft.rfftn(field) * smoothing, s=shape)
        # Ranks matter only up to the cuts: a partition is enough, and faster than a sort.
        image[np.argpartition(field.ravel(), cuts)] = levels
    return labels.reshape(-1, *shape)


def level_set(
    count: int,
    shape: Sequence[int],
    *,
    correlation: float | Callable[[Floats], npt.ArrayLike],
    fractions: Sequence[float] = (0.5, 0.5),
    seed: int,
    sample: int = 0,
) -> npt.NDArray[np.uint8]:
    """Cut a stationary Gaussian field of a given correlation function at fixed levels.

    The field g has zero mean, unit variance and the correlation ρ, made periodic by summation over
    the images of the cell. Phase k has the pixels where g is between the quantiles of the standard
    normal distribution at v_0 + … + v_{k−1} and v_0 + … + v_k: its fraction is v_k in the mean, and
    scatters from image to image.

    Parameters
    ----------
    count : int
        Number of images.
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    correlation : float or function
        A length ℓ in pixels, for ρ(r) = exp(−r²/(2ℓ²)), or a function that takes distances r in
        pixels (an array) and returns ρ. It must be positive definite and decay within eight sides
        of the cell.
    fractions : (P,) floats
        Mean volume fraction of each phase.
    seed : int
        Seed of the batch.
    sample : int
        Number of the first image.

    Returns
    -------
    labels : (count, *shape) uint8

    Raises
    ------
    ValueError
        If the function is not positive definite, or does not decay.

    See Also
    --------
    thresholded_noise : the same fractions in every image.

    Notes
    -----
    For two phases of equal fractions the probability that both ends of a vector r are in phase 0 is
    1/4 + arcsin ρ(r) / (2π).

    Sources: J. A. Quiblier, J. Colloid Interface Sci. 98, 84 (1984); S. Torquato, *Random
    Heterogeneous Materials* (2002), section 8.3, for level sets; C. R. Dietrich and G. N. Newsam,
    SIAM J. Sci. Comput. 18, 1088 (1997), for the sampling by circulant matrices.

    Examples
    --------
    >>> import numpy as np
    >>> labels = level_set(3, (32, 48), correlation=3, fractions=(0.75, 0.25), seed=1)
    >>> labels.shape, labels.dtype.name
    ((3, 32, 48), 'uint8')
    >>> rough = level_set(3, (32, 48), correlation=lambda r: np.exp(-r / 4), seed=1)
    """
    shape = check_shape(shape)
    samples = check_batch(count, seed, sample, shape)
    levels = special.ndtri(np.minimum(np.cumsum(check_fractions(fractions))[:-1], 1))
    if callable(correlation):
        amplitudes = _amplitudes(shape, correlation)
    else:
        # Far less than a pixel is none; the square of its inverse would overflow.
        length = max(check_positive("correlation", correlation), 1e-9)
        amplitudes = _amplitudes(shape, lambda r: np.exp(-0.5 * (r / length) ** 2))
    labels = np.empty((len(samples), *shape), np.uint8)
    for image, number in zip(labels, samples, strict=True):
        white = generator(seed, number, "level set").standard_normal(shape)
        field = fft.irfftn(fft.rfftn(white) * amplitudes, s=shape)
        image[...] = np.searchsorted(levels, field)
    return labels


def _amplitudes(shape: tuple[int, ...], correlation: Callable[[Floats], npt.ArrayLike]) -> Floats:
    """Fourier multiplier, on rfftn's grid, that gives white noise the correlation."""
    sums = np.zeros(shape)
    for shell in range(_IMAGES + 1):
        largest = 0.0
        images = itertools.product(range(-shell, shell + 1), repeat=len(shape))
        for image in (k for k in images if max(map(abs, k)) == shell):
            values = _values(shape, image, correlation)
            largest = max(largest, np.abs(values).max())
            sums += values
        if largest <= _NEGLIGIBLE:
            break
    else:
        raise ValueError(
            f"correlation does not decay within {_IMAGES} sides of the cell; expected one that does"
        )
    if not sums.flat[0] > 0:
        raise ValueError(f"correlation sums to {sums.flat[0]} at 0; expected a number > 0")
    spectrum = fft.rfftn(sums / sums.flat[0]).real
    if spectrum.min() < -_NEGLIGIBLE * spectrum.max():
        raise ValueError(
            "correlation is not positive definite; expected one with a spectrum >= 0, and one part "
            f"of it is {spectrum.min() / spectrum.max():.1e} of the largest"
        )
    amplitudes: Floats = np.sqrt(np.maximum(spectrum, 0))
    return amplitudes


def _values(
    shape: tuple[int, ...],
    image: tuple[int, ...],
    correlation: Callable[[Floats], npt.ArrayLike],
) -> Floats:
    """Evaluate a correlation at all pixels of an image of the cell; the nearest is number 0."""
    offsets = [
        np.arange(n) + k * n - n * (2 * np.arange(n) > n) for n, k in zip(shape, image, strict=True)
    ]
    squares: Floats = sum(x.astype(np.float64) ** 2 for x in np.ix_(*offsets))  # type: ignore[assignment]
    values = np.asarray(correlation(np.sqrt(squares)))
    if values.shape != shape or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ValueError("correlation returns no numbers; expected a finite one for each distance")
    return values.astype(np.float64)


def _gaussian(shape: tuple[int, ...], length: float) -> npt.NDArray[np.float64]:
    """Fourier multiplier exp(−2π²f²ℓ²) of a Gaussian of standard deviation ℓ, on rfftn's grid."""
    frequencies = [fft.fftfreq(n) for n in shape[:-1]] + [fft.rfftfreq(shape[-1])]
    squares = sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij", sparse=True))
    return np.asarray(np.exp(-2 * np.pi**2 * length**2 * squares), np.float64)
