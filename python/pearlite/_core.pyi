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
    mask: NDArray[np.uint8],  # (batch, n0, n1)
    corners: bool,
) -> NDArray[np.int64]: ...  # (batch, 3): rank, and the winding vector of rank 1
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

# The kernel identity; volumes are (n0, m, n).
def kernel_spectra(
    fields: _Floats,  # (references, channels, n0, m, n)
    mean: list[float],  # (channels)
) -> _Floats: ...  # (references, channels, full)
def kernel_workspace(
    shape: tuple[int, int, int], channels: int, references: int, threads: int, float64: bool
) -> int: ...
def kernel_loss(
    field: _Floats,  # (channels, n0, m, n)
    spectra: _Floats,  # (references, channels, full)
    filter: _Floats | None,  # (full)
    mean: list[float],  # (channels)
    power: list[float],  # (3), the factors of C², C³ and C⁴
    scale: float,
    gradient: bool,
    threads: int,
    workspace: NDArray[np.uint8],
) -> tuple[float, float, int, _Floats | None]: ...
def descend_sliced(
    field: NDArray[np.float32],  # (channels, n0, n1, n2), in place
    velocity: NDArray[np.float32],  # like field, in place
    exemplars: list[list[NDArray[np.float32]]],  # by axis: (channels, m0, m1)
    axes: list[int],  # (steps)
    weights: NDArray[np.float32],  # (steps, filters, channels, side, side)
    rate: float,
    momentum: float,
    threads: int,
) -> NDArray[np.float64]: ...  # (steps)
def swap_labels(
    labels: NDArray[np.uint8],  # (n0, n1, n2), in place
    gradient: NDArray[np.float32],  # (phases, n0, n1, n2)
    chord_target: NDArray[np.float32],  # (3 phases, bins)
    chord_weight: NDArray[np.float32],
    pattern_target: NDArray[np.float32],  # (patterns, phases^cells)
    pattern_weight: NDArray[np.float32],
    offsets: NDArray[np.int32],  # (patterns, cells, 3)
    proposals: int,
    enough: float,
    temperature: float,
    seed: int,
    round: int,
) -> tuple[int, float, float, float]: ...  # accepted, gradient change, energies
