"""InstanceNorm++ and PReLU in torch: one compiled pass for float32 on the CPU, else a formula.

The formula takes about twenty passes over memory, forward and backward, and these were more than
half of a training step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from pearlite import _core

EPSILON = 1e-5


def norm_prelu(x: Tensor, alpha: Tensor, gamma: Tensor, beta: Tensor, slope: Tensor) -> Tensor:
    """Return the PReLU of InstanceNorm++ of x (batch, channels, n0, n1[, n2]); see `Model`."""
    compiled = x.dtype == gamma.dtype == torch.float32 and x.device.type == "cpu"
    if compiled and not torch.compiler.is_compiling():
        result: Tensor = _NormPrelu.apply(x, torch.stack([alpha, gamma, beta, slope]))
        return result
    return formula(x, alpha, gamma, beta, slope)


def formula(x: Tensor, alpha: Tensor, gamma: Tensor, beta: Tensor, slope: Tensor) -> Tensor:
    """Return the same by torch's operations, for any dtype and device."""
    pixels = tuple(range(2, x.ndim))
    variance, mean = torch.var_mean(x, pixels, correction=0)  # (batch, channels)
    spread, middle = torch.var_mean(mean, 1, correction=1, keepdim=True)  # (batch, 1)
    shift = alpha * (mean - middle) * torch.rsqrt(spread + EPSILON)
    scale = gamma * torch.rsqrt(variance + EPSILON)
    # γ ((x − μ)/√(v + e) + shift) + β, with one multiplication and one addition a pixel.
    offset = gamma * shift + beta - scale * mean
    shape = (*mean.shape, *(1,) * len(pixels))
    normal = torch.addcmul(offset.view(shape), x, scale.view(shape))
    return functional.prelu(normal, slope)


class _NormPrelu(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, parameters: Tensor) -> Tensor:
        pixels = _pixels(x)
        out = torch.empty_like(pixels)
        moments = torch.empty(len(pixels), 2, pixels.shape[2])
        ctx.shape = _last(x).shape
        _core.norm_forward(
            pixels.numpy(), parameters.detach().numpy(), out.numpy(), moments.numpy(), _threads()
        )
        ctx.save_for_backward(pixels, parameters, moments)
        return out.view(ctx.shape).movedim(-1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor, Tensor]:
        pixels, parameters, moments = ctx.saved_tensors
        by_x = torch.empty_like(pixels)
        by_parameters = torch.empty(len(pixels), 4, pixels.shape[2])
        _core.norm_backward(
            pixels.numpy(),
            parameters.detach().numpy(),
            moments.numpy(),
            _pixels(cotangents[0]).numpy(),
            by_x.numpy(),
            by_parameters.numpy(),
            _threads(),
        )
        return by_x.view(ctx.shape).movedim(-1, 1), by_parameters.sum(0)


def _last(x: Tensor) -> Tensor:
    return x.detach().movedim(1, -1)


def _pixels(x: Tensor) -> Tensor:
    """Return (batch, pixels, channels), contiguous; no copy of what is channels-last already."""
    last = _last(x).contiguous()
    return last.view(len(last), -1, last.shape[-1])


def _threads() -> int:
    return int(torch.get_num_threads())
