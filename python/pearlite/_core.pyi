from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Pixels: TypeAlias = (
    NDArray[np.float32]
    | NDArray[np.float64]
    | NDArray[np.uint8]
    | NDArray[np.uint16]
    | NDArray[np.int32]
)
_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

def solve_correctors(
    pixels: _Pixels,  # (batch, n0, n1[, 2, 2])
    phases: NDArray[np.float64] | None,  # ([batch,] phase_count[, 2, 2])
    tensor: bool,
    spacing: tuple[float, float],
    rtol: float,
    threads: int,
    max_iterations: int,
    correctors_dtype: np.dtype[np.float32] | np.dtype[np.float64] | None,
    corrector_rtol: float = 1.0,
) -> (
    tuple[
        NDArray[np.float64],  # effective (batch, 2, 2)
        _Floats | None,  # correctors (batch, 2, n0, n1)
        NDArray[np.int32],  # iterations (batch,)
        NDArray[np.float64],  # residual (batch,)
        NDArray[np.bool_],  # converged (batch,)
    ]
    | None
): ...  # None: `inspect` finds a defect
def inspect(
    pixels: _Pixels, phases: NDArray[np.float64] | None, tensor: bool, threads: int
) -> tuple[str, bool, int, int] | None: ...  # defect, in_phases, cell, flat pixel or phase
def instruction_set() -> str: ...
def windings(
    mask: NDArray[np.uint8],  # (batch, *shape)
    reach: int,
    threads: int,
) -> NDArray[np.bool_]: ...  # (batch, dim): whether a component winds around each axis
def components(
    mask: NDArray[np.uint8],  # (batch, *shape)
    reach: int,
    periodic: bool,
    threads: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...  # labels (batch, *shape), counts (batch,)
def cluster_pairs(
    clusters: NDArray[np.int32],  # (batch, *shape), from 1 to most, 0 for none
    most: int,
    largest: int,
    periodic: bool,
    threads: int,
) -> NDArray[np.int64]: ...  # (batch, *map)
def chords(
    labels: NDArray[np.uint8],  # (batch, *shape)
    places: NDArray[np.uint8],  # (256,): the number of a label's phase, or `phases` for none
    phases: int,
    directions: NDArray[np.int64],  # (D, dim)
    periodic: bool,
    threads: int,
) -> tuple[
    NDArray[np.int64],  # whole chords (batch, D, phases, bins)
    NDArray[np.int64],  # cut chords (batch, D, phases, bins)
    NDArray[np.int64],  # pixels of closed lines (batch, D, phases)
]: ...
def interface_counts(
    labels: NDArray[np.uint8],  # (batch, *shape)
    places: NDArray[np.uint8],  # (256,): the number of a label's phase, or `phases` for none
    phases: int,
    vectors: NDArray[np.int64],  # (V, dim)
    periodic: bool,
    threads: int,
) -> NDArray[np.int64]: ...  # (batch, V, phases + 1, phases + 1)
def solve_loads(
    pixels: _Floats,  # (batch, n0, n1[, 2, 2])
    tensor: bool,
    spacing: tuple[float, float],
    loads: _Floats,  # (batch, 2, n0, n1), of the dtype of pixels
    corrector_rtol: float,
    threads: int,
    max_iterations: int,
) -> tuple[_Floats, NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]] | None: ...
def pull_back(
    correctors: _Floats,  # (batch, 2, n0, n1)
    change: _Floats | None,  # like correctors
    cotangent: NDArray[np.float64],  # (batch, 2, 2)
    tensor: bool,
    spacing: tuple[float, float],
    threads: int,
) -> _Floats: ...  # (batch, n0, n1[, 2, 2])
def push_forward(
    correctors: _Floats,
    direction: _Floats,  # (batch, n0, n1[, 2, 2])
    tensor: bool,
    spacing: tuple[float, float],
    threads: int,
) -> NDArray[np.float64]: ...  # (batch, 2, 2)
def direction_loads(
    correctors: _Floats,
    direction: _Floats,
    tensor: bool,
    spacing: tuple[float, float],
    threads: int,
) -> _Floats: ...  # (batch, 2, n0, n1)
def two_point(
    fields: list[NDArray[Any]],
    phases: list[int],
    pairs: list[tuple[int, int]],
    shape: tuple[int, ...],
    means: bool,
    scale: float,
    float64: bool,
    threads: int,
) -> NDArray[Any]: ...
def good_size(n: int) -> int: ...
