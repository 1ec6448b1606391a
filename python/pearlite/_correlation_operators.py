"""The kernel loss of torch tensors: ``torch.ops.pearlite.kernel_loss`` and its derivative.

The operator gives loss and gradient together, as the kernel does; `kernel_loss` lets torch
differentiate the loss. A second derivative raises.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from pearlite import _cuda, _threads
from pearlite._operators import as_tensor
from pearlite.correlation import _kernel_card, _kernel_loss
from pearlite.correlation._kernel_evaluation import Prepared
from pearlite.correlation._kernel_target import KernelTarget


@torch.library.custom_op("pearlite::kernel_loss", mutates_args=())
def evaluate(
    field: Tensor,  # (..., [P,] n0, n1[, n2])
    spectra: Tensor,  # (R, P, full), as `KernelTarget` has them; on a card (R, P, *half, 2)
    weights: Tensor | None,  # (full); on a card (*half)
    mean: Sequence[float],
    power: Sequence[float],
    scale: float,
    constant: float,
    shape: Sequence[int],  # of a field
    gradient: bool,
    threads: int | None,
) -> tuple[Tensor, Tensor]:
    """Return losses (...) and gradients like `field`, empty unless asked for."""
    if _cuda.on_card(field):
        numbers = _kernel_card.Numbers(mean, power, scale, constant)
        return _on_card(field, spectra, weights, numbers, shape, gradient)
    prepared = Prepared(
        spectra.numpy(), None if weights is None else weights.numpy(), list(mean), list(power),
        scale, constant, _volume(shape, len(mean)),
    )  # fmt: skip
    count = _threads.count(threads)
    fields = np.ascontiguousarray(field.detach().numpy()).reshape(-1, *shape)
    workspace = prepared.workspace(count)
    found = [prepared.evaluate(u, count, workspace, gradient) for u in fields]
    batch = field.shape[: field.ndim - len(shape)]
    losses = torch.tensor([one.loss for one in found], dtype=torch.float64).reshape(batch)
    if not gradient:
        return losses, field.new_empty(0)
    slopes = np.stack([one.gradient for one in found if one.gradient is not None])
    return losses, torch.from_numpy(slopes).reshape(field.shape)


def _on_card(
    field: Tensor,
    spectra: Tensor,
    weights: Tensor | None,
    numbers: _kernel_card.Numbers,
    shape: Sequence[int],
    gradient: bool,
) -> tuple[Tensor, Tensor]:
    """Do the same for tensors on a card."""
    batch = field.shape[: field.ndim - len(shape)]
    channels = len(numbers.mean)
    with _cuda.stream_of(field):
        fields = _cuda.from_torch(field.contiguous())
        fields = fields.reshape(-1, channels, *shape[-(spectra.ndim - 3) :])
        own = None if weights is None else _cuda.from_torch(weights)
        target = _kernel_card.Spectra(_cuda.from_torch(torch.view_as_complex(spectra)), own)
        losses, slopes = _kernel_card.evaluate(fields, target, numbers, gradient)
        found = _cuda.to_torch(losses.reshape(batch))
        if not gradient:
            return found, field.new_empty(0)
        return found, _cuda.to_torch(slopes.reshape(field.shape))


@evaluate.register_fake
def _(field: Tensor, spectra: Tensor, weights: Any, mean: Any, power: Any, scale: float,
      constant: float, shape: Sequence[int], gradient: bool, threads: Any) -> Any:  # fmt: skip
    batch = field.shape[: field.ndim - len(shape)]
    slopes = field.new_empty(field.shape if gradient else (0,))
    return field.new_empty(batch, dtype=torch.float64), slopes


@evaluate.register_vmap
def _(info: Any, in_dims: Any, field: Tensor, spectra: Tensor, *others: Any) -> Any:
    if in_dims[1] is not None:
        raise NotImplementedError("kernel_loss maps over fields only, not over targets")
    losses, slopes = evaluate(field.movedim(in_dims[0], 0), spectra, *others)
    return (losses, slopes), (0, 0 if slopes.ndim > 1 else None)


def _volume(shape: Sequence[int], channels: int) -> tuple[int, int, int]:
    """Return (n0, m, n) of a field's shape."""
    n0, *middle, n = shape if channels == 1 else shape[1:]
    return n0, middle[0] if middle else 1, n


class _Loss(Function):
    """Losses, and their gradients to be saved."""

    generate_vmap_rule = True

    @staticmethod
    def forward(field: Tensor, *target: Any) -> Any:
        return evaluate(field, *target)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.mark_non_differentiable(output[1])
        ctx.count = len(inputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        field, slope = ctx.saved_tensors
        cotangent = cotangents[0].to(slope.dtype)
        wide = cotangent.reshape(*cotangent.shape, *(1,) * (slope.ndim - cotangent.ndim))
        return (Once.apply(field, slope) * wide, *(None,) * (ctx.count - 1))


class Once(Function):
    """A gradient, which must not be taken for a constant."""

    generate_vmap_rule = True

    @staticmethod
    def forward(field: Tensor, slope: Tensor) -> Any:
        return slope.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        raise NotImplementedError("this loss can be differentiated once, not twice")


def kernel_loss(field: Any, reference: Any, orders: Any, weights: Any, threads: Any) -> Tensor:
    """Return differentiable losses; see `pearlite.correlation.kernel_loss`."""
    tensor = as_tensor("field", field, cards=True)
    dtype = np.dtype(str(tensor.dtype).removeprefix("torch."))
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"field has dtype {tensor.dtype}; expected float32 or float64")
    target = _kernel_loss.as_target(reference, orders, weights, dtype)
    batch = _kernel_loss.check_field(tuple(tensor.shape), dtype, target)
    prepared = target.prepared
    asked = torch.is_grad_enabled() and tensor.requires_grad
    losses, _ = _Loss.apply(
        tensor, *_spectra(tensor, target),
        prepared.mean, prepared.power, prepared.scale, prepared.constant, list(target.field_shape),
        asked, None if threads is None else _threads.count(threads),
    )  # fmt: skip
    assert losses.shape == batch or math.prod(batch) > 0
    return losses


def _spectra(tensor: Tensor, target: KernelTarget) -> tuple[Tensor, Tensor | None]:
    """Return a target's spectra and filter as the operator takes them of such a tensor."""
    if not _cuda.on_card(tensor):
        own = target.prepared.weights
        filtered = None if own is None else torch.from_numpy(own)
        return torch.from_numpy(target.prepared.spectra), filtered
    with _cuda.stream_of(tensor) as cupy:
        found = _kernel_card.spectra(target, cupy.cuda.Device().id)
        weights = None if found.weights is None else _cuda.to_torch(found.weights)
        return torch.view_as_real(_cuda.to_torch(found.references)), weights
