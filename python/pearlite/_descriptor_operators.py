"""Descriptors of torch tensors: ``torch.ops.pearlite.descriptor`` and its derivative.

The bodies are the calls that numpy arrays go through. First derivatives only.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pearlite import _cuda, _threads
from pearlite._operators import as_tensor
from pearlite.correlation import _descriptor, _window


@torch.library.custom_op("pearlite::descriptor", mutates_args=())
def correlate(
    values: Tensor,  # (n0, n1[, n2])
    radius: Sequence[int],
    form: str,
    threads: int,
) -> tuple[Tensor, Tensor]:  # gram (K, K), s2 (K,)
    """Return the statistics of one level; the centred form takes a centred field."""
    vectors = _window.half_window(tuple(radius))
    if _cuda.on_card(values):
        with _cuda.stream_of(values):
            found = _card().correlate(_cuda.from_torch(values), vectors, form)
            return _cuda.to_torch(found[0]), _cuda.to_torch(found[1])
    gram, s2 = _window.correlate(_array(values), vectors, form, threads)  # type: ignore[arg-type]
    return torch.from_numpy(gram), torch.from_numpy(s2)


@correlate.register_fake
def _(values: Tensor, radius: Sequence[int], form: str, threads: int) -> tuple[Tensor, Tensor]:
    count = 1
    for r in radius:
        count *= 2 * r + 1
    count = (count + 1) // 2
    return values.new_empty((count, count)), values.new_empty((count,))


@torch.library.custom_op("pearlite::descriptor_pull_back", mutates_args=())
def pull_back(
    values: Tensor,  # (n0, n1[, n2])
    radius: Sequence[int],
    form: str,
    gram_cotangent: Tensor,  # (K, K)
    s2_cotangent: Tensor,  # (K,)
    threads: int,
) -> Tensor:  # as values
    """Return the gradient of Σ gram_cotangent G + Σ s2_cotangent S2 in the field."""
    vectors = _window.half_window(tuple(radius))
    if _cuda.on_card(values):
        with _cuda.stream_of(values):
            arrays = [_cuda.from_torch(t) for t in (values, gram_cotangent, s2_cotangent)]
            gradient = _card().pull_back(arrays[0], vectors, form, *arrays[1:])
            return _cuda.to_torch(gradient)
    gradient = _window.pull_back(
        _array(values), vectors, form, _array(gram_cotangent), _array(s2_cotangent),  # type: ignore[arg-type]
        threads,
    )  # fmt: skip
    return torch.from_numpy(gradient)


@pull_back.register_fake
def _(
    values: Tensor, radius: Any, form: str, of_gram: Tensor, of_s2: Tensor, threads: int
) -> Tensor:
    return torch.empty_like(values, memory_format=torch.contiguous_format)


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    values, ctx.radius, ctx.form, ctx.threads = inputs
    ctx.save_for_backward(values)


def _backward(ctx: Any, gram: Tensor, s2: Tensor) -> tuple[Tensor | None, ...]:
    (values,) = ctx.saved_tensors
    return pull_back(values, ctx.radius, ctx.form, gram, s2, ctx.threads), None, None, None


correlate.register_autograd(_backward, setup_context=_set_up)


def descriptor(
    field: Any,
    radius: int | Sequence[int],
    levels: int | None,
    form: _window.Form,
    threads: int | None,
) -> _descriptor.Descriptor:
    """Return a descriptor of tensors; see `pearlite.correlation.descriptor`."""
    values = as_tensor("field", field, cards=True)
    if not values.dtype.is_floating_point and _cuda.on_card(values):
        with _cuda.stream_of(values):
            found = _descriptor.descriptor(_cuda.from_torch(values), radius=radius, levels=levels,
                                           form=form, threads=threads)  # fmt: skip
            return replace(found, s2=_cuda.to_torch(found.s2), gram=_cuda.to_torch(found.gram))
    if not values.dtype.is_floating_point:
        found = _descriptor.descriptor(_array(values), radius=radius, levels=levels, form=form,
                                       threads=threads)  # fmt: skip
        return replace(found, s2=torch.from_numpy(found.s2), gram=torch.from_numpy(found.gram))
    fractions = _fractions(values)
    shape = tuple(values.shape)
    size = _window.window_radius(radius, shape)
    number = _window.level_count(levels, shape, size)
    count = _threads.count(threads)
    if form == "centred":
        values = values - values.mean()
    parts = []
    for level in range(number):
        if level:
            values = _window.pool(values)
        parts.append(correlate(values, list(size), form, count))
    return _descriptor.assembled(
        _window.half_window(size), torch.stack([s2 for _, s2 in parts]),
        torch.stack([gram for gram, _ in parts]), fractions, size, form, shape,
    )  # fmt: skip


def _fractions(values: Tensor) -> Any:
    """Check a float field; return the fractions of its phases."""
    if torch.compiler.is_compiling():  # there are no values yet
        mean = values.detach().mean()
        return torch.stack([1 - mean, mean])
    if _cuda.on_card(values):
        with _cuda.stream_of(values):
            return _card().as_field(_cuda.from_torch(values))[1]
    return _window.as_field(_array(values))[1]


def _card() -> Any:
    from pearlite.correlation import _descriptor_card

    return _descriptor_card


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = tensor.detach().resolve_conj().resolve_neg().numpy()
    return np.ascontiguousarray(array)
