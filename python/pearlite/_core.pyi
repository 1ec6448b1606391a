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
_Labels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]

def solve_correctors(
    pixels: _Pixels,  # (batch, n0, n1[, 2, 2])
    phases: NDArray[np.float64] | None,  # ([batch,] phase_count[, 2, 2])
    tensor: bool,
    spacing: tuple[float, ...],
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
def coarse_grids(
    rows: int, cols: int
) -> list[tuple[int, int, int, int]]: ...  # rows, columns, and the gaps of the next grid's points
def voxel_grids(
    sides: tuple[int, ...], g: tuple[float, ...]
) -> list[
    tuple[tuple[int, int, int], list[float]]
]: ...  # sides, and (8,): the largest eigenvalue of a voxel, couplings
def smoother_step(steps: int, step: int) -> float: ...
def inspect(
    pixels: _Pixels, phases: NDArray[np.float64] | None, tensor: bool, threads: int
) -> tuple[str, bool, int, int] | None: ...  # defect, in_phases, cell, flat pixel or phase
def instruction_set() -> str: ...
def solve_loads(
    pixels: _Floats,  # (batch, n0, n1[, 2, 2])
    tensor: bool,
    spacing: tuple[float, ...],
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
    spacing: tuple[float, ...],
    threads: int,
) -> _Floats: ...  # (batch, n0, n1[, 2, 2])
def pull_back_voxels(
    correctors: _Floats,  # (batch, 3, n0, n1, n2)
    cotangent: NDArray[np.float64],  # (batch, 3, 3)
    tensor: bool,
    spacing: tuple[float, ...],
    threads: int,
) -> _Floats: ...  # (batch, n0, n1, n2[, 3, 3])
def push_forward(
    correctors: _Floats,
    direction: _Floats,  # (batch, n0, n1[, 2, 2])
    tensor: bool,
    spacing: tuple[float, ...],
    threads: int,
) -> NDArray[np.float64]: ...  # (batch, 2, 2)
def direction_loads(
    correctors: _Floats,
    direction: _Floats,
    tensor: bool,
    spacing: tuple[float, ...],
    threads: int,
) -> _Floats: ...  # (batch, 2, n0, n1)
def gaussian_fields(
    amplitudes: NDArray[np.float32],  # (rows, channels, 1 or 2, n0, m, n)
    means: NDArray[np.float32],  # (channels,)
    complement: bool,
    seed: int,
    first: int,
    count: int,
    threads: int,
) -> NDArray[np.float32]: ...  # (count, channels [+ 1], n0, m, n)
def largest(
    fields: NDArray[np.float32],  # (count, turns, size)
    phases: NDArray[np.uint8],  # (turns + 1,)
    numbers: NDArray[np.int64],  # (turns,)
    threads: int,
) -> NDArray[np.uint8]: ...  # (count, size)
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

class Annealer:
    def __init__(
        self, labels: NDArray[np.int32], target: NDArray[np.int64], first: int
    ) -> None: ...
    def run(
        self,
        proposals: int,
        temperature: float,
        cooling: float,
        seed: int,
        sample: int,
        first: int,
    ) -> tuple[int, int, int]: ...
    def labels(self) -> NDArray[np.int32]: ...
    @property
    def energy(self) -> int: ...
    @property
    def wrong(self) -> int: ...

def bispectrum(transform: NDArray[Any], threads: int) -> NDArray[Any]: ...
def bispectrum_loss(
    transform: NDArray[Any], target: NDArray[Any], threads: int
) -> tuple[float, NDArray[np.float64]]: ...
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
def cell_volumes(
    labels: _Labels,  # (batch, *shape), each in [0, count)
    count: int,
    threads: int,
) -> NDArray[np.int64]: ...  # (batch, count), in pixels
def cell_moments(
    labels: _Labels, count: int, periodic: bool, threads: int
) -> tuple[
    NDArray[np.int64],  # volumes (batch, count), in pixels
    NDArray[np.float64],  # centroids (batch, count, d), in pixels
    NDArray[np.float64],  # inertias (batch, count, d), in pixels²
]: ...
def cell_contacts(
    labels: _Labels,
    centres: NDArray[np.float64],  # (batch, count, d), in pixels
    periodic: bool,
    threads: int,
) -> tuple[
    NDArray[np.int64],  # starts (batch + 1,)
    NDArray[np.int32],  # pairs (M, 2)
    NDArray[np.int64],  # offsets (M, d)
    NDArray[np.int64],  # faces (M, d)
    NDArray[np.int64],  # balance (M, d)
]: ...
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
def kernel_loss(
    field: _Floats,  # (channels, n0, m, n)
    spectra: _Floats,  # (references, channels, full)
    weights: _Floats | None,  # (full)
    mean: list[float],  # (channels)
    power: list[float],  # (3), the factors of C², C³ and C⁴
    scale: float,
    gradient: bool,
    threads: int,
    workspace: NDArray[np.uint8],
) -> tuple[float, float, int, _Floats | None]: ...

# Projected L-BFGS: vectors of n numbers, memories (slots, n); order: the slots that count.
def lbfgs_products(
    x: _Floats,
    gradient: _Floats,
    old_x: _Floats | None,
    old_gradient: _Floats | None,
    steps: _Floats,
    changes: _Floats,
    slot: int,  # which takes the new pair
    order: list[int],
    lower: float | _Floats,  # for all unknowns, or for each
    upper: float | _Floats,
    threads: int,
) -> tuple[
    float,  # the largest free |g|
    float,  # s · y
    float,  # y · y
    list[float],  # s_i · g
    list[float],  # y_i · g
    list[float],  # s_i · y
    list[float],  # y_i · y
    list[float],  # y_i · s
]: ...
def lbfgs_step(
    x: _Floats,
    gradient: _Floats,
    steps: _Floats,
    changes: _Floats,
    order: list[int],
    of_step: list[float],
    of_change: list[float],
    of_gradient: float,
    lower: float | _Floats,  # for all unknowns, or for each
    upper: float | _Floats,
    direction: _Floats,  # out
    point: _Floats,  # out
    threads: int,
) -> tuple[float, float]: ...  # g · direction, g · (point − x)
def descriptor(
    field: _Floats,  # (n0, n1, n2)
    vectors: NDArray[np.int64],  # (K, 3)
    form: str,
    steepness: float,
    gram: _Floats,  # (K, K), written
    threads: int,
) -> _Floats: ...  # means (K,)
def descriptor_gradient(
    field: _Floats,  # (n0, n1, n2)
    vectors: NDArray[np.int64],  # (K, 3)
    form: str,
    steepness: float,
    gram_cotangent: _Floats,  # (K, K), symmetric
    means_cotangent: _Floats,  # (K,)
    threads: int,
) -> _Floats: ...  # (n0, n1, n2)
def descriptor_threshold(steepness: float) -> tuple[float, float]: ...  # scale, shift
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

# Sliced Wasserstein distances; weights sum to 1.
def sort_projections(
    x: NDArray[np.float64],  # (d, N)
    weights: NDArray[np.float64] | None,  # (N,)
    theta: NDArray[np.float64],  # (L, d)
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]: ...  # sorted, levels (L, N)
def rank_targets(
    sorted: NDArray[np.float64],  # (L, M)
    levels: NDArray[np.float64] | None,
    samples: int,  # N
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...  # ranked (L, N), spread (L,)
def sliced_distance(
    x: NDArray[np.float64],  # (d, N)
    weights: NDArray[np.float64] | None,
    theta: NDArray[np.float64],  # (L, d)
    sorted: NDArray[np.float64],  # (L, M)
    levels: NDArray[np.float64] | None,
    ranked: NDArray[np.float64] | None,  # (L, N)
    order: int,
    gradient: bool,
    jacobian: NDArray[np.float64] | None,  # (N, d, P)
    bins: int,
    threads: int,
) -> tuple[
    NDArray[np.float64],  # W_p^p (L,), less the spread
    NDArray[np.float64] | None,  # gradient (d, N)
    NDArray[np.float64] | None,  # JᵀJ (L, P, P)
]: ...
def pair_sums(
    x: NDArray[np.float64],  # (d, N)
    y: NDArray[np.float64],  # (d, M)
    weights: NDArray[np.float64],  # (M,)
    bandwidth: float,  # of exp(−r²/2h²), or 0 for r
    later: bool,  # only pairs j > i
    gradient: bool,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]: ...  # sums (N,), gradient (d, N)

# Langevin steps: arrays of images may have any strides.
def langevin_step(
    x: _Floats,  # (batch, channels, *shape + 2 padding), in place
    score: _Floats,  # like x
    step_size: NDArray[np.float64],  # (batch,)
    volume_fraction: NDArray[np.float64] | None,  # (batch, channels)
    sigma: NDArray[np.float64],  # (batch,)
    padding: list[int],
    noise: float,
    lower: float,
    upper: float,
    seed: int,
    step: int,
    sample: NDArray[np.uint64],  # (batch,)
    threads: int,
) -> NDArray[np.int64]: ...  # (batch, phases)
def count_phases(
    x: _Floats, padding: list[int], threads: int
) -> NDArray[np.int64]: ...  # (batch, phases)
def normals(
    sample: NDArray[np.uint64],  # (samples,)
    count: int,
    seed: int,
    step: int,
    stream: int,
    float64: bool,
    threads: int,
) -> _Floats: ...  # (samples, count)
def philox(
    counters: NDArray[np.uint32],  # (N, 4)
    keys: NDArray[np.uint32],  # (N, 2)
) -> NDArray[np.uint32]: ...  # (N, 4)

class ScoreNetwork:
    def __init__(
        self,
        inputs: int,
        channels: int,
        levels: int,
        tensors: list[list[NDArray[np.float32]]],  # of each layer weight, bias, α, γ, β, slope
    ) -> None: ...
    def score(
        self,
        image: NDArray[np.float32],  # (batch, inputs, n0, n1)
        sigma: NDArray[np.float32],  # (batch,)
        periodic: bool,
        threads: int,
        score: NDArray[np.float32],  # (batch, inputs, n0, n1)
    ) -> None: ...

def norm_forward(
    x: NDArray[np.float32],  # (batch, pixels, channels)
    parameters: NDArray[np.float32],  # (4, channels): alpha, gamma, beta, slope
    y: NDArray[np.float32],  # like x, written
    moments: NDArray[np.float32],  # (batch, 2, channels), written
    threads: int,
) -> None: ...
def norm_backward(
    x: NDArray[np.float32],  # (batch, pixels, channels)
    parameters: NDArray[np.float32],  # (4, channels)
    moments: NDArray[np.float32],  # (batch, 2, channels)
    dy: NDArray[np.float32],  # like x
    dx: NDArray[np.float32],  # like x, written
    gradients: NDArray[np.float32],  # (batch, 4, channels), written
    threads: int,
) -> None: ...
