"""Relaxed tessellations of torch tensors, with derivatives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from pearlite import _arrays
from pearlite._laguerre_operators import aligned, relax_gradient
from pearlite._laguerre_operators import relax as relax_operator
from pearlite._operators import as_tensor, leading
from pearlite.laguerre import _check

_FORWARD_MODE = (
    "pearlite.laguerre.relax has no forward-mode derivatives (jvp, jacfwd, hessian); "
    "use reverse mode: backward, torch.func.grad, vjp or jacrev"
)
_SECOND = "pearlite.laguerre.relax has first derivatives only"


class Settings(NamedTuple):
    """The arguments of `pearlite.laguerre.relax` that are not arrays."""

    shape: Sequence[int]
    metric: str
    periodic: bool
    threads: int | None


def relax(
    sites: Any,
    weights: Any,
    values: Any,
    epsilon: Any,
    shape: Sequence[int],
    metric: str,
    periodic: bool,
    threads: int | None,
) -> Tensor:
    """Return relaxed fields (..., *shape); see `pearlite.laguerre.relax`."""
    arguments = {"sites": sites, "weights": weights, "values": values, "epsilon": epsilon}
    tensors = _tensors(arguments)
    if not torch.compiler.is_compiling():  # compiled code checks when it runs
        shape = _check.grid_shape(shape, tensors[0].shape[-1])
        periodic = _arrays.flag("periodic", periodic)
    settings = Settings(list(shape), metric, periodic, threads)
    try:
        result: Tensor = _Relax.apply(*tensors, settings)
    except NotImplementedError as error:
        raise NotImplementedError(_FORWARD_MODE) from error
    return result


def _tensors(arguments: dict[str, Any]) -> list[Tensor]:
    """Return tensors; lists and numbers take the dtype of the first one that is a tensor."""
    dtype, device = next((x.dtype, x.device) for x in arguments.values() if isinstance(x, Tensor))
    tensors: list[Tensor] = []
    for name, value in arguments.items():
        if name == "weights" and tensors[0].ndim < 2:
            raise ValueError(f"sites has shape {tuple(tensors[0].shape)}; expected (..., K, d)")
        if value is None and name == "weights":
            tensors.append(tensors[0].new_zeros(tensors[0].shape[-2]))
        elif isinstance(value, Tensor):
            tensors.append(as_tensor(name, value, cards=True))
        elif isinstance(value, int | float):
            number = _arrays.check_number(name, value)
            tensors.append(torch.full((), number, dtype=dtype, device=device))
        else:
            tensor = as_tensor(name, value)
            listed = not hasattr(value, "dtype")
            tensors.append(tensor.to(device, dtype) if listed else tensor)
    for name, tensor in zip(arguments, tensors, strict=True):
        if tensor.device != device:
            raise ValueError(f"{name} is on {tensor.device}; expected {device}, as the others")
    return tensors


class _Relax(Function):
    """The field of sites, weights, values and epsilon."""

    @staticmethod
    def forward(
        sites: Tensor, weights: Tensor, values: Tensor, epsilon: Tensor, settings: Settings
    ) -> Tensor:
        return relax_operator(sites, weights, values, epsilon, *settings)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.settings = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        return *_Gradient.apply(*ctx.saved_tensors, cotangent, ctx.settings), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        return _Relax.apply(*aligned(leading(info, in_dims, *args[:4])), args[4]), 0


class _Gradient(Function):
    """The gradient of the sum of cotangent times field."""

    @staticmethod
    def forward(
        sites: Tensor,
        weights: Tensor,
        values: Tensor,
        epsilon: Tensor,
        cotangent: Tensor,
        settings: Settings,
    ) -> tuple[Tensor, ...]:
        return relax_gradient(sites, weights, values, epsilon, cotangent, *settings[1:])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        raise NotImplementedError(_SECOND)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *args: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        *tensors, cotangent = leading(info, in_dims, *args[:5])
        parts = _Gradient.apply(*aligned(tensors), cotangent, args[5])
        shaped = tuple(p.reshape(t.shape) for p, t in zip(parts, tensors, strict=True))
        return shaped, (0,) * 4
