from collections.abc import Sequence
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
def assign(
    sites: NDArray[np.float64],  # (batch, K, d), in [0, 1) if periodic
    weights: NDArray[np.float64],  # (batch, K)
    shape: tuple[int, ...],  # (d,)
    additive: bool,
    periodic: bool,
    label_bytes: int,  # 1, 2 or 4: uint8, uint16 or int32
    threads: int,
) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]: ...  # (batch, *shape)
def relax(
    sites: NDArray[np.float64],  # (batch, seeds, dim)
    weights: NDArray[np.float64],  # (batch, seeds)
    values: NDArray[np.float64],  # (batch, seeds)
    epsilon: NDArray[np.float64],  # (batch,)
    shape: Sequence[int],
    additive: bool,
    periodic: bool,
    float64: bool,
    threads: int,
) -> _Floats: ...  # (batch, *shape)
def relax_gradient(
    sites: NDArray[np.float64],
    weights: NDArray[np.float64],
    values: NDArray[np.float64],
    epsilon: NDArray[np.float64],
    cotangent: _Floats,  # (batch, *shape)
    shape: Sequence[int],
    additive: bool,
    periodic: bool,
    with_field: bool,
    threads: int,
) -> tuple[
    Any,  # the field (batch, *shape), like cotangent, or None
    NDArray[np.float64],  # gradients in sites,
    NDArray[np.float64],  # weights,
    NDArray[np.float64],  # values
    NDArray[np.float64],  # and epsilon
]: ...
