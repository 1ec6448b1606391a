"""All statistics of one microstructure, or of an ensemble, at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite.correlation import two_point
from pearlite.statistics._chords import ChordLengths, LinealPath, chord_lengths, lineal_path
from pearlite.statistics._connected import (
    Connectivity,
    components,
    percolates,
    two_point_cluster,
    valid_pairs,
)
from pearlite.statistics._labels import Labelled, labelled, pixel_sizes
from pearlite.statistics._maps import Profile, RadialAverage, directional_profile, radial_average
from pearlite.statistics._points import volume_fractions
from pearlite.statistics._surface import interface_area, surface_area

Doubles = NDArray[np.float64]

_MOST_PHASES = 16  # each two of them have a map


@dataclass(frozen=True)
class Characterization:
    """Statistics of one microstructure, or of each of a batch; see the function of each name.

    Attributes
    ----------
    images : (..., *shape) uint8 array
        Places of the labels in `phases`; P where a label is none of them.
    phases : tuple of int
        Labels of the phases; P of them.
    spacing : (dim,) float64 array
        Size of a pixel: the unit of all lengths.
    periodic : bool
        Whether the images repeat.
    connectivity : str
        What connects pixels, in all that concerns components.
    fractions : (..., P) float64 array
        Volume fractions.
    surface : (..., P) float64 array
        Surface of each phase per volume.
    interfaces : (..., P, P) float64 array
        Surface between each two phases per volume.
    percolates : (..., P, dim) array of bool
        Whether a phase connects opposite sides.
    clusters : (..., P) int64 array
        Number of connected components.
    largest_cluster : (..., P) float64 array
        Share of the pixels of a phase that its largest component has; NaN of a phase not there.
    two_point : (..., P, P, *map) float64 array
        Correlations of each two phases.
    radial : RadialAverage
        Of these: values (..., P, P, B).
    profiles : tuple of Profile
        These along each axis: values (..., P, P, R).
    cluster_radial : RadialAverage
        Of the two-point cluster functions: values (..., P, B).
    lineal_path : LinealPath
        Along each axis: values (..., P, dim, R).
    chords : ChordLengths
        Along each axis: counts (..., P, dim, L).
    """

    images: NDArray[np.uint8]
    phases: tuple[int, ...]
    spacing: Doubles
    periodic: bool
    connectivity: Connectivity
    fractions: Doubles
    surface: Doubles
    interfaces: Doubles
    percolates: NDArray[np.bool_]
    clusters: NDArray[np.int64]
    largest_cluster: Doubles
    two_point: Doubles
    radial: RadialAverage
    profiles: tuple[Profile, ...]
    cluster_radial: RadialAverage
    lineal_path: LinealPath
    chords: ChordLengths

    @property
    def dim(self) -> int:
        """Number of axes of an image."""
        return len(self.spacing)

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of an image along each axis."""
        return self.images.shape[self.images.ndim - self.dim :]

    def columns(self) -> dict[str, list[Any]]:
        """Return the numbers of each phase of each image as columns of a table.

        A row for each phase of each image, in C order: `image` counts the images, and names that
        end in a number belong to that axis.
        """
        count = len(self.phases)
        images = self.fractions.size // max(count, 1)
        table: dict[str, list[Any]] = {
            "image": np.repeat(np.arange(images), count).tolist(),
            "phase": list(self.phases) * images,
            "fraction": self.fractions.ravel().tolist(),
            "surface_area": self.surface.ravel().tolist(),
        }
        for axis in range(self.dim):
            table[f"mean_chord_{axis}"] = self.chords.mean[..., axis].ravel().tolist()
        for axis in range(self.dim):
            table[f"percolates_{axis}"] = self.percolates[..., axis].ravel().tolist()
        table["clusters"] = self.clusters.ravel().tolist()
        table["largest_cluster"] = self.largest_cluster.ravel().tolist()
        return table

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as named arrays, for `numpy.savez`."""
        named: dict[str, NDArray[Any]] = {
            "phases": np.array(self.phases),
            "spacing": self.spacing,
            "periodic": np.array(self.periodic),
        }
        for name in (
            "fractions", "surface", "interfaces", "percolates", "clusters", "largest_cluster",
            "two_point",
        ):  # fmt: skip
            named[name] = getattr(self, name)
        named["radial_distance"], named["radial"] = self.radial.distance, self.radial.values
        named["cluster_radial"] = self.cluster_radial.values  # of the same distances
        for axis, profile in enumerate(self.profiles):
            named[f"distance_{axis}"], named[f"two_point_{axis}"] = profile.distance, profile.values
        named["lineal_path_distance"] = self.lineal_path.distance
        named["lineal_path"] = self.lineal_path.values
        named["chord_lengths"], named["chord_counts"] = self.chords.lengths, self.chords.counts
        named["chords_cut"], named["chords_around"] = self.chords.cut, self.chords.around
        return named

    def report(self, path: str | os.PathLike[str], *, title: str = "Microstructure") -> None:
        """Write one self-contained HTML page with pictures, curves, numbers and definitions.

        Parameters
        ----------
        path : str or path
            Where it goes; it appears whole or not at all.
        title : str
            Heading of the page.

        Raises
        ------
        FileError
            If it cannot be written, or matplotlib is missing.
        """
        from pearlite.statistics import _page

        _page.page(self, title).write(path)


def characterize(
    labels: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    connectivity: Connectivity = "faces",
    dim: int = 2,
    threads: int | None = None,
) -> Characterization:
    """Return all statistics of one microstructure, or of each of a batch.

    Parameters
    ----------
    labels : (..., *shape) array
        Integers or booleans, at least 2 along each axis.
    phases : sequence of int, optional
        Labels of the phases that matter, at most 16; by default all that there are.
    periodic : bool
        Whether the images repeat; otherwise means are over what the border leaves.
    spacing : float or one per axis, optional
        Physical size of a pixel; without it lengths are in pixels.
    connectivity : {"faces", "edges", "corners"}
        What pixels of a component share at least.
    dim : {2, 3}
        Number of axes of an image.
    threads : int, optional
        By default all cores that this process may use.

    Returns
    -------
    Characterization
        With a `report`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> image = pl.microstructures.thresholded_noise(1, (64, 64), length=3, seed=1)[0]
    >>> found = pl.statistics.characterize(image)
    >>> found.fractions
    array([0.5, 0.5])
    >>> list(found.columns())[:4]
    ['image', 'phase', 'fraction', 'surface_area']
    """
    dim = _arrays.check_dimension(dim)
    periodic = _arrays.flag("periodic", periodic)
    found = labelled(labels, phases, dim)
    if not 1 <= len(found.phases) <= _MOST_PHASES:
        raise ValueError(
            f"labels has {len(found.phases)} phases; expected 1 to {_MOST_PHASES}, "
            "or phases=[...] to name those that matter"
        )
    numbered = found.numbered()
    images = numbered.reshape(*found.batch, *found.shape)
    sizes = pixel_sizes(spacing, dim)
    places = range(len(found.phases))
    lines: dict[str, Any] = {"phases": places, "spacing": sizes.tolist(), "threads": threads}
    lines |= {"periodic": periodic, "dim": dim}
    maps: dict[str, Any] = {"periodic": periodic, "spacing": sizes.tolist(), "dim": dim}
    counts = two_point(
        images, phases=places, periodic=periodic, dim=dim, threads=threads, counts=True
    )
    matrix = counts / valid_pairs(found.shape, periodic)
    connected = _connected(found, numbered, connectivity, periodic, threads)
    radial = radial_average(matrix, **maps)
    axes = np.eye(dim, dtype=np.int64)
    return Characterization(
        images=images,
        phases=found.phases,
        spacing=sizes,
        periodic=periodic,
        connectivity=connectivity,
        fractions=volume_fractions(images, places, dim=dim),
        surface=surface_area(images, **lines),
        interfaces=interface_area(images, **lines),
        percolates=connected.percolates,
        clusters=connected.counts,
        largest_cluster=connected.largest,
        two_point=matrix,
        radial=radial,
        profiles=tuple(directional_profile(matrix, axis, **maps) for axis in axes),
        cluster_radial=radial_average(connected.two_point_cluster, **maps),
        lineal_path=_renamed(lineal_path(images, **lines), found.phases),
        chords=_renamed(chord_lengths(images, **lines), found.phases),
    )


def _renamed(result: Any, phases: tuple[int, ...]) -> Any:
    """Give the phases of a result, which are places here, their own names."""
    from dataclasses import replace

    return replace(result, phases=phases)


@dataclass(frozen=True)
class _Connected:
    percolates: NDArray[np.bool_]  # (..., P, dim)
    counts: NDArray[np.int64]  # (..., P)
    largest: Doubles  # (..., P)
    two_point_cluster: Doubles  # (..., P, *map)


def _connected(
    found: Labelled,
    images: NDArray[np.uint8],  # (count, *shape)
    connectivity: Connectivity,
    periodic: bool,
    threads: int | None,
) -> _Connected:
    """Find what concerns components, phase by phase."""
    options: dict[str, Any] = {"connectivity": connectivity, "periodic": periodic}
    options |= {"dim": found.dim, "threads": threads}
    around, counts, largest, maps = [], [], [], []
    for place in range(len(found.phases)):
        mask = images == place
        around.append(percolates(mask, **options))
        labels, number = components(mask, **options)
        counts.append(number)
        largest.append([_largest_share(image) for image in labels])
        maps.append(two_point_cluster(mask, **options))
    batch = found.batch
    stacked = [np.stack([np.asarray(x) for x in parts], 1) for parts in (around, counts, largest)]
    percolating, numbers, shares = (x.reshape(*batch, *x.shape[1:]) for x in stacked)
    clusters = np.stack(maps, 1)
    return _Connected(percolating, numbers, shares, clusters.reshape(*batch, *clusters.shape[1:]))


def _largest_share(image: NDArray[np.int32]) -> float:
    sizes = np.bincount(image.ravel())[1:]
    return float(sizes.max() / sizes.sum()) if len(sizes) else np.nan
