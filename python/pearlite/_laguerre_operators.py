"""Torch operators over the compiled kernels of `pearlite.laguerre`: ``torch.ops.pearlite.*``.

As those of `pearlite._operators` they are the calls that numpy arrays go through, with shape
functions and rules for vmap, and without derivatives: `pearlite._laguerre_autograd` puts these on
top.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pearlite import _core, _cuda
from pearlite._operators import _array, leading
from pearlite.laguerre import _card, _relax


@torch.library.custom_op("pearlite::relax", mutates_args=())
def relax(
    sites: Tensor,  # (..., K, d)
    weights: Tensor,  # (..., K)
    values: Tensor,  # (..., K)
    epsilon: Tensor,  # (...)
    shape: Sequence[int],
    metric: str,
    periodic: bool,
    threads: int | None,
) -> Tensor:  # (..., *shape), `...` the batch axes of all
    """Return relaxed fields; see `pearlite.laguerre.relax`."""
    if _cuda.on_card(sites):
        with _cuda.stream_of(sites):
            field = _card.relax(_named(sites, weights, values, epsilon), shape, metric, periodic)
            return cast(Tensor, _cuda.to_torch(field))
    cells = _prepared(sites, weights, values, epsilon, shape, metric, periodic, threads)
    return torch.from_numpy(_relax.field_of(cells))


@relax.register_fake
def _(
    sites: Tensor,
    weights: Tensor,
    values: Tensor,
    epsilon: Tensor,
    shape: Sequence[int],
    metric: str,
    periodic: bool,
    threads: Any,
) -> Tensor:
    return sites.new_empty((*_batch(sites, weights, values, epsilon), *shape))


@torch.library.custom_op("pearlite::relax_gradient", mutates_args=())
def relax_gradient(
    sites: Tensor,  # (..., K, d)
    weights: Tensor,  # (..., K)
    values: Tensor,  # (..., K)
    epsilon: Tensor,  # (...)
    cotangent: Tensor,  # (..., *shape), `...` the batch axes of all
    metric: str,
    periodic: bool,
    threads: int | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # like sites, weights, values, epsilon
    """Return the gradient of the sum of cotangent times field."""
    shape = cotangent.shape[-sites.shape[-1] :]
    if _cuda.on_card(sites):
        with _cuda.stream_of(sites):
            given = _named(sites, weights, values, epsilon)
            g = _cuda.from_torch(cotangent)
            _, gradient = _card.relax_gradient(given, g, shape, metric, periodic)
            return tuple(map(_cuda.to_torch, gradient))
    cells = _prepared(sites, weights, values, epsilon, shape, metric, periodic, threads)
    g = _relax.cotangent_of(_array("cotangent", cotangent), cells)
    _, *parts = _core.relax_gradient(
        *cells.arrays, g, cells.shape, cells.additive, cells.periodic, False, cells.threads
    )
    return tuple(torch.from_numpy(np.asarray(part)) for part in _relax.gradients(parts, cells))


@relax_gradient.register_fake
def _(
    sites: Tensor,
    weights: Tensor,
    values: Tensor,
    epsilon: Tensor,
    cotangent: Tensor,
    metric: str,
    periodic: bool,
    threads: Any,
) -> tuple[Tensor, ...]:
    return tuple(x.new_empty(x.shape) for x in (sites, weights, values, epsilon))


@relax.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Tensor, int]:
    tensors = aligned(leading(info, in_dims, *args[:4]))
    return relax(*tensors, *args[4:]), 0


@relax_gradient.register_vmap
def _(
    info: Any, in_dims: tuple[Any, ...], *args: Any
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    *tensors, cotangent = leading(info, in_dims, *args[:5])
    parts = relax_gradient(*aligned(tensors), cotangent, *args[5:])
    return tuple(p.reshape(t.shape) for p, t in zip(parts, tensors, strict=True)), (0,) * 4


def aligned(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Give sites, weights, values and epsilon, mapped over their first axes, as many batch axes.

    So their other batch axes broadcast with each other and not with the first one.
    """
    cores = (2, 1, 1, 0)
    ranks = [t.ndim - core for t, core in zip(tensors, cores, strict=True)]
    most = max(ranks)
    return [
        t.reshape(t.shape[0], *(1,) * (most - rank), *t.shape[1:])
        for t, rank in zip(tensors, ranks, strict=True)
    ]


def _named(*tensors: Tensor) -> dict[str, Any]:
    """Return tensors on a card as arrays, by the names of arguments."""
    arrays = map(_cuda.from_torch, tensors)
    return dict(zip(("sites", "weights", "values", "epsilon"), arrays, strict=True))


def _prepared(
    sites: Tensor, weights: Tensor, values: Tensor, epsilon: Tensor, *options: Any
) -> _relax.Relaxation:
    return _relax.prepare(
        _array("sites", sites),
        _array("weights", weights),
        _array("values", values),
        _array("epsilon", epsilon),
        *options,
    )


def _batch(sites: Tensor, weights: Tensor, values: Tensor, epsilon: Tensor) -> Sequence[int]:
    """Return the common batch axes."""
    axes = sites.shape[:-2], weights.shape[:-1], values.shape[:-1], epsilon.shape
    batch: Sequence[int] = torch.broadcast_shapes(*axes)
    return batch
