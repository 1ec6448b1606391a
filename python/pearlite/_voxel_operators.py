"""Torch operators for cells of voxels, `torch.ops.pearlite.*_voxels`; see `pearlite._operators`."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from pearlite import (
    _arrays,
    _core,
    _cuda,
    _gradient,
    _gradient_card,
    _threads,
    corrector,
)
from pearlite._operators import (
    _array,
    _arrays_on_card,
    _map,
    _on_card,
    _packed,
    _solved_on_card,
    _unpacked,
    empty_solution,
    leading,
)


@torch.library.custom_op("pearlite::solve_voxels", mutates_args=())
def solve_voxels(
    voxels: Tensor,  # (..., n0, n1, n2[, 3, 3]), or labels
    phases: Tensor | None,  # (..., P[, 3, 3])
    tensor: bool,
    spacing: Sequence[float] | None,
    rtol: float,
    threads: int | None,
    on_failure: str,
    gradient_rtol: float,
    gradients: bool,
    fields: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return what `pearlite.Correctors` has; without `fields` the correctors are empty."""
    options = corrector._options(rtol, threads, on_failure, gradient_rtol)  # type: ignore[arg-type]
    if _cuda.on_card(voxels):
        return _solved_on_card(voxels, phases, tensor, spacing, 3, options, fields, gradients)
    solution = corrector._solve(_cells(voxels, phases, tensor, spacing), options, fields, gradients)
    parts = [getattr(solution, name) for name in solution.__dataclass_fields__]
    return tuple(torch.from_numpy(part) for part in parts)


@solve_voxels.register_fake
def _(
    voxels: Tensor,
    phases: Tensor | None,
    tensor: bool,
    spacing: Any,
    rtol: float,
    threads: int | None,
    on_failure: str,
    gradient_rtol: float,
    gradients: bool,
    fields: bool,
) -> tuple[Tensor, ...]:
    values = voxels if phases is None else phases
    axes = _arrays.check_axes(voxels, tensor and phases is None, 3)
    return empty_solution(values, _batch(axes, phases, tensor), axes[-3:], fields)


@torch.library.custom_op("pearlite::pull_back_voxels", mutates_args=())
def pull_back_voxels(
    correctors: Tensor,  # (..., 3, n0, n1, n2)
    cotangent: Tensor,  # (..., 3, 3)
    tensor: bool,
    spacing: Sequence[float] | None,
    threads: int | None,
) -> Tensor:  # (..., n0, n1, n2[, 3, 3])
    """Return the gradient of Σ G_ij A*_ij in the voxels."""
    sizes = _arrays.pixel_sizes(spacing, correctors.shape[-3:])
    if _cuda.on_card(correctors):
        with _cuda.stream_of(correctors):
            arrays = _arrays_on_card(correctors, (cotangent.double(), 2), dim=3)
            found = _gradient_card.pull_back_voxels(arrays[0], arrays[1], tensor, sizes)
            axes = *correctors.shape[:-4], *found.shape[1:]
            return cast(Tensor, _cuda.to_torch(found.reshape(*axes)))
    weights = _packed(cotangent, 2).astype(float)
    gradient = _core.pull_back_voxels(
        _packed(correctors, 4), weights, tensor, sizes, _threads.count(threads)
    )
    return _unpacked(gradient, correctors.shape[:-4])


@pull_back_voxels.register_fake
def _(correctors: Tensor, cotangent: Any, tensor: bool, spacing: Any, threads: Any) -> Tensor:
    axes = (*correctors.shape[:-4], *correctors.shape[-3:])
    return correctors.new_empty((*axes, 3, 3) if tensor else axes)


@torch.library.custom_op("pearlite::sum_over_phases", mutates_args=())
def sum_over_phases(
    voxels: Tensor, labels: Tensor, phases: Tensor, tensor: bool
) -> Tensor:  # like phases
    """Return the sums of a gradient in the voxels over those of each label."""
    if _cuda.on_card(labels):
        with _cuda.stream_of(labels):
            cells = _on_card(labels, phases, tensor, None, 3)
            entry = (3, 3) if tensor else ()
            gradient = _cuda.from_torch(voxels.contiguous()).reshape(-1, *cells.shape, *entry)
            return cast(Tensor, _cuda.to_torch(_gradient_card.phase_sums(cells, gradient)))
    cells = _cells(labels, phases, tensor, None)
    return torch.from_numpy(_gradient._phase_sums(cells, _packed(voxels, 5 if tensor else 3)))


@sum_over_phases.register_fake
def _(voxels: Tensor, labels: Tensor, phases: Tensor, tensor: bool) -> Tensor:
    return phases.new_empty(phases.shape)


_map(pull_back_voxels)


def mapped(
    info: Any, in_dims: tuple[int | None, ...], voxels: Tensor, phases: Tensor | None, tensor: bool
) -> tuple[Tensor, Tensor | None]:
    """Give voxels and phases the axis of vmap, and batch axes of the same number."""
    if phases is None:
        return leading(info, in_dims, voxels)[0], None
    first, second = leading(info, in_dims, voxels, phases)
    missing = (first.ndim - 3) - (second.ndim - (3 if tensor else 1))
    first = first.reshape(first.shape[0], *(1,) * max(-missing, 0), *first.shape[1:])
    second = second.reshape(second.shape[0], *(1,) * max(missing, 0), *second.shape[1:])
    return first, second


def _cells(voxels: Tensor, phases: Tensor | None, tensor: bool, spacing: Any) -> _arrays.Cells:
    table = None if phases is None else _array("phases", phases)
    return _arrays.cells(_array("conductivity", voxels), table, 3, tensor, spacing)


def _batch(axes: tuple[int, ...], phases: Tensor | None, tensor: bool) -> Sequence[int]:
    own = axes[:-3]
    if phases is None:
        return own
    return torch.broadcast_shapes(own, _arrays.check_phases(phases, own, tensor, 3))
