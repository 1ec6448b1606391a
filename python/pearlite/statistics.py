"""Statistics of microstructures."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core

Connectivity = Literal["corners", "edges"]


def percolates(
    labels: ArrayLike, phase: int | None = None, *, connectivity: Connectivity = "corners"
) -> NDArray[np.bool_]:
    """Tell whether a phase of a periodic microstructure is connected with itself around the cell.

    A phase percolates along an axis if one of its connected components, repeated periodically,
    reaches from a cell to the next one along that axis. Where everything else is a void, these are
    the axes along which the cell conducts; where the phase is a perfect conductor, those along
    which the cell does so perfectly.

    Parameters
    ----------
    labels : (..., n0, n1) array
        Labels of phases; or booleans, and then `phase` is not needed. n0 and n1 are at least 2.
    phase : int, optional
        The label asked for.
    connectivity : {"corners", "edges"}
        Whether pixels that touch at a corner only are connected. In the finite elements of
        `pearlite.homogenize` they are (they share a node), and conduct there at any resolution;
        in the continuum a single point does not conduct.

    Returns
    -------
    (..., 2) array of bool
        For each axis.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Union-find over the pixels of the torus, in which each pixel knows how often its path to the
    root crosses the edges of the cell: J. Machta et al., Phys. Rev. E 54, 1332 (1996).

    Examples
    --------
    A layer normal to axis 0 percolates along axis 1 only, and a diagonal of single pixels along
    both, if corners count.

    >>> import numpy as np
    >>> import pearlite as pl
    >>> layer = np.zeros((4, 4), dtype=np.uint8)
    >>> layer[1] = 1
    >>> pl.statistics.percolates(layer, 1)
    array([False,  True])
    >>> pl.statistics.percolates(np.eye(4, dtype=bool))
    array([ True,  True])
    >>> pl.statistics.percolates(np.eye(4, dtype=bool), connectivity="edges")
    array([False, False])
    """
    if connectivity not in ("corners", "edges"):
        raise ValueError(f"connectivity is {connectivity!r}; expected 'corners' or 'edges'")
    mask = _mask(labels, phase)
    cells = np.ascontiguousarray(mask, dtype=np.uint8).reshape(-1, *mask.shape[-2:])
    found = _core.windings(cells, connectivity == "corners")
    rank, winding = found[:, :1], found[:, 1:]
    around: NDArray[np.bool_] = (rank == 2) | ((rank == 1) & (winding != 0))
    return around.reshape(*mask.shape[:-2], 2)


def _mask(labels: ArrayLike, phase: int | None) -> NDArray[np.bool_]:
    """Return where the phase is, as booleans (..., n0, n1)."""
    array = _arrays.as_numpy("labels", labels)
    if array.dtype.kind not in "biu":
        raise TypeError(f"labels has dtype {array.dtype}; expected integers or booleans")
    if array.ndim < 2 or min(array.shape[-2:]) < 2:
        raise ValueError(
            f"labels has shape {array.shape}; expected (..., n0, n1) with n0, n1 at least 2"
        )
    if phase is None:
        if array.dtype.kind != "b":
            raise TypeError("phase is None; expected the label to look for, unless labels are bool")
        return array.astype(np.bool_, copy=False)
    if isinstance(phase, bool) or not isinstance(phase, int | np.integer):
        raise TypeError(f"phase is {phase!r}; expected an integer label")
    mask: NDArray[np.bool_] = array == phase
    return mask
