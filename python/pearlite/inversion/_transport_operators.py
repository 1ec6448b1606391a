"""Sliced Wasserstein distances of torch tensors: ``torch.ops.pearlite.sliced_wasserstein``.

The operator gives value and gradient together, as the kernel does; `sliced_wasserstein` lets torch
differentiate the value. A second derivative raises.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from pearlite import _threads
from pearlite._operators import as_tensor
from pearlite.inversion import _projections, _transport
from pearlite.inversion._directions import unit_directions
from pearlite.inversion._projections import SortedProjections


@torch.library.custom_op("pearlite::sliced_wasserstein", mutates_args=())
def evaluate(
    x: Tensor,  # (N, d) or (N,)
    y: Tensor,  # (M, d)
    theta: Tensor,  # (L, d)
    weights: Tensor | None,  # (N,)
    y_weights: Tensor | None,  # (M,)
    order: int,
    root: bool,
    gradient: bool,
    threads: int | None,
) -> tuple[Tensor, Tensor]:
    """Return a distance () and its gradient like `x`, empty unless asked for."""
    found = _transport.sliced_wasserstein(
        _array(x), _array(y), directions=_array(theta), weights=_optional(weights),
        y_weights=_optional(y_weights), order=order, root=root,  # type: ignore[arg-type]
        gradient=gradient, threads=threads,
    )  # fmt: skip
    value, slope = found if gradient else (found, np.empty(0, _array(x).dtype))
    return torch.tensor(value, dtype=torch.float64), torch.from_numpy(slope)


@evaluate.register_fake
def _(x: Tensor, y: Tensor, theta: Tensor, weights: Any, y_weights: Any, order: int, root: bool,
      gradient: bool, threads: Any) -> Any:  # fmt: skip
    slope = x.new_empty(x.shape if gradient else (0,))
    return x.new_empty((), dtype=torch.float64), slope


@torch.library.custom_op("pearlite::sliced_wasserstein_sorted", mutates_args=())
def evaluate_sorted(
    x: Tensor,  # (N, d) or (N,)
    theta: Tensor,  # (L, d)
    ascending: Tensor,  # (L, M)
    levels: Tensor | None,  # (L, M)
    ranked: Tensor | None,  # (L, N)
    spread: float,
    weights: Tensor | None,  # (N,)
    order: int,
    root: bool,
    gradient: bool,
    threads: int | None,
) -> tuple[Tensor, Tensor]:
    """Return a distance () and its gradient like `x`, to what `SortedProjections` holds."""
    samples = _projections.check_samples("x", _array(x))
    shares = _shares("weights", weights, len(samples))
    value, slope, _ = _projections.compare_sorted(
        samples, shares, _array(theta), _array(ascending), _optional(levels), _optional(ranked),
        spread, order, gradient, _threads.count(threads),
    )  # fmt: skip
    value, factor = _transport.rooted(value, order) if root else (value, 1.0)
    out = torch.tensor(value, dtype=torch.float64)
    if not gradient:
        return out, x.new_empty(0)
    found = np.ascontiguousarray(np.asarray((factor * slope).T, samples.dtype))
    return out, torch.from_numpy(found.reshape(tuple(x.shape)))


@evaluate_sorted.register_fake
def _(x: Tensor, theta: Any, ascending: Any, levels: Any, ranked: Any, spread: float, weights: Any,
      order: int, root: bool, gradient: bool, threads: Any) -> Any:  # fmt: skip
    slope = x.new_empty(x.shape if gradient else (0,))
    return x.new_empty((), dtype=torch.float64), slope


class _Distance(Function):
    """A distance, and its gradient to be saved."""

    @staticmethod
    def forward(x: Tensor, operator: Any, *rest: Any) -> Any:
        return operator(x, *rest)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.mark_non_differentiable(output[1])
        ctx.count = len(inputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        x, slope = ctx.saved_tensors
        cotangent = cotangents[0].to(slope.dtype)
        return (_Once.apply(x, slope) * cotangent, *(None,) * (ctx.count - 1))


class _Once(Function):
    """A gradient, which must not be taken for a constant."""

    @staticmethod
    def forward(x: Tensor, slope: Tensor) -> Any:
        return slope.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        raise NotImplementedError("sliced_wasserstein can be differentiated once, not twice")


def sliced_wasserstein(
    x: Any, y: Any, directions: Any, weights: Any, y_weights: Any, method: Any, seed: Any,
    order: Any, root: Any, gradient: Any, threads: Any,
) -> Any:  # fmt: skip
    """Return a differentiable distance; see `pearlite.inversion.sliced_wasserstein`."""
    _transport.check_options(order, root, gradient)
    count = None if threads is None else _threads.count(threads)
    first = as_tensor("x", x)
    own = None if weights is None else _constant("weights", weights)
    if isinstance(y, SortedProjections):
        _transport.check_prepared(directions, y_weights, method, seed)
        return _outcome(_to_sorted(first, y, own, order, root, gradient, count), gradient)
    second = as_tensor("y", y)
    components = _components(first, second)
    other = None if y_weights is None else _constant("y_weights", y_weights)
    theta = torch.from_numpy(
        unit_directions(
            _projections.DIRECTIONS if directions is None else directions, components, method, seed,
        )
    )  # fmt: skip
    rest = (theta, own, other, order, root, gradient or _asked(first), count)
    value, slope = _Distance.apply(first, evaluate, second.detach(), *rest)
    if _asked(second):  # the same number, as a function of y
        rest = (theta, other, own, order, root, True, count)
        mirrored, _ = _Distance.apply(second, evaluate, first.detach(), *rest)
        value = value + (mirrored - mirrored.detach())
    return _outcome((value, slope), gradient)


def _components(x: Tensor, y: Tensor) -> int:
    """Return the number of components of samples, checked as far as they have values yet."""
    if torch.compiler.is_compiling():  # the operator checks them
        return x.shape[1] if x.ndim == 2 else 1
    samples = _projections.check_samples("x", _array(x))
    others = _projections.check_samples("y", _array(y))
    _transport.check_same(samples.dtype, samples.shape[1], others.dtype, others.shape[1])
    return int(samples.shape[1])


def _to_sorted(
    x: Tensor, y: SortedProjections, weights: Any, order: int, root: bool, gradient: bool,
    threads: int | None,
) -> Any:  # fmt: skip
    dtype = np.dtype(str(x.dtype).removeprefix("torch."))
    _projections.check_like("x", dtype, x.shape[1] if x.ndim == 2 else 1, y)
    ranked, spread = None, 0.0
    if weights is None and order == 2 and x.shape[0] > 0:
        table, spreads = y.ranked(x.shape[0], _threads.count(threads))
        ranked, spread = torch.from_numpy(table), float(spreads.mean())
    levels = None if y._levels is None else torch.from_numpy(y._levels)
    return _Distance.apply(
        x, evaluate_sorted, torch.from_numpy(y.directions), torch.from_numpy(y.sorted), levels,
        ranked, spread, weights, order, root, gradient or _asked(x), threads,
    )  # fmt: skip


def _outcome(found: Any, gradient: bool) -> Any:
    return tuple(found) if gradient else found[0]


def _asked(tensor: Tensor) -> bool:
    return bool(torch.is_grad_enabled() and tensor.requires_grad)


def _constant(name: str, value: Any) -> Tensor:
    """Return weights as a tensor; they have no derivative."""
    tensor = as_tensor(name, value)
    if tensor.requires_grad:
        raise ValueError(f"{name} requires a gradient; expected constants")
    return tensor


def _shares(name: str, tensor: Tensor | None, count: int) -> Any:
    return None if tensor is None else _projections.check_weights(name, _array(tensor), count)


def _optional(tensor: Tensor | None) -> Any:
    return None if tensor is None else _array(tensor)


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = tensor.detach().resolve_conj().resolve_neg().numpy()
    return array
