"""Random fields cut at levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

from pearlite.microstructures._draw import (
    check_batch,
    check_fractions,
    check_number,
    check_shape,
    generator,
)


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

    Examples
    --------
    >>> labels = thresholded_noise(3, (32, 48), length=3, fractions=(0.75, 0.25), seed=1)
    >>> [float(image.mean()) for image in labels]
    [0.25, 0.25, 0.25]
    """
    shape = check_shape(shape)
    samples = check_batch(count, seed, sample, shape)
    if not 0 <= check_number("length", length) < np.inf:
        raise ValueError(f"length is {length!r}; expected a finite number >= 0")
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


def _gaussian(shape: tuple[int, ...], length: float) -> npt.NDArray[np.float64]:
    """Fourier multiplier exp(−2π²f²ℓ²) of a Gaussian of standard deviation ℓ, on rfftn's grid."""
    frequencies = [fft.fftfreq(n) for n in shape[:-1]] + [fft.rfftfreq(shape[-1])]
    squares = sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij", sparse=True))
    return np.asarray(np.exp(-2 * np.pi**2 * length**2 * squares), np.float64)
