"""Statistics of ensembles beside those of the reference: what the page and the studies show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite._arrays import check_integer
from pearlite.correlation import two_point
from pearlite.statistics import (
    PrincipalComponents,
    chord_lengths,
    principal_components,
    rms_difference,
    total_variation,
    volume_fractions,
)

if TYPE_CHECKING:
    from pearlite.generation._ensemble import Ensemble

Doubles = NDArray[np.float64]

_RADIUS = 20  # components of the vectors of correlations, in pixels
_COMPONENTS = 4


@dataclass(frozen=True)
class Measured:
    """Statistics of n images with P phases.

    Attributes
    ----------
    fractions : (n, P) float64 array
        Volume fractions.
    two_point : (n, P, *window) float64 array
        Autocorrelations of the phases, the zero vector in the middle.
    chords : (n, P, dim, L) float64 array
        Numbers of chords of k pixels at index k, along each axis. Where the border cuts chords,
        those of k pixels that are seen whole are n/(n − k − 1) times as many, n the pixels of a
        line: short ones are cut less often.
    three_point : (n, P, dim, *window) float64 array
        ⟨m(x) m(x + e) m(x + s)⟩ of each phase, e one pixel along each axis, s in the window.
    """

    fractions: Doubles
    two_point: Doubles
    chords: Doubles
    three_point: Doubles

    def __len__(self) -> int:
        return len(self.fractions)

    @property
    def mean_chords(self) -> Doubles:
        """Mean chord length (n, P, dim) in each image, in pixels; NaN without chords."""
        number = self.chords.sum(axis=-1)
        total = self.chords @ np.arange(self.chords.shape[-1])
        mean: Doubles = np.full(number.shape, np.nan)
        np.divide(total, number, out=mean, where=number > 0)
        return mean


def measure(
    images: ArrayLike,
    *,
    phases: int,
    periodic: bool = True,
    seam: bool = False,
    radius: int | None = None,
    threads: int | None = None,
) -> Measured:
    """Measure fractions, two- and three-point correlations and chord lengths of images.

    Parameters
    ----------
    images : (n, *shape) labels below `phases`
    phases : int
        P, their number.
    periodic : bool
        Whether the images repeat. If not, all averages are over what lies in the image.
    seam : bool
        Whether opposite sides do not fit: chords that the border cuts then do not count, even
        though correlations are periodic.
    radius : int, optional
        The vectors have no component beyond it; by default 20, or what a small image has.
    threads : int, optional

    Returns
    -------
    Measured

    Notes
    -----
    These three-point correlations are those of Section 5.1.1 of A. E. Robertson et al., Acta Mater.
    253 (2023) 118966, whose first vector is at most one pixel long.
    """
    labels = np.asarray(images)
    dim = labels.ndim - 1
    reach = min(_RADIUS if radius is None else radius, (min(labels.shape[1:]) - 2) // 2)
    names = range(phases)
    pairs = np.stack([_pairs(labels == p, reach, periodic, threads) for p in names], axis=1)
    chords = _chords(labels, phases, periodic and not seam, threads)
    fractions = volume_fractions(labels, phases=names, dim=dim)
    return Measured(fractions, pairs[:, :, 0], chords, pairs[:, :, 1:])


def _chords(labels: NDArray[Any], phases: int, periodic: bool, threads: int | None) -> Doubles:
    """Return numbers of chords (n, P, dim, L), without the bias of a border that cuts some."""
    dim = labels.ndim - 1
    found = chord_lengths(labels, phases=range(phases), periodic=periodic, dim=dim, threads=threads)
    counts: Doubles = found.counts.astype(np.float64)
    if not periodic:
        for axis, n in enumerate(labels.shape[1:]):
            places = np.maximum(n - 1 - np.arange(counts.shape[-1]), 1)
            counts[:, :, axis] *= n / places
    return counts


def _pairs(masks: NDArray[np.bool_], reach: int, periodic: bool, threads: int | None) -> Doubles:
    """Return S2, then the three-point correlations along each axis: (n, 1 + dim, *window)."""
    dim = masks.ndim - 1
    found = []
    for axis in (None, *range(1, dim + 1)):
        first, other = masks, masks
        if axis is not None and periodic:
            first = masks & np.roll(masks, -1, axis)
        elif axis is not None:
            before = tuple(slice(None, -1 if k == axis else None) for k in range(dim + 1))
            after = tuple(slice(1 if k == axis else None, None) for k in range(dim + 1))
            first, other = masks[before] & masks[after], masks[before]
        maps = two_point(first, other, dim=dim, periodic=periodic, threads=threads)
        found.append(_window(maps, other.shape[1:], reach, periodic))
    return np.stack(found, axis=1)


def _window(maps: Doubles, shape: tuple[int, ...], reach: int, periodic: bool) -> Doubles:
    """Cut maps (n, *map) to the vectors without components beyond `reach`."""
    steps = np.arange(-reach, reach + 1)
    places = [steps % n if periodic else steps + n - 1 for n in shape]
    box: tuple[Any, ...] = np.ix_(*places)
    return maps[(slice(None), *box)]


@dataclass(frozen=True)
class Comparison:
    """Ensembles beside a reference.

    Attributes
    ----------
    reference : Measured
        Of the reference, one image or several.
    ensembles : mapping of str to Measured
        By the name of what made them.
    """

    reference: Measured
    ensembles: Mapping[str, Measured]

    def two_point_errors(self, name: str) -> Doubles:
        """Root mean square of S2's difference to the reference (n, P) in each image."""
        found, wanted = self.ensembles[name].two_point, self.reference.two_point.mean(axis=0)
        return rms_difference(found, wanted, axes=wanted.ndim - 1)

    def mean_two_point_errors(self, name: str) -> Doubles:
        """Return the same (P,) of the mean over the images."""
        found, wanted = self.ensembles[name].two_point, self.reference.two_point.mean(axis=0)
        return rms_difference(found.mean(axis=0), wanted, axes=wanted.ndim - 1)

    def chord_errors(self, name: str, images: Sequence[int] | None = None) -> Doubles:
        """Total variation (P, dim) of the chord lengths of all images from the reference's."""
        counts = self.ensembles[name].chords
        pooled = (counts if images is None else counts[list(images)]).sum(axis=0)
        return total_variation(pooled, self.reference.chords.sum(axis=0))

    def components(self, phase: int) -> PrincipalComponents:
        """Principal components of the three-point correlations of a phase in all ensembles.

        Their scores are in the order of the ensembles. The reference takes no part, see
        `reference_scores`.
        """
        values = np.concatenate([found.three_point[:, phase] for found in self.ensembles.values()])
        return principal_components(values, count=min(_COMPONENTS, len(values) - 1))

    def reference_scores(self, phase: int, components: PrincipalComponents) -> Doubles:
        """Scores (n, K) of the reference."""
        return components.transform(self.reference.three_point[:, phase])

    def component_distances(self, phase: int, count: int = 3) -> dict[str, float]:
        """Distance of the reference from each ensemble's mean, in its own standard deviations.

        The Mahalanobis distance in the plane (or space) of the first `count` components, divided by
        its root mean square for a member of the ensemble, √count.
        """
        components = self.components(phase)
        count = min(count, components.scores.shape[1])
        wanted = self.reference_scores(phase, components)[:, :count].mean(axis=0)
        distances, first = {}, 0
        for name, found in self.ensembles.items():
            scores = components.scores[first : first + len(found), :count]
            first += len(found)
            if len(scores) <= count:
                distances[name] = float("nan")
                continue
            spread = np.cov(scores.T).reshape(count, count)
            away = wanted - scores.mean(axis=0)
            squared = float(away @ np.linalg.pinv(spread) @ away)
            distances[name] = float(np.sqrt(squared / count))
        return distances


def of(ensemble: Ensemble, images: int, threads: int | None) -> Comparison:
    """Compare an ensemble; see `Ensemble.comparison`."""
    if not ensemble.references:
        raise ValueError("the ensemble has no reference image; give statistics=image")
    if not len(ensemble):
        raise ValueError("the ensemble has no image")
    count = check_integer("images", images, 1)
    options: dict[str, Any] = {"phases": ensemble.phases, "threads": threads}
    sides = [min(x.shape) for x in (ensemble.images[0], *ensemble.references)]
    options["radius"] = min(_RADIUS, (min(sides) - 2) // 2)
    found = {}
    if ensemble.fields is not None:
        found["Gaussian field"] = measure(ensemble.fields[:count], **options)
    found["generated"] = measure(ensemble.images[:count], **options)
    # Micrographs do not repeat, even where their correlations were taken as if they did.
    options |= {"periodic": ensemble.periodic, "seam": True}
    wanted = [measure(x[None], **options) for x in ensemble.references]
    return Comparison(joined(wanted), found)


def joined(parts: Sequence[Measured]) -> Measured:
    """Return the statistics of images that were measured one by one, of any sizes."""
    if len(parts) == 1:
        return parts[0]
    longest = max(part.chords.shape[-1] for part in parts)
    chords = [
        np.pad(part.chords, [(0, 0)] * 3 + [(0, longest - part.chords.shape[-1])]) for part in parts
    ]
    fractions, pairs, triples = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("fractions", "two_point", "three_point")
    )
    return Measured(fractions, pairs, np.concatenate(chords), triples)
