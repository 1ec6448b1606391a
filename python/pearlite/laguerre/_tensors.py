"""Functions of arrays, for torch tensors: those of the CPU and those of a card."""

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
        return _as_tensors(result, _cuda.to_torch if there else torch.from_numpy)


def _as_tensors(result: Any, convert: Callable[[Any], Any]) -> Any:
    """Return tensors in place of arrays, also of those in lists and in fields of a dataclass."""
    if isinstance(result, list):
        return [_as_tensors(each, convert) for each in result]
    if is_dataclass(result) and not isinstance(result, type):
        parts = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "starts"}
        return replace(result, **{k: _as_tensors(v, convert) for k, v in parts.items()})
    return convert(result) if isinstance(result, np.ndarray) or _cuda.is_array(result) else result
