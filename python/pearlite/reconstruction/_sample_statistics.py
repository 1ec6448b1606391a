"""The statistics that a sample shares with its references, and their natural scatter."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pearlite.reconstruction._sample_references import Labels, References
from pearlite.statistics import chord_lengths

_RADIUS = 31  # of the window of shifts, along each axis
_BINS = 257  # lengths of chords: 0 … 255 pixels, and all longer ones
_MOST_CODES = 2**16  # of a pattern
_DILATIONS = {2: (1, 2, 4), 3: (1, 2)}  # of patterns
_CELLS = (
    [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)],
    [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)],
    [(0, 0), (0, 1), (1, 0)],
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Of labels, or of references.

    Attributes
    ----------
    fractions : (P,) array
    covariance : (P, 2R+1, …) array
        C(r) = ⟨M(x) M(x+r)⟩ − φ² of the indicator M of each phase, r = 0 in the middle.
    chords : (d, P, bins) array
        Along each axis: chords by their length in pixels, in proportion to their number; the last
        bin takes all longer ones.
    """

    fractions: Floats
    covariance: Floats
    chords: Floats


@dataclass(frozen=True)
class Wanted:
    """What a sample is asked for.

    Attributes
    ----------
    statistics : Statistics
        Of the references.
    known : (2R+1, …) bool array
        At which shifts the references tell the covariance: for sections, those in their planes.
    s2_natural, chord_natural : float, (P,) array
        `covariance_error` and `chord_distance` between halves of the references.
    radius : int
        R.
    """

    statistics: Statistics
    known: NDArray[np.bool_]
    s2_natural: float
    chord_natural: Floats
    radius: int


def wanted(references: References) -> Wanted:
    """Return what references ask of a sample."""
    reach = radius(references)
    known = _known(list(views(references)), references.phases, references.dim, reach)
    return Wanted(*known, *natural_scatter(references), reach)


def radius(references: References) -> int:
    """Return R: half the references, and half the sample, are at least twice as wide."""
    return min(_RADIUS, references.smallest // 4)


def views(references: References) -> Iterator[tuple[Labels, tuple[int, ...]]]:
    """Return each image with the axes of the sample that its own axes stand for."""
    axes = range(references.dim)
    if references.solid:
        yield from ((image, tuple(axes)) for image in references.sections[0])
        return
    for axis, section in enumerate(references.sections):
        yield from ((image, tuple(a for a in axes if a != axis)) for image in section)


def _known(
    images: list[tuple[Labels, tuple[int, ...]]], phases: int, dim: int, reach: int
) -> tuple[Statistics, NDArray[np.bool_]]:
    """Return the statistics of images, and at which shifts they are known.

    Pairs and chords are those within an image, none around its edges. A chord of l pixels shows as
    a whole at n − l − 1 places of a line of n, which its weight makes up for.
    """
    window = (2 * reach + 1,) * dim
    pairs, overlaps = np.zeros((phases, *window)), np.zeros(window)
    chords = np.zeros((dim, phases, _BINS))
    counts = np.zeros(phases)
    for image, axes in images:
        place = tuple(
            slice(None) if axis in axes else slice(reach, reach + 1) for axis in range(dim)
        )
        ends = [2 * reach + 1 if axis in axes else 1 for axis in range(dim)]
        own, overlap = _pairs_within(image, phases, reach)
        pairs[:, *place] += own.reshape(phases, *ends)
        overlaps[place] += overlap.reshape(ends)
        counts += np.bincount(image.ravel(), minlength=phases)
        for axis, found in zip(axes, chords_within(image, phases), strict=True):
            chords[axis] += found
    fractions = counts / counts.sum()
    known = overlaps > 0
    covariance = pairs / np.maximum(overlaps, 1) - fractions.reshape(-1, *(1,) * dim) ** 2
    return Statistics(fractions, covariance * known, chords), known


def of_sample(labels: Labels, phases: int, reach: int) -> Statistics:
    """Return the statistics of a periodic image."""
    fractions = np.bincount(labels.ravel(), minlength=phases) / labels.size
    covariance = np.stack([covariance_of(labels == p, reach) for p in range(phases)])
    return Statistics(fractions, covariance, chords_around(labels, phases))


def covariance_of(mask: NDArray[np.bool_], reach: int) -> NDArray[Any]:
    """Return C(r) of one phase of a periodic image on the window (2R+1, …), float32."""
    field = mask.astype(np.float32) - np.float32(mask.mean())
    power = np.abs(fft.rfftn(field)) ** 2
    covariance: NDArray[Any] = windowed(fft.irfftn(power, s=mask.shape), reach) / mask.size
    return covariance


def windowed(array: NDArray[Any], reach: int) -> NDArray[Any]:
    """Return shifts −R … R of a periodic array whose shift 0 is at index 0."""
    window: NDArray[Any] = array[np.ix_(*(np.arange(-reach, reach + 1) % n for n in array.shape))]
    return window


def _pairs_within(image: Labels, phases: int, reach: int) -> tuple[Floats, Floats]:
    """Return Σ_x M(x) M(x+r) of each phase on the window, and the number of such x."""
    padded = [fft.next_fast_len(n + reach, real=True) for n in image.shape]

    def correlate(field: NDArray[Any]) -> Floats:
        power = np.abs(fft.rfftn(field, padded)) ** 2
        return np.asarray(windowed(fft.irfftn(power, s=padded), reach), np.float64)

    own = np.stack([correlate((image == p).astype(np.float64)) for p in range(phases)])
    sides = [n - np.abs(np.arange(-reach, reach + 1)) for n in image.shape]
    overlap = np.prod(np.meshgrid(*sides, indexing="ij"), axis=0)
    return np.rint(own), overlap.astype(np.float64)


def chords_within(image: Labels, phases: int) -> Floats:
    """Return weighted chords along each axis (d, P, bins), those that the border cuts left out."""
    counts = chord_lengths(image, phases=range(phases), periodic=False, dim=image.ndim).counts
    # At how many places of a line of n pixels a chord of this length shows as a whole.
    lengths = np.arange(counts.shape[-1])
    places = [np.maximum(n - lengths - 1, 1) for n in image.shape]
    return _binned(np.stack([counts[:, k] / np.array(p) for k, p in enumerate(places)]))


def chords_around(labels: Labels, phases: int) -> Floats:
    """Return chords of a periodic image (d, P, bins); a closed line is one of its length."""
    found = chord_lengths(labels, phases=range(phases), dim=labels.ndim)
    chords = _binned(found.counts.swapaxes(0, 1))
    for axis, n in enumerate(labels.shape):
        chords[axis, :, min(n, _BINS - 1)] += found.around[:, axis]
    return chords


def _binned(counts: NDArray[Any]) -> Floats:
    """Return counts (…, lengths) in bins (…, bins), all long chords in the last one."""
    binned = np.zeros((*counts.shape[:-1], _BINS))
    short = min(counts.shape[-1], _BINS - 1)
    binned[..., :short] = counts[..., :short]
    binned[..., -1] = counts[..., short:].sum(-1)
    return binned


def chord_distance(a: Floats, b: Floats) -> Floats:
    """Return the total variation between distributions of chord lengths, (…) from (…, bins)."""
    sums = [c.sum(-1, keepdims=True) for c in (a, b)]
    shares = [c / np.maximum(s, 1e-300) for c, s in zip((a, b), sums, strict=True)]
    return np.asarray(np.abs(shares[0] - shares[1]).sum(-1) / 2, np.float64)


def covariance_error(a: Statistics, b: Statistics, known: NDArray[np.bool_]) -> float:
    """Return the root mean square over phases and known shifts of a difference of covariances."""
    difference = (a.covariance - b.covariance)[:, known]
    return float(np.sqrt(np.mean(difference**2)))


def natural_scatter(references: References) -> tuple[float, Floats]:
    """Return what `covariance_error` and `chord_distance` are between halves of the references.

    Each image is halved across each of its axes; the mean over these is returned, for chords by
    phase.
    """
    reach = radius(references)
    errors: list[float] = []
    chords: list[Floats] = []
    for image, axes in views(references):
        for k in range(image.ndim):
            n = image.shape[k]
            halves = [np.take(image, np.arange(n // 2) + s, k) for s in (0, n - n // 2)]
            both = [
                _known([(half, axes)], references.phases, references.dim, reach) for half in halves
            ]
            (a, known), (b, _) = both
            errors.append(covariance_error(a, b, known))
            chords.append(chord_distance(a.chords, b.chords)[list(axes)].mean(0))
    return float(np.mean(errors)), np.mean(chords, axis=0)


def pattern_offsets(phases: int, dim: int, reach: int) -> NDArray[np.int32]:
    """Return the cells of patterns (patterns, cells, 3): in each plane, at each dilation."""
    cells = next((c for c in _CELLS if phases ** len(c) <= _MOST_CODES), _CELLS[-1])
    offsets = []
    for first, second in combinations(range(3 - dim, 3), 2):
        for dilation in _DILATIONS[dim]:
            if dilation <= reach:
                pattern = np.zeros((len(cells), 3), np.int32)
                pattern[:, (first, second)] = np.array(cells) * dilation
                offsets.append(pattern)
    return np.stack(offsets)


def pattern_shares(references: References, offsets: NDArray[np.int32]) -> Floats:
    """Return the shares (patterns, P^cells) of each pattern's codes Σ_j label_j P^j."""
    phases = references.phases
    shares = np.zeros((len(offsets), phases ** offsets.shape[1]))
    for row, pattern in zip(shares, offsets, strict=True):
        plane = {int(axis) - 3 + references.dim for axis in np.flatnonzero(pattern.any(0))}
        for image, axes in views(references):
            if plane <= set(axes):
                own = pattern[:, [axis + 3 - references.dim for axis in axes]]
                row += np.bincount(_codes(image, own, phases), minlength=len(row))
        row /= max(row.sum(), 1)
    return shares


def _codes(image: Labels, pattern: NDArray[np.int32], phases: int) -> NDArray[np.int64]:
    """Return the codes of a pattern (cells, d) at all places where it lies within the image."""
    low, high = -pattern.min(0), pattern.max(0)
    codes = np.zeros([n - a - b for n, a, b in zip(image.shape, low, high, strict=True)], np.int64)
    for j, cell in enumerate(pattern):
        ends = [
            slice(a + c, n - b + c) for n, a, b, c in zip(image.shape, low, high, cell, strict=True)
        ]
        codes += image[tuple(ends)].astype(np.int64) * phases**j
    return codes.ravel()
