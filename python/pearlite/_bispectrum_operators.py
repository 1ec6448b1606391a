"""Bispectra of torch tensors: ``torch.ops.pearlite.bispectrum_loss`` and its derivative.

The bodies are the calls that arrays go through. A second derivative raises.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from pearlite import _cuda, _threads
from pearlite._correlation_operators import Once
from pearlite._operators import as_tensor, same_device
from pearlite.correlation import _bispectrum


@torch.library.custom_op("pearlite::bispectrum_loss", mutates_args=())
def evaluate(field: Tensor, target: Tensor, threads: int | None) -> tuple[Tensor, Tensor]:
    """Return the loss () in float64 and its gradient like `field`."""
    if _cuda.on_card(field):
        with _cuda.stream_of(field):
            arrays = _cuda.from_torch(field), _cuda.from_torch(target)
            found = _bispectrum.bispectrum_loss_with_gradient(*arrays, threads=threads)
            return _cuda.to_torch(found[0]), _cuda.to_torch(found[1])
    plain = _array(field), _array(target)
    loss, gradient = _bispectrum.bispectrum_loss_with_gradient(*plain, threads=threads)
    return torch.tensor(loss, dtype=torch.float64), torch.from_numpy(gradient)


@evaluate.register_fake
def _(field: Tensor, target: Tensor, threads: int | None) -> tuple[Tensor, Tensor]:
    slope = torch.empty_like(field, memory_format=torch.contiguous_format)
    return field.new_empty((), dtype=torch.float64), slope


class _Loss(Function):
    """The loss, and its gradient to be saved."""

    @staticmethod
    def forward(field: Tensor, target: Tensor, threads: int | None) -> Any:
        return evaluate(field, target, threads)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        field, slope = ctx.saved_tensors
        return Once.apply(field, slope) * cotangents[0].to(slope.dtype), None, None


def bispectrum(field: Any, threads: int | None) -> Tensor:
    """Return a bispectrum without derivatives."""
    tensor = as_tensor("field", field, cards=True)
    if _cuda.on_card(tensor):
        with _cuda.stream_of(tensor):
            return _cuda.to_torch(_bispectrum.bispectrum(_cuda.from_torch(tensor), threads=threads))
    return torch.from_numpy(_bispectrum.bispectrum(_array(tensor), threads=threads))


def bispectrum_loss(field: Any, target: Any, threads: int | None) -> Tensor:
    """Return a loss that can be differentiated; see `pearlite.correlation.bispectrum_loss`."""
    tensors = as_tensor("field", field, cards=True), as_tensor("target", target, cards=True)
    same_device(*tensors, ("field", "target"))
    if tensors[1].requires_grad:
        raise ValueError("target requires a gradient; expected a tensor that does not")
    return _Loss.apply(*tensors, None if threads is None else _threads.count(threads))[0]


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = tensor.detach().resolve_conj().resolve_neg().numpy()
    return array
