"""Functions of arrays, for torch tensors of the CPU and of a card, and for arrays of cupy."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from pearlite import _cuda


def through_arrays(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Return what a function does, as tensors without gradient; one of its arguments is one."""
    import torch

    tensors = {k: v.detach() for k, v in given.items() if isinstance(v, torch.Tensor)}
    first = next(iter(tensors.values()))
    for name, tensor in tensors.items():
        if tensor.device != first.device or tensor.device.type not in ("cpu", "cuda"):
            raise TypeError(f"{name} is on {tensor.device}; expected a tensor on the CPU or a card")
    there = _cuda.on_card(first)
    with _cuda.stream_of(first) if there else nullcontext():
        convert = _cuda.from_torch if there else (lambda tensor: tensor.numpy())
        result = function(**given | {k: convert(v) for k, v in tensors.items()})
        return _converted(result, _cuda.to_torch if there else torch.from_numpy)


def through_host(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Return what a function of numpy arrays does of arrays of cupy, as such, on their device."""
    present = {k: v for k, v in given.items() if v is not None}
    _cuda.same_device(**present)
    with _cuda.device_of(next(iter(present.values()))) as cupy:
        result = function(**{k: None if v is None else v.get() for k, v in given.items()})
        return _converted(result, cupy.asarray)


def _converted(result: Any, convert: Callable[[Any], Any]) -> Any:
    """Return other arrays in place of arrays, also in lists and in fields of a dataclass."""
    if isinstance(result, list):
        return [_converted(each, convert) for each in result]
    if is_dataclass(result) and not isinstance(result, type):
        parts = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "starts"}
        return replace(result, **{k: _converted(v, convert) for k, v in parts.items()})
    return convert(result) if isinstance(result, np.ndarray) or _cuda.is_array(result) else result
