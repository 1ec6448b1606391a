"""Two-point correlations of torch tensors: ``torch.ops.pearlite.two_point`` and its derivatives.

The derivative of a correlation is one with the cotangent, so that there are as many as one likes.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function

from pearlite import _arrays, _cuda
from pearlite._operators import as_tensor, leading, same_device
from pearlite.correlation import _two_point


@torch.library.custom_op("pearlite::two_point", mutates_args=())
def periodic_means(field: Tensor, other: Tensor, dim: int, threads: int | None) -> Tensor:
    """Return the means (..., n0, n1[, n2]) of two fields of the same shape."""
    same = field.data_ptr() == other.data_ptr() and field.stride() == other.stride()
    if _cuda.on_card(field):
        with _cuda.stream_of(field):
            arrays = _cuda.from_torch(field), None if same else _cuda.from_torch(other)
            found = _two_point.two_point(*arrays, dim=dim, threads=threads)
            return cast(Tensor, _cuda.to_torch(found))
    first, second = (tensor.detach().numpy() for tensor in (field, other))
    means = _two_point.two_point(first, None if same else second, dim=dim, threads=threads)
    return torch.from_numpy(means)


@periodic_means.register_fake
def _(field: Tensor, other: Tensor, dim: int, threads: int | None) -> Tensor:
    return field.new_empty(field.shape)


@periodic_means.register_vmap
def _(info: Any, in_dims: Any, field: Tensor, other: Tensor, dim: int, threads: Any) -> Any:
    first, second = leading(info, in_dims[:2], field, other)
    return periodic_means(first, second, dim, threads), 0


class _Correlate(Function):
    """S(r) = ⟨M(x) M'(x + r)⟩ of periodic fields."""

    @staticmethod
    def forward(field: Tensor, other: Tensor, dim: int, threads: int | None) -> Tensor:
        return periodic_means(field, other, dim, threads)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], inputs[1])
        ctx.dim, ctx.threads = inputs[2:]

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        (cotangent,) = cotangents
        field, other = ctx.saved_tensors
        first = second = None
        if ctx.needs_input_grad[0]:  # ⟨G(r) M'(x + r)⟩ over r
            first = _Correlate.apply(cotangent, other, ctx.dim, ctx.threads)
        if ctx.needs_input_grad[1]:  # ⟨G(r) M(x − r)⟩ over r
            axes = tuple(range(-ctx.dim, 0))
            opposite = cotangent.flip(axes).roll((1,) * ctx.dim, axes)
            second = _Correlate.apply(opposite, field, ctx.dim, ctx.threads)
        return first, second, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, field: Any, other: Any, dim: int, threads: Any) -> Any:
        first, second = leading(info, in_dims[:2], field, other)
        return _Correlate.apply(first, second, dim, threads), 0


def two_point(
    field: Any,
    other: Any,
    dim: int,
    phases: Any,
    periodic: bool,
    mask: Any,
    counts: bool,
    threads: int | None,
) -> Tensor:
    """Return what `pearlite.correlation.two_point` does, as a tensor."""
    tensors = [as_tensor("field", field, cards=True)]
    if other is not None:
        tensors.append(as_tensor("other", other, cards=True))
    known = None if mask is None else as_tensor("mask", mask, cards=True)
    for name, tensor in (("other", tensors[-1]), ("mask", known)):
        if tensor is not None:
            same_device(tensors[0], tensor, ("field", name))
    floats = all(tensor.is_floating_point() for tensor in tensors)
    if not floats or phases is not None or counts:
        options = {"dim": dim, "phases": phases, "periodic": periodic, "counts": counts}
        return _without_gradient(tensors, known, options | {"threads": threads})
    return _differentiable(tensors, dim, periodic, known, threads)


def _without_gradient(
    tensors: list[Tensor], known: Tensor | None, options: dict[str, Any]
) -> Tensor:
    """Correlate labels, or count."""
    plain = [tensor.detach().resolve_neg() for tensor in tensors]
    if _cuda.on_card(plain[0]):
        with _cuda.stream_of(plain[0]):
            mask = None if known is None else _cuda.from_torch(known)
            arrays = [_cuda.from_torch(tensor) for tensor in plain]
            return cast(Tensor, _cuda.to_torch(_two_point.two_point(*arrays, mask=mask, **options)))
    valid = None if known is None else known.numpy()
    arrays = [tensor.numpy() for tensor in plain]
    return torch.from_numpy(_two_point.two_point(*arrays, mask=valid, **options))


def _differentiable(
    tensors: list[Tensor], dim: int, periodic: bool, known: Tensor | None, threads: int | None
) -> Tensor:
    """Compose the general case of torch's own operations and periodic means."""
    _arrays.check_dimension(dim)
    _two_point.check_same(tensors, dim)
    fields = torch.broadcast_tensors(*tensors)
    shape, axes = fields[0].shape[-dim:], tuple(range(-dim, 0))
    if periodic and known is None:
        means: Tensor = _Correlate.apply(fields[0], fields[-1], dim, threads)
        return means
    valid = known
    if valid is None:
        valid = torch.ones(shape, dtype=torch.bool, device=fields[0].device)
    masked = [field * valid for field in fields]
    if not periodic:
        width = [end for n in reversed(shape) for end in (0, n)]
        masked = [torch.nn.functional.pad(field, width) for field in masked]
    sums = _Correlate.apply(masked[0], masked[-1], dim, threads)
    sums = sums * math.prod(masked[0].shape[-dim:])
    if not periodic:  # shifts −n … n − 1, of which the first has no overlap
        sums = sums.roll(tuple(shape), axes)[(..., *(slice(1, None) for _ in shape))]
    options = {"dim": dim, "periodic": periodic, "counts": True, "threads": threads}
    counted = _without_gradient([valid], None, options).to(sums.dtype)
    return torch.where(counted > 0, sums / counted.clamp(min=1), torch.nan)
