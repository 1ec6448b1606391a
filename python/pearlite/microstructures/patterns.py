"""Regular patterns, most of them with a closed-form effective conductivity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pearlite._arrays import check_choice
from pearlite._errors import brief
from pearlite.microstructures._draw import (
    MANY,
    check_fractions,
    check_integer,
    check_phases,
    check_shape,
)


def checkerboard(
    shape: Sequence[int],
    *,
    tiles: int | Sequence[int],
    phases: int | None = None,
    arrangement: Literal["diagonal", "corners"] = "diagonal",
) -> npt.NDArray[np.uint8]:
    """Lay a checkerboard of `tiles` by `tiles` fields, in 2D or 3D.

    Parameters
    ----------
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis. A pixel belongs to the tile that holds its centre, so tiles have
        equal areas where the size is a multiple of the number of tiles.
    tiles : int or one int per axis
        Tiles along each axis; a multiple of `phases` for "diagonal", of 2 for "corners", so that
        the pattern is periodic.
    phases : int, optional
        Number of phases; 2, the classical checkerboard, by default. For "corners" it can only be 4
        in 2D and 8 in 3D.
    arrangement : {"diagonal", "corners"}
        With "diagonal" phases cycle along each axis, and equal ones lie on diagonals. With
        "corners" two phases alternate along each axis, other ones in the next row, and all phases
        meet at each corner.

    Returns
    -------
    labels : (*shape) uint8

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> checkerboard((4, 4), tiles=2)
    array([[0, 0, 1, 1],
           [0, 0, 1, 1],
           [1, 1, 0, 0],
           [1, 1, 0, 0]], dtype=uint8)
    >>> checkerboard((4, 4), tiles=4, arrangement="corners")
    array([[0, 1, 0, 1],
           [2, 3, 2, 3],
           [0, 1, 0, 1],
           [2, 3, 2, 3]], dtype=uint8)
    """
    shape = check_shape(shape)
    check_choice("arrangement", arrangement, ("diagonal", "corners"))
    corners = arrangement == "corners"
    most = 2 ** len(shape)
    phases = check_phases((most if corners else 2) if phases is None else phases)
    if corners and phases != most:
        raise ValueError(f"phases is {phases}; expected {most} with arrangement='corners'")
    total = np.zeros(shape, np.int64)
    for axis, index in enumerate(_tile_indices(shape, tiles, 2 if corners else phases)):
        along = index.reshape([-1 if k == axis else 1 for k in range(len(shape))])
        total = 2 * total + along % 2 if corners else total + along
    return (total % phases).astype(np.uint8)


def _tile_indices(
    shape: tuple[int, ...], tiles: int | Sequence[int], period: int
) -> list[npt.NDArray[np.int64]]:
    """Return the numbers of the tiles that hold the pixels, along each axis."""
    if not isinstance(tiles, Sequence) or isinstance(tiles, str | bytes):
        tiles = [tiles] * len(shape)  # type: ignore[list-item]  # checked below
    if len(tiles) != len(shape):
        raise ValueError(f"tiles is {brief(tiles)}; expected one integer or {len(shape)}")
    for tile in tiles:
        if check_integer("tiles", tile, 1, MANY) % period:
            raise ValueError(
                f"tiles is {tile}; expected a multiple of {period} (phases, or 2 for corners)"
            )
    # Integers, not floats, decide which tile holds the centre (i+½)/n.
    return [(2 * np.arange(n) + 1) * tile // (2 * n) for n, tile in zip(shape, tiles, strict=True)]


def laminate(
    shape: Sequence[int],
    *,
    axis: int = 0,
    fractions: Sequence[float] = (0.5, 0.5),
    periods: int = 1,
) -> npt.NDArray[np.uint8]:
    """Stack flat layers of phases 0, 1, … along `axis`.

    The effective conductivity is the harmonic mean along `axis`, the arithmetic mean across it.

    Parameters
    ----------
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    axis : int
        The axis along which the phase changes.
    fractions : (P,) floats
        Thickness of each layer over that of the stack, met as far as pixel centres allow.
    periods : int
        How often the stack repeats within the cell.

    Returns
    -------
    labels : (*shape) uint8

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> laminate((2, 8), axis=1, fractions=(0.75, 0.25))
    array([[0, 0, 0, 0, 0, 0, 1, 1],
           [0, 0, 0, 0, 0, 0, 1, 1]], dtype=uint8)
    """
    shape = check_shape(shape)
    axis = check_integer("axis", axis, 0, len(shape) - 1)
    periods = check_integer("periods", periods, 1)
    bounds = np.cumsum(check_fractions(fractions))
    n = shape[axis]
    # Whole numbers, so that no number of periods rounds a centre into another layer.
    phase = (2 * np.arange(n) + 1) * (periods % (2 * n)) % (2 * n) / (2 * n)
    layer = np.searchsorted(bounds[:-1], phase, side="right").astype(np.uint8)
    column = layer.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return np.ascontiguousarray(np.broadcast_to(column, shape))
