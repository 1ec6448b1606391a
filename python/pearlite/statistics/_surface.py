"""Areas of the interfaces between phases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _threads
from pearlite.statistics._labels import labelled, pixel_sizes

Doubles = NDArray[np.float64]
Method = Literal["crofton", "faces"]


def surface_area(
    labels: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    method: Method = "crofton",
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    dim: int = 2,
    threads: int | None = None,
) -> Doubles:
    """Return the area of each phase's surface per volume of the image; in 2D, length per area.

    Parameters
    ----------
    labels : (..., *shape) array
        Integers or booleans, at least 2 along each axis.
    phases : sequence of int, optional
        Labels of the phases that matter, at most 255; by default all that there are. A surface is
        that against all else, whether it is listed or not.
    method : {"crofton", "faces"}
        "crofton": the mean over 4 directions of lines in 2D, 13 in 3D, of how often a line meets
        the surface (see Notes). Exact in the limit of fine pixels where it has all directions;
        too small by what is narrower than a step, and by 5 % for layers normal to an axis.
        "faces": the area of the pixels' faces that part the phase from others. Exact where the
        surface consists of such faces; too large by 4/π in 2D and by 3/2 in 3D where it is a smooth
        one of all directions, however fine the pixels.
    periodic : bool
        Whether the image repeats, with interfaces across its border.
    spacing : float or one per axis, optional
        Physical size of a pixel; without it lengths are in pixels.
    dim : {2, 3}
        Number of axes of an image.
    threads : int, optional
        By default all cores that this process may use.

    Returns
    -------
    (..., P) float64 array
        In units of 1/length.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    interface_area : between each two phases.

    Notes
    -----
    With p(d) the share of the pairs x, x + d one of which is in the phase, that is p(d) = 2(φ −
    S2(d)), a line in direction d meets the surface p(d)/|d| times per length. By Cauchy and Crofton
    the surface is c times its mean over directions, c = π/2 in 2D and c = 2 in 3D; in an isotropic
    medium this is −π dS2/dr and −4 dS2/dr at r = 0 (P. Debye, H. R. Anderson and H. Brumberger,
    J. Appl. Phys. 28, 679 (1957)). The mean is over the steps to all neighbours, across corners
    too, each weighted by the angle, or solid angle, that is nearer to it than to the others, with
    `spacing` taken into account (J. Ohser and F. Mücklich, *Statistical Analysis of
    Microstructures in Materials Science* (2000), ch. 4).

    Examples
    --------
    Layers normal to an axis are where the two methods differ most:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> layers = np.tile([[0], [0], [1], [1]], (1, 4))
    >>> pl.statistics.surface_area(layers, method="faces")
    array([0.5, 0.5])
    >>> pl.statistics.surface_area(layers).round(4)
    array([0.474, 0.474])
    """
    pairs = _differing(labels, phases, method, periodic, spacing, dim, threads)
    own = np.eye(pairs.shape[-1], dtype=bool)
    area: Doubles = np.where(own, 0, pairs).sum(axis=-1)[..., :-1]
    return area


def interface_area(
    labels: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    method: Method = "crofton",
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    dim: int = 2,
    threads: int | None = None,
) -> Doubles:
    """Return the area of the interface between each two phases per volume of the image.

    Parameters
    ----------
    labels, phases, method, periodic, spacing, dim, threads
        As for `surface_area`.

    Returns
    -------
    (..., P, P) float64 array
        Symmetric, in units of 1/length; 0 on the diagonal. Where `phases` lists all there are, the
        rows sum to `surface_area`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> pl.statistics.interface_area([[0, 0, 1, 2]] * 4, method="faces")
    array([[0.  , 0.25, 0.25],
           [0.25, 0.  , 0.25],
           [0.25, 0.25, 0.  ]])
    """
    pairs = _differing(labels, phases, method, periodic, spacing, dim, threads)[..., :-1, :-1]
    area: Doubles = np.where(np.eye(pairs.shape[-1], dtype=bool), 0, pairs)
    return area


def _differing(
    labels: ArrayLike,
    phases: Sequence[int] | None,
    method: Method,
    periodic: bool,
    spacing: float | Sequence[float] | None,
    dim: int,
    threads: int | None,
) -> Doubles:
    """Return areas (..., P + 1, P + 1) between phases; the last stands for all that is not listed.

    What is on the diagonal means nothing.
    """
    _arrays.check_choice("method", method, ("crofton", "faces"))
    periodic = _arrays.flag("periodic", periodic)
    dim = _arrays.check_dimension(dim)
    images = labelled(labels, phases, dim)
    sizes = pixel_sizes(spacing, dim)
    if method == "faces":
        steps = np.eye(dim, dtype=np.int64)
        weights = 1 / sizes
    else:
        steps = half_neighbours(dim)
        weights = (np.pi / 2 if dim == 2 else 2.0) * solid_angles(steps, sizes)
        weights /= np.linalg.norm(steps * sizes, axis=1)
    counts = _core.interface_counts(
        images.images, images.places, len(images.phases), steps, periodic, _threads.count(threads)
    )
    within = np.array(images.shape) - (0 if periodic else np.abs(steps))
    number = within.astype(np.float64).prod(axis=-1) * np.ones(len(steps))
    shares = (counts + counts.swapaxes(-1, -2)) / number[:, None, None]
    areas: Doubles = np.einsum("bvij,v->bij", shares, weights)
    return areas.reshape(*images.batch, *areas.shape[-2:])


def half_neighbours(dim: int) -> NDArray[np.int64]:
    """Return one of each pair of opposite steps to a neighbour: (4, 2) or (13, 3)."""
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=dim)), np.int64)
    return np.ascontiguousarray(steps[len(steps) // 2 + 1 :])


def solid_angles(steps: NDArray[np.int64], sizes: Doubles) -> Doubles:
    """Return the share (V,) of all directions that are nearest to each of the steps, or −step."""
    from scipy.spatial import SphericalVoronoi

    units = steps * sizes
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    if units.shape[1] == 2:
        angles = np.arctan2(units[:, 1], units[:, 0]) % np.pi
        order = np.argsort(angles)
        gaps = np.diff(angles[order], append=angles[order[0]] + np.pi)
        shares = np.empty(len(steps))
        shares[order] = (gaps + np.roll(gaps, 1)) / (2 * np.pi)
        return shares
    cells = SphericalVoronoi(np.concatenate([units, -units]))
    areas: Doubles = cells.calculate_areas().reshape(2, -1).sum(axis=0) / (4 * np.pi)
    return areas
