"""Langevin steps of torch tensors: ``torch.ops.pearlite.langevin_step``, which changes x in place.

They are the calls that numpy arrays go through, on the memory of tensors, and have no derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from pearlite import _arrays, _cuda
from pearlite._errors import brief
from pearlite._operators import as_tensor, same_device
from pearlite.langevin import _check, _step


@torch.library.custom_op("pearlite::langevin_step", mutates_args=("x",))
def langevin_step(
    x: Tensor,  # (B, C, *shape + 2 padding)
    score: Tensor,  # like x
    step_size: Tensor,  # () or (B,)
    volume_fraction: Tensor | None,  # (), (B,), (C,) or (B, C)
    sigma_volume: Tensor | None,  # () or (B,)
    sample: Tensor,  # () or (B,)
    seed: int,  # modulo 2^64
    step: int,
    padding: Sequence[int],
    clamp: Sequence[float] | None,
    noise: float,
    threads: int | None,
) -> Tensor:  # (B, P)
    """Make a step of x in place; return counts of phases. See `pearlite.langevin.step`."""
    own = (volume_fraction, sigma_volume)
    fractions, sigma = (None if value is None else value.numpy() for value in own)
    options = (
        step_size.numpy(), fractions, sigma, sample.numpy(), seed % 2**64, step, list(padding),
        clamp, noise, threads,
    )  # fmt: skip
    if x.is_neg():
        raise ValueError("x is a negative view; expected a tensor that can be changed in place")
    if _cuda.on_card(x):
        same_device(x, score)
        with _cuda.stream_of(x):
            images, slope = _cuda.from_torch(x), _cuda.from_torch(score)
            return cast(Tensor, _cuda.to_torch(_step.step_on_card(images, slope, *options)))
    counts = _step.step_arrays(x.detach().numpy(), score.detach().resolve_neg().numpy(), *options)
    return torch.from_numpy(counts)


@langevin_step.register_fake
def _(x: Tensor, *others: Any) -> Tensor:
    return x.new_empty((x.shape[0], _step.phases(x.shape[1])), dtype=torch.int64)


@torch.library.custom_op("pearlite::phase_counts", mutates_args=())
def count(x: Tensor, padding: Sequence[int], threads: int | None) -> Tensor:
    """Return counts of phases (B, P)."""
    if _cuda.on_card(x):
        with _cuda.stream_of(x):
            counts = _step.count_on_card(_cuda.from_torch(x), list(padding), threads)
            return cast(Tensor, _cuda.to_torch(counts))
    array = x.detach().resolve_neg().numpy()
    return torch.from_numpy(_step.count_arrays(array, list(padding), threads))


@count.register_fake
def _(x: Tensor, *others: Any) -> Tensor:
    return x.new_empty((x.shape[0], _step.phases(x.shape[1])), dtype=torch.int64)


def step(
    x: Any, score: Any, step_size: Any, volume_fraction: Any, sigma_volume: Any, sample: Any,
    seed: int, step: int, padding: Any, clamp: Any, noise: float, threads: int | None,
) -> Tensor:  # fmt: skip
    """Do what `pearlite.langevin.step` does, to tensors."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x is a {type(x).__name__}; expected a tensor, as score is one")
    slope = as_tensor("score", score, cards=True)
    for name, tensor in (("x", as_tensor("x", x, cards=True)), ("score", slope)):
        if torch.is_grad_enabled() and tensor.requires_grad:
            raise ValueError(
                f"{name} requires a gradient, and a step has none; expected a detached tensor, or "
                "a call under torch.no_grad()"
            )
    seed = _arrays.check_integer("seed", seed, 0, 2**64 - 1)
    limits = _check.limits(clamp)
    return langevin_step(
        x, slope, _tensor("step_size", step_size), _optional("volume_fraction", volume_fraction),
        _optional("sigma_volume", sigma_volume), _tensor("sample", sample),
        seed - 2**64 if seed >= 2**63 else seed, _arrays.check_integer("step", step, 0, 2**32 - 1),
        _axes(padding, x), limits, _check.number("noise", noise, 0), threads,
    )  # fmt: skip


def phase_counts(x: Any, padding: Any, threads: int | None) -> Tensor:
    """Do what `pearlite.langevin.phase_counts` does, to a tensor."""
    tensor = as_tensor("x", x, cards=True)
    return count(tensor.detach(), _axes(padding, tensor), threads)


def _axes(padding: Any, x: Tensor) -> list[int]:
    return _check.widths(padding, max(x.ndim - 2, 0))


def _optional(name: str, value: Any) -> Tensor | None:
    return None if value is None else _tensor(name, value)


def _tensor(name: str, value: Any) -> Tensor:
    """Return numbers as a tensor on the CPU."""
    if isinstance(value, bool):
        raise TypeError(f"{name} is {brief(value)}; expected numbers")
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return torch.tensor(value, dtype=torch.int64)
    if isinstance(value, float):
        return torch.tensor(value, dtype=torch.float64)
    try:
        return as_tensor(name, value, cards=True).detach().cpu()
    except TypeError as error:  # what numpy takes and torch does not
        raise TypeError(f"{name} is {brief(value)}; expected numbers") from error
