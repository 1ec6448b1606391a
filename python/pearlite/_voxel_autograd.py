"""Torch tensors of voxels in and out of the compiled kernels, with first derivatives of A*."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from pearlite._operators import leading
from pearlite._voxel_operators import mapped, pull_back_voxels, solve_voxels, sum_over_phases

# tensor, spacing, rtol, threads, on_failure, gradient_rtol: `pearlite.autograd.Settings`
_Settings = tuple[Any, ...]
_SECOND = (
    "in three dimensions there are first derivatives of effective tensors only: "
    "none of correctors, and no second ones"
)


def solve(
    voxels: Tensor, phases: Tensor | None, settings: _Settings, exposed: bool
) -> tuple[Tensor, ...]:
    """Return the parts of `pearlite.Correctors`; without `exposed` correctors are empty or private.

    Parameters
    ----------
    voxels : (..., n0, n1, n2[, 3, 3]) tensor
        Conductivities, or labels (..., n0, n1, n2) if there are phases (..., P[, 3, 3]).
    settings : tuple
        tensor, spacing, rtol, threads, on_failure and gradient_rtol.
    exposed : bool
        Whether the caller wants the correctors.
    """
    asked = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (voxels, phases)
    )
    result: tuple[Tensor, ...] = _Solve.apply(voxels, phases, settings, exposed, asked)
    return result


class _Solve(Function):
    """Effective tensors, correctors, iterations, residual and converged of voxels."""

    @staticmethod
    def forward(
        voxels: Tensor, phases: Tensor | None, settings: _Settings, exposed: bool, asked: bool
    ) -> tuple[Tensor, ...]:
        return solve_voxels(voxels, phases, *settings, asked, exposed or asked)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        voxels, phases, ctx.settings, _, _ = inputs
        ctx.save_for_backward(voxels, phases, output[1])
        ctx.mark_non_differentiable(*output[2:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        if cotangents[1] is not None:
            raise NotImplementedError(_SECOND)
        if cotangents[0] is None:
            return None, None, None, None, None
        gradient = _PullBack.apply(*ctx.saved_tensors, cotangents[0], ctx.settings)
        both = (gradient, None) if ctx.saved_tensors[1] is None else (None, gradient)
        return *both, None, None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        voxels: Tensor,
        phases: Tensor | None,
        settings: _Settings,
        exposed: bool,
        asked: bool,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        voxels, phases = mapped(info, in_dims, voxels, phases, settings[0])
        return _Solve.apply(voxels, phases, settings, exposed, asked), (0,) * 5


class _PullBack(Function):
    """The gradient of Σ G_ij A*_ij in the voxels, or in the phases."""

    @staticmethod
    def forward(
        voxels: Tensor,
        phases: Tensor | None,
        correctors: Tensor,
        cotangent: Tensor,
        settings: _Settings,
    ) -> Tensor:
        tensor, spacing, _, threads, _, _ = settings
        gradient = pull_back_voxels(correctors, cotangent, tensor, spacing, threads)
        return gradient if phases is None else sum_over_phases(gradient, voxels, phases, tensor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        raise NotImplementedError(_SECOND)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        voxels: Tensor,
        phases: Tensor | None,
        correctors: Tensor,
        cotangent: Tensor,
        settings: _Settings,
    ) -> tuple[Tensor, int]:
        dims = in_dims[2:4]
        correctors, cotangent = leading(info, dims, correctors, cotangent)
        voxels, phases = mapped(info, in_dims, voxels, phases, settings[0])
        return _PullBack.apply(voxels, phases, correctors, cotangent, settings), 0
