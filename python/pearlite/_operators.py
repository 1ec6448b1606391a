"""Torch operators over the compiled kernels: ``torch.ops.pearlite.*``.

Their bodies are the calls that numpy arrays go through, with the same checks. They have shape
functions, so that torch can compile what calls them, and run under vmap. They have no derivatives:
`pearlite.autograd` puts these on top. Called directly they raise in backward, but `torch.func.jvp`
takes them for constants, as it does all operators of this kind.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pearlite import (
    _arrays,
    _card_cells,
    _core,
    _corrector_card,
    _cuda,
    _gradient,
    _gradient_card,
    _threads,
    corrector,
)


@torch.library.custom_op("pearlite::solve_correctors", mutates_args=())
def solve_correctors(
    pixels: Tensor,  # (..., n0, n1[, 2, 2]), or labels
    phases: Tensor | None,  # (..., P[, 2, 2])
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
    if _cuda.on_card(pixels):
        return _solved_on_card(pixels, phases, tensor, spacing, 2, options, fields, gradients)
    table = None if phases is None else _array("phases", phases)
    cells = _arrays.cells(_array("conductivity", pixels), table, 2, tensor, spacing)
    solution = corrector._solve(cells, options, fields, gradients)
    parts = [getattr(solution, name) for name in solution.__dataclass_fields__]
    return tuple(torch.from_numpy(part) for part in parts)


@solve_correctors.register_fake
def _(
    pixels: Tensor,
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
    axes = _arrays.check_axes(pixels, tensor and phases is None)
    values = pixels if phases is None else phases
    batch = axes[:-2] if phases is None else _batch(pixels, phases, tensor)
    return empty_solution(values, batch, axes[-2:], fields)


def empty_solution(
    values: Tensor, batch: Sequence[int], shape: Sequence[int], fields: bool
) -> tuple[Tensor, ...]:
    """Return tensors like the parts of `pearlite.Correctors` of conductivities of this type."""
    dim = len(shape)
    dtype = values.dtype if values.dtype.is_floating_point else torch.float64
    field = (dim, *shape) if fields else (0,)
    return (
        values.new_empty((*batch, dim, dim), dtype=dtype),
        values.new_empty((*batch, *field), dtype=dtype),
        values.new_empty(batch, dtype=torch.int32),
        values.new_empty(batch, dtype=torch.float64),
        values.new_empty(batch, dtype=torch.bool),
    )


@torch.library.custom_op("pearlite::phase_indices", mutates_args=())
def phase_indices(
    labels: Tensor, phases: Tensor, tensor: bool, threads: int | None
) -> Tensor:  # (..., n0, n1), `...` the batch axes of both
    """Return labels that torch can index with, once they and the phases are checked."""
    if _cuda.on_card(labels):
        with _cuda.stream_of(labels):
            checked = _on_card(labels, phases, tensor, None)
            _card_cells.inspect(checked)
            indices = checked.pixels.astype(np.int64)
            return cast(Tensor, _cuda.to_torch(indices.reshape(*checked.batch, *checked.shape)))
    cells = _arrays.cells(_array("conductivity", labels), _array("phases", phases), 2, tensor, None)
    count = _threads.count(threads)
    if _core.inspect(cells.pixels, cells.phases, cells.tensor, count) is not None:
        _arrays.raise_defect(cells, count)
    return _unpacked(cells.pixels.astype(np.int64), cells.batch)


@phase_indices.register_fake
def _(labels: Tensor, phases: Tensor, tensor: bool, threads: int | None) -> Tensor:
    batch = _batch(labels, phases, tensor)
    return labels.new_empty((*batch, *labels.shape[-2:]), dtype=torch.int64)


def _batch(labels: Tensor, phases: Tensor, tensor: bool) -> Sequence[int]:
    """Return the common batch axes."""
    own = _arrays.check_axes(labels, tensor=False)[:-2]
    return torch.broadcast_shapes(own, _arrays.check_phases(phases, own, tensor))


@torch.library.custom_op("pearlite::pull_back", mutates_args=())
def pull_back(
    correctors: Tensor,  # (..., 2, n0, n1)
    change: Tensor | None,  # like correctors
    cotangent: Tensor,  # (..., 2, 2)
    tensor: bool,
    spacing: Sequence[float] | None,
    threads: int | None,
) -> Tensor:  # (..., n0, n1[, 2, 2])
    """Return the gradient of Σ G_ij A*_ij in the pixels, or its change with the correctors."""
    if _cuda.on_card(correctors):
        with _cuda.stream_of(correctors):
            others = _arrays_on_card(correctors, (change, 3), (cotangent.double(), 2))
            return _from_card(_gradient_card.pull_back, others, correctors, tensor, spacing)
    fields, batch, kernel = _fields(correctors, tensor, spacing, threads)
    moved = None if change is None else _packed(change, 3)
    weights = _packed(cotangent, 2).astype(np.float64)
    return _unpacked(_core.pull_back(fields, moved, weights, *kernel), batch)


@pull_back.register_fake
def _(
    correctors: Tensor, change: Any, cotangent: Any, tensor: bool, spacing: Any, threads: Any
) -> Tensor:
    axes = (*correctors.shape[:-3], *correctors.shape[-2:])
    return correctors.new_empty((*axes, 2, 2) if tensor else axes)


@torch.library.custom_op("pearlite::push_forward", mutates_args=())
def push_forward(
    correctors: Tensor,  # (..., 2, n0, n1)
    direction: Tensor,  # (..., n0, n1[, 2, 2])
    tensor: bool,
    spacing: Sequence[float] | None,
    threads: int | None,
) -> Tensor:  # (..., 2, 2)
    """Return the derivative of A* along a direction of the pixels."""
    if _cuda.on_card(correctors):
        with _cuda.stream_of(correctors):
            arrays = _arrays_on_card(correctors, (direction, 4 if tensor else 2))
            found = _from_card(_gradient_card.push_forward, arrays, correctors, tensor, spacing)
            return found.to(correctors.dtype)
    fields, batch, kernel = _fields(correctors, tensor, spacing, threads)
    moved = _packed(direction, 4 if tensor else 2)
    change = _core.push_forward(fields, moved, *kernel)
    return _unpacked(change.astype(fields.dtype, copy=False), batch)


@push_forward.register_fake
def _(correctors: Tensor, direction: Tensor, tensor: bool, spacing: Any, threads: Any) -> Tensor:
    return correctors.new_empty((*correctors.shape[:-3], 2, 2))


@torch.library.custom_op("pearlite::direction_loads", mutates_args=())
def direction_loads(
    correctors: Tensor,  # (..., 2, n0, n1)
    direction: Tensor,  # (..., n0, n1[, 2, 2])
    tensor: bool,
    spacing: Sequence[float] | None,
    threads: int | None,
) -> Tensor:  # like correctors
    """Return the loads whose solution is the change of the correctors along a direction."""
    if _cuda.on_card(correctors):
        with _cuda.stream_of(correctors):
            arrays = _arrays_on_card(correctors, (direction, 4 if tensor else 2))
            return _from_card(_gradient_card.direction_loads, arrays, correctors, tensor, spacing)
    fields, batch, kernel = _fields(correctors, tensor, spacing, threads)
    moved = _packed(direction, 4 if tensor else 2)
    return _unpacked(_core.direction_loads(fields, moved, *kernel), batch)


@direction_loads.register_fake
def _(correctors: Tensor, direction: Tensor, tensor: bool, spacing: Any, threads: Any) -> Tensor:
    return correctors.new_empty(correctors.shape)


@torch.library.custom_op("pearlite::solve_loads", mutates_args=())
def solve_loads(
    pixels: Tensor,  # (..., n0, n1[, 2, 2])
    loads: Tensor,  # (..., 2, n0, n1)
    tensor: bool,
    spacing: Sequence[float] | None,
    rtol: float,
    threads: int | None,
    on_failure: str,
    gradient_rtol: float,
) -> Tensor:  # like loads
    """Solve for other loads than unit mean gradients, as well as a gradient needs it."""
    options = corrector._options(rtol, threads, on_failure, gradient_rtol)  # type: ignore[arg-type]
    if _cuda.on_card(pixels):
        with _cuda.stream_of(pixels):
            checked = _on_card(pixels, None, tensor, spacing)
            given = _cuda.from_torch(loads.contiguous()).reshape(-1, *loads.shape[-3:])
            found = _corrector_card.solve_loads(checked, given, options)
            return cast(Tensor, _cuda.to_torch(found.reshape(*loads.shape)))
    cells = _arrays.cells(_array("conductivity", pixels), None, 2, tensor, spacing)
    change = _gradient.solve_loads(cells, _packed(loads, 3), options)
    return _unpacked(change, cells.batch)


@solve_loads.register_fake
def _(
    pixels: Tensor,
    loads: Tensor,
    tensor: bool,
    spacing: Any,
    rtol: float,
    threads: int | None,
    on_failure: str,
    gradient_rtol: float,
) -> Tensor:
    return loads.new_empty(loads.shape)


def _map(operator: Any) -> None:
    """Let vmap run an operator, all of whose tensors have the same batch axes, on one more axis."""

    def rule(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Tensor, int]:
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        dims = tuple(d for arg, d in zip(args, in_dims, strict=True) if isinstance(arg, Tensor))
        moved = iter(leading(info, dims, *tensors))
        return operator(*(next(moved) if isinstance(arg, Tensor) else arg for arg in args)), 0

    operator.register_vmap(rule)


for _operator in (pull_back, push_forward, direction_loads, solve_loads):
    _map(_operator)


@phase_indices.register_vmap
def _(
    info: Any, in_dims: tuple[Any, ...], labels: Tensor, phases: Tensor, tensor: bool, threads: Any
) -> tuple[Tensor, int]:
    pair = together(info, in_dims, labels, phases, tensor)
    return phase_indices(*pair, tensor, threads), 0


def together(
    info: Any, in_dims: tuple[Any, ...], labels: Tensor, phases: Tensor, tensor: bool
) -> tuple[Tensor, Tensor]:
    """Give labels and phases the axis of vmap and then common batch axes, as these broadcast."""
    first, second = leading(info, in_dims, labels, phases)
    entry = 3 if tensor else 1
    batch = torch.broadcast_shapes(first.shape[1:-2], second.shape[1:-entry])
    return _spread(first, batch, 2), _spread(second, batch, entry)


def leading(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> list[Tensor]:
    """Give all tensors the axis that vmap maps over as their first one."""
    return [
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(tensors, in_dims, strict=False)
    ]


def _spread(tensor: Tensor, batch: Sequence[int], entry: int) -> Tensor:
    """Broadcast the batch axes, those between the first axis and the last `entry` ones."""
    size, last = tensor.shape[0], tensor.shape[tensor.ndim - entry :]
    missing = 1 + len(batch) + entry - tensor.ndim
    padded = tensor.reshape(size, *(1,) * missing, *tensor.shape[1:])
    return padded.expand(size, *batch, *last)


def as_tensor(name: str, value: Any, *, cards: bool = False) -> Tensor:
    """Return a tensor whose device, layout and dtype numpy knows, or cupy if `cards`."""
    if not isinstance(value, Tensor):
        return torch.from_numpy(np.array(_arrays.as_numpy(name, value)))
    if value.device.type not in ("cpu", "meta", *(("cuda",) if cards else ())):
        raise ValueError(
            f"{name} is on device {value.device}; "
            "this has no kernel for CUDA yet, expected a tensor on the CPU"
        )
    if value.layout != torch.strided:
        raise TypeError(f"{name} has layout {value.layout}; expected torch.strided")
    if value.dtype in (torch.float16, torch.bfloat16):
        raise TypeError(f"{name} has dtype {value.dtype}; expected float32 or float64")
    return value


def same_device(first: Tensor, second: Tensor, names: tuple[str, str] = ("x", "score")) -> None:
    """Raise unless two tensors are on one device."""
    if first.device != second.device:
        raise ValueError(
            f"{names[1]} is on {second.device}; expected {first.device}, that of {names[0]}"
        )


def _on_card(
    pixels: Tensor,
    phases: Tensor | None,
    tensor: bool,
    spacing: Sequence[float] | None,
    dim: int = 2,
) -> _arrays.Cells:
    """Return the checked cells that share the memory of tensors on a card."""
    table = None if phases is None else phases.detach().cpu().numpy()
    return _card_cells.cells(_cuda.from_torch(pixels), table, dim, tensor, spacing)


def _solved_on_card(
    pixels: Tensor,
    phases: Tensor | None,
    tensor: bool,
    spacing: Sequence[float] | None,
    dim: int,
    options: corrector._Options,
    fields: bool,
    gradients: bool,
) -> Any:
    """Return what `pearlite.Correctors` has, of tensors on a card."""
    with _cuda.stream_of(pixels):
        cells = _on_card(pixels, phases, tensor, spacing, dim)
        found = _corrector_card.solve(cells, options, fields, gradients)
        return tuple(_cuda.to_torch(getattr(found, n)) for n in found.__dataclass_fields__)


def _arrays_on_card(
    correctors: Tensor, *others: tuple[Tensor | None, int], dim: int = 2
) -> list[Any]:
    """Return contiguous arrays, of correctors first, with one batch axis before the last ones."""
    found: list[Any] = []
    for tensor, entry in ((correctors, dim + 1), *others):
        if tensor is None:
            found.append(None)
            continue
        shape = tensor.shape[tensor.ndim - entry :]
        found.append(_cuda.from_torch(tensor.contiguous()).reshape(-1, *shape))
    return found


def _from_card(
    function: Any,
    arrays: list[Any],
    correctors: Tensor,
    tensor: bool,
    spacing: Sequence[float] | None,
) -> Tensor:
    """Return what a kernel finds, with the batch axes of the correctors."""
    sizes = _arrays.pixel_sizes(spacing, correctors.shape[-2:])
    found = function(*arrays, tensor, sizes)
    return cast(Tensor, _cuda.to_torch(found.reshape(*correctors.shape[:-3], *found.shape[1:])))


def _array(name: str, tensor: Tensor) -> _arrays.Array:
    """Return the numpy array that shares the memory of a tensor."""
    array: _arrays.Array = as_tensor(name, tensor).detach().resolve_conj().resolve_neg().numpy()
    return array


def _packed(tensor: Tensor, entry: int) -> Any:
    """Return a contiguous array with one batch axis before the last `entry` ones."""
    array = _array("a derivative", tensor)
    return _arrays.packed(array, (-1, *array.shape[array.ndim - entry :]))


def _unpacked(array: Any, batch: Sequence[int]) -> Tensor:
    return torch.from_numpy(array.reshape(*batch, *array.shape[1:]))


def _fields(
    correctors: Tensor, tensor: bool, spacing: Sequence[float] | None, threads: int | None
) -> tuple[Any, Sequence[int], tuple[bool, tuple[float, ...], int]]:
    """Return packed correctors, their batch axes and what else a kernel takes."""
    sizes = _arrays.pixel_sizes(spacing, correctors.shape[-2:])
    kernel = tensor, sizes, _threads.count(threads)
    return _packed(correctors, 3), correctors.shape[:-3], kernel
