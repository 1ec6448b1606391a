"""How far a structure is from being a copy of another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from pearlite import _arrays
from pearlite.microstructures._draw import check_integer

_DRAWS = 16  # of random phases


@dataclass(frozen=True)
class Overlap:
    """The best registration of an image on another one.

    Attributes
    ----------
    best : float
        The largest share of pixels with equal labels, over all translations and the point
        reflection: 1 for a copy.
    chance : float
        What `best` would be on average were the images independent.
    shift : tuple of int
        ``np.roll(image, shift)`` lies best on the other one (the image reflected first, if
        `reflected`), zero-padded windows included.
    reflected : bool
        Whether the image had to be reflected at a point: ``image[::-1, ::-1]``.
    """

    best: float
    chance: float
    shift: tuple[int, ...]
    reflected: bool


def overlap(image: ArrayLike, reference: ArrayLike, *, seed: int = 0) -> Overlap:
    """Compare an image with another one, of which it may be a copy.

    The share of equal pixels at all translations is a sum of correlations of the phases,

    .. math:: o(δ) = (1/N) Σ_x Σ_i 1[a(x+δ) = i] · 1[b(x) = i],

    computed by Fourier transforms, also for the image reflected at a point.

    Parameters
    ----------
    image, reference : (n0, n1[, n2]) arrays of integers or booleans
        Labels of phases. Of images of different shapes, the reference is cut to the image's size
        where it is larger, and is a window laid anywhere on the periodic image where it is smaller.
    seed : int
        Of the random phases, see the notes.

    Returns
    -------
    Overlap
        `best`, the overlap by `chance`, `shift` and `reflected`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Even independent images overlap by more than their fractions say, since the best of many
    translations is taken; by how much depends on their correlation lengths. `chance` is the mean
    of the best overlap over 16 draws in which each wave vector of o(δ) keeps its magnitude and
    takes a random phase, which is what independent images with these very two-point correlations
    have. At equal shapes and two phases nothing else goes into it.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> image = pl.microstructures.thresholded_noise(2, (32, 32), length=2, seed=1)
    >>> moved = np.roll(image[0, ::-1, ::-1], (3, 4), (0, 1))
    >>> pl.reconstruction.overlap(moved, image[0]).best
    1.0
    >>> other = pl.reconstruction.overlap(image[1], image[0])
    >>> abs(other.best - other.chance) < 0.05
    True
    """
    a, b = labels("image", image), labels("reference", reference)
    seed = check_integer("seed", seed, 0, 2**64 - 1)
    if a.ndim != b.ndim:
        raise ValueError(f"reference has {b.ndim} axes; expected {a.ndim}, those of image")
    window = tuple(min(n, m) for n, m in zip(a.shape, b.shape, strict=True))
    b = b[tuple(slice(n) for n in window)]
    spectra = _equal_spectra(a, b)
    found = _best(spectra, a.shape, b.size)
    chance = _chance(spectra, a.shape, seed) / b.size
    return Overlap(1 - found.wrong / b.size, min(chance, 1.0), found.shift, found.reflected)


class Registration(NamedTuple):
    """How many pixels differ at best, and where that is, as in `Overlap`."""

    wrong: int
    shift: tuple[int, ...]
    reflected: bool


def register(image: NDArray[Any], reference: NDArray[Any]) -> Registration:
    """Register labels of one shape, unchecked."""
    return _best(_equal_spectra(image, reference), image.shape, reference.size)


def _best(
    spectra: Sequence[NDArray[np.complex128]], shape: tuple[int, ...], size: int
) -> Registration:
    """Return the best of all translations, reflected only if that is better."""
    counts = [np.rint(fft.irfftn(spectrum, s=shape)) for spectrum in spectra]
    equal = [int(count.max()) for count in counts]
    reflected = equal[1] > equal[0]
    place = np.unravel_index(int(counts[reflected].argmax()), shape)
    shift = tuple(int(-d % n) for d, n in zip(place, shape, strict=True))
    return Registration(size - equal[reflected], shift, reflected)


def _equal_spectra(
    a: NDArray[Any], b: NDArray[Any]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Transform the counts of equal pixels where the window b lies at each place of a.

    Also for a reflected at a point.
    """
    count = 1 + int(max(a.max(), b.max()))
    total = np.zeros((*a.shape[:-1], a.shape[-1] // 2 + 1), np.complex128)
    mirrored = np.zeros_like(total)
    padded = np.zeros(a.shape)
    corner = tuple(slice(n) for n in b.shape)
    axes = tuple(range(a.ndim))
    for phase in range(count):
        padded[corner] = b == phase
        window = np.conj(fft.rfftn(padded))
        total += fft.rfftn((a == phase).astype(np.float64)) * window
        mirrored += fft.rfftn(np.flip(a == phase, axes).astype(np.float64)) * window
    return total, mirrored


def _chance(spectra: Sequence[NDArray[np.complex128]], shape: tuple[int, ...], seed: int) -> float:
    """Return the mean of the largest entry over draws of random phases."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
    largest = []
    for _ in range(_DRAWS):
        tops = []
        for spectrum in spectra:
            # The spectrum of white noise has independent phases and the symmetry of a real field.
            noise = fft.rfftn(rng.standard_normal(shape))
            noise /= np.abs(noise)
            noise.flat[0] = 1
            tops.append(fft.irfftn(np.abs(spectrum) * noise, s=shape).max())
        largest.append(max(tops))
    return float(np.mean(largest))


def labels(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return labels (n0, n1[, n2]), checked, as uint8, uint16 or int32."""
    array = _arrays.as_numpy(name, value)
    if array.dtype.kind not in "biu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected integers or booleans")
    if array.ndim not in (2, 3) or min(array.shape) < 2:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (n0, n1) or (n0, n1, n2), at least 2 each"
        )
    smallest, largest = int(array.min()), int(array.max())
    if smallest < 0 or largest > 255:
        raise ValueError(f"{name} has labels from {smallest} to {largest}; expected 0 to 255")
    return np.ascontiguousarray(array, dtype=np.uint8)
