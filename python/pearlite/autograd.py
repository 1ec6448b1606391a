"""Torch tensors in and out of the compiled kernels, with derivatives.

`pearlite.homogenize` and `pearlite.solve_correctors` hand torch tensors over to this module. Of its
two autograd functions

- the derivative of A* is `pull_back`, an integral of the correctors' slopes over each pixel;
- that of `pull_back` along v takes the change of the correctors, one more solve of the same kind.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from pearlite import _arrays, _voxel_autograd, corrector
from pearlite._operators import (
    as_tensor,
    direction_loads,
    leading,
    phase_indices,
    pull_back,
    push_forward,
    same_device,
    solve_loads,
    together,
)
from pearlite._operators import solve_correctors as solve_operator

_FORWARD_MODE = (
    "pearlite has no forward-mode derivatives (jvp, jacfwd, hessian); "
    "use reverse mode: backward, torch.func.grad, vjp or jacrev"
)


class Settings(NamedTuple):
    """The arguments of `pearlite.homogenize` that are not arrays, checked."""

    tensor: bool
    spacing: Sequence[float] | None
    rtol: float
    threads: int | None
    on_failure: str
    gradient_rtol: float


def settings(
    tensor: bool,
    spacing: float | Sequence[float] | None,
    rtol: float,
    threads: int | None,
    on_failure: corrector.OnFailure,
    gradient_rtol: float,
    dim: int = 2,
) -> Settings:
    """Check what is not an array."""
    _arrays.check_dimension(dim)
    if torch.compiler.is_compiling():  # compiled code checks when it runs
        sizes = spacing if spacing is None or isinstance(spacing, Sequence) else (spacing,) * dim
        fixed = None if sizes is None else [_constant(size) for size in sizes]
        tolerances = _constant(rtol), _constant(gradient_rtol)
        return Settings(tensor, fixed, tolerances[0], threads, on_failure, tolerances[1])
    options = corrector._options(rtol, threads, on_failure, gradient_rtol)
    sizes = None if spacing is None else _arrays.pixel_sizes(spacing, (1,) * dim)
    count = None if threads is None else options.threads
    flag = _arrays.flag("tensor", tensor)
    return Settings(flag, sizes, options.rtol, count, on_failure, options.gradient_rtol)


def _constant(value: float) -> float:
    """Keep the compiler from making a variable of a number: autograd functions take none yet."""
    return float(f"{value}")


def homogenize(
    conductivity: Any, phases: Any, dim: int, settings: Settings, estimate: str
) -> Tensor:
    """Return effective tensors (..., d, d); see `pearlite.homogenize`."""
    if dim == 3:
        _arrays.check_volumes(estimate)
    pixels, table = _arguments(conductivity, phases)
    if dim == 3:
        return _voxel_autograd.solve(pixels, table, settings, exposed=False)[0]
    if estimate == "variational":
        return _solve(pixels, table, settings, exposed=False)[0]
    upper = _solve(pixels, table, settings, exposed=False)[0]
    # In the plane the dual problem has the conductivity R a⁻¹ Rᵀ = a / det a, R the quarter turn.
    if table is None:
        pixels = _turned_inverse(pixels) if settings.tensor else 1 / pixels
    else:
        table = _turned_inverse(table) if settings.tensor else 1 / table
    lower = _turned_inverse(_solve(pixels, table, settings, exposed=False)[0])
    return _geometric_mean(lower, upper)


def solve_correctors(
    conductivity: Any, phases: Any, dim: int, settings: Settings
) -> corrector.Correctors:
    """Return effective tensors and correctors; see `pearlite.solve_correctors`."""
    pixels, table = _arguments(conductivity, phases)
    if dim == 3:
        return corrector.Correctors(*_voxel_autograd.solve(pixels, table, settings, exposed=True))
    return corrector.Correctors(*_solve(pixels, table, settings, exposed=True))


def _arguments(conductivity: Any, phases: Any) -> tuple[Tensor, Tensor | None]:
    """Return pixels and phases as tensors; those that are not come from numpy."""
    pixels = as_tensor("conductivity", conductivity, cards=True)
    if phases is None:
        return pixels, None
    table = as_tensor("phases", phases, cards=True)
    if phases is table:
        same_device(pixels, table, ("conductivity", "phases"))
    return pixels, table


def _solve(
    pixels: Tensor,
    phases: Tensor | None,
    settings: Settings,
    exposed: bool,
    gradients: bool = False,
) -> tuple[Tensor, ...]:
    """Solve as well as the derivatives need it that may be asked for; `exposed`: of fields too."""
    inputs = [pixels] if phases is None else [pixels, phases]
    asked = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    gradients = gradients or asked
    if phases is not None and asked:
        pixels, phases = _conductivities(pixels, phases, settings), None
    try:
        return _Solve.apply(pixels, phases, settings, exposed, gradients)
    except NotImplementedError as error:
        raise NotImplementedError(_FORWARD_MODE) from error


def _conductivities(labels: Tensor, phases: Tensor, settings: Settings) -> Tensor:
    """Return phases[labels], (..., n0, n1[, 2, 2]), which torch can differentiate."""
    indices = phase_indices(labels, phases.detach(), settings.tensor, settings.threads)
    entry = (2, 2) if settings.tensor else ()
    entries = 4 if settings.tensor else 1
    axes = phases.shape[: phases.ndim - len(entry)]  # (..., P)
    *batch, n0, n1 = indices.shape
    places = indices.reshape(*batch, n0 * n1, 1)
    table = phases.reshape(*axes, entries).expand(*batch, axes[-1], entries)
    picked = torch.gather(table, -2, places.expand(*places.shape[:-1], entries))
    return picked.reshape(*batch, n0, n1, *entry)


def _turned_inverse(tensors: Tensor) -> Tensor:
    """Return R t⁻¹ Rᵀ = t / det t of symmetric tensors (..., 2, 2)."""
    return tensors / _determinant(tensors)[..., None, None]


def _geometric_mean(first: Tensor, second: Tensor) -> Tensor:
    """Return the matrix mean of positive definite tensors (..., 2, 2)."""
    roots = [_determinant(t).sqrt()[..., None, None] for t in (first, second)]
    total = first / roots[0] + second / roots[1]
    return total * (roots[0] * roots[1] / _determinant(total)[..., None, None]).sqrt()


def _determinant(tensors: Tensor) -> Tensor:
    return tensors[..., 0, 0] * tensors[..., 1, 1] - tensors[..., 0, 1] * tensors[..., 1, 0]


# Derivatives -------------------------------------------------------------------------------------


class _Solve(Function):
    """Effective tensors, correctors, iterations, residual and converged of pixels."""

    @staticmethod
    def forward(
        pixels: Tensor, phases: Tensor | None, settings: Settings, exposed: bool, gradients: bool
    ) -> tuple[Tensor, ...]:
        return solve_operator(pixels, phases, *settings, gradients, exposed or gradients)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pixels, _, ctx.settings, ctx.exposed, _ = inputs
        ctx.save_for_backward(pixels, output[1])
        ctx.mark_non_differentiable(*output[2:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        pixels, correctors = ctx.saved_tensors
        gradient = None
        if cotangents[0] is not None:
            gradient = _PullBack.apply(pixels, correctors, cotangents[0], ctx.settings)
        if ctx.exposed and cotangents[1] is not None:
            more = _through_correctors(pixels, correctors, cotangents[1], ctx.settings)
            gradient = more if gradient is None else gradient + more
        return gradient, None, None, None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        pixels: Tensor,
        phases: Tensor | None,
        settings: Settings,
        exposed: bool,
        gradients: bool,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        if phases is None:
            (pixels,) = leading(info, in_dims, pixels)
        else:
            pixels, phases = together(info, in_dims, pixels, phases, settings.tensor)
        # A transform inside of vmap has told so if it asks for gradients; one outside shows here.
        return _solve(pixels, phases, settings, exposed, gradients), (0,) * 5


class _PullBack(Function):
    """The gradient of Σ G_ij A*_ij in the pixels; the correctors are a function of these."""

    @staticmethod
    def forward(
        pixels: Tensor, correctors: Tensor, cotangent: Tensor, settings: Settings
    ) -> Tensor:
        return pull_back(correctors, None, cotangent, *_kernel(settings))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.settings = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        pixels, correctors, cotangent = ctx.saved_tensors
        kernel = _kernel(ctx.settings)
        curvature = slope = None
        if ctx.needs_input_grad[0]:
            loads = direction_loads(correctors, direction, *kernel)
            change = solve_loads(pixels, loads, *ctx.settings)
            curvature = pull_back(correctors, change, cotangent, *kernel)
        if ctx.needs_input_grad[2]:
            slope = push_forward(correctors, direction, *kernel)
        return curvature, None, slope, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        pixels: Tensor,
        correctors: Tensor,
        cotangent: Tensor,
        settings: Settings,
    ) -> tuple[Tensor, int]:
        tensors = leading(info, in_dims, pixels, correctors, cotangent)
        return _PullBack.apply(*tensors, settings), 0


def _through_correctors(
    pixels: Tensor, correctors: Tensor, cotangent: Tensor, settings: Settings
) -> Tensor:
    """Return the gradient in the pixels of Σ c_k χ_k, c the cotangent (..., 2, n0, n1).

    With K λ = c it is −∫ ∇λ_k · (e_k + ∇χ_k), a sum over k; correctors have zero mean, and so must
    c. `pull_back` with G = 1 gives twice the mean of the cell instead of the integral in pixels.
    """
    loads = cotangent - cotangent.mean(dim=(-2, -1), keepdim=True)
    change = solve_loads(pixels, loads, *settings)
    scale = -0.5 * correctors.shape[-2] * correctors.shape[-1]
    one = torch.eye(2, dtype=torch.float64, device=correctors.device)
    unit = scale * one.expand(*correctors.shape[:-3], 2, 2)
    return pull_back(correctors, change, unit, *_kernel(settings))


def _kernel(settings: Settings) -> tuple[bool, Sequence[float] | None, int | None]:
    return settings.tensor, settings.spacing, settings.threads
