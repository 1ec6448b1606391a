"""Chains of simulated annealing that run side by side, on the CPU and on a card."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _core, _cuda
from pearlite.correlation import two_point

_BLOCK = 256
_VERDICTS = _BLOCK // 32 * 40  # bytes of what a block's warps find
_SHARED = 48 * 1024


class Chains(Protocol):
    """Several chains with one target."""

    @property
    def energy(self) -> NDArray[np.int64]:
        """Of each chain: Σ (C − T)²."""

    def run(
        self, proposals: int, temperature: NDArray[np.float64], cooling: float, seed: int,
        sample: NDArray[np.int64], number: int,
    ) -> int:  # fmt: skip
        """Make proposals, the first of that number; return how many, or how many until one ended.

        `temperature` and `sample` are those of each chain.
        """

    def labels(self) -> NDArray[np.int32]:
        """Return the labels (chains, n0, m, n)."""

    def wrong(self, chain: int) -> int:
        """Return how many counts of a chain are not the target's."""


class OnCpu:
    """Chains that the threads of the CPU share."""

    def __init__(
        self,
        labels: NDArray[np.int32],  # (chains, n0, m, n)
        target: NDArray[np.int64],  # (P, n0, m, n)
        first: int,
        threads: int,
    ) -> None:
        self._chains = [_core.Annealer(one, target, first) for one in labels]
        self._threads = min(threads, len(labels))

    @property
    def energy(self) -> NDArray[np.int64]:
        return np.array([chain.energy for chain in self._chains], np.int64)

    def run(
        self, proposals: int, temperature: NDArray[np.float64], cooling: float, seed: int,
        sample: NDArray[np.int64], number: int,
    ) -> int:  # fmt: skip
        def made(k: int) -> int:
            own = float(temperature[k]), cooling, seed, int(sample[k]), number
            return self._chains[k].run(proposals, *own)[0]

        every = range(len(self._chains))
        if self._threads == 1:
            return _agreed([made(k) for k in every], proposals)
        with ThreadPoolExecutor(self._threads) as pool:
            return _agreed(list(pool.map(made, every)), proposals)

    def labels(self) -> NDArray[np.int32]:
        return np.stack([chain.labels() for chain in self._chains])

    def wrong(self, chain: int) -> int:
        return self._chains[chain].wrong


class OnCard:
    """Chains on the current card, each a block."""

    def __init__(
        self,
        labels: NDArray[np.int32],  # (chains, n0, m, n)
        target: NDArray[np.int64],  # (P, n0, m, n)
        first: int,
    ) -> None:
        self._cupy = cupy = _cuda.library()
        self._shape, self._first = labels.shape, first
        self._labels = cupy.asarray(labels.astype(np.uint8))
        n0 = labels.shape[1]
        planes = np.arange(n0 // 2 + 1)  # that stand for the others too
        times = np.where((planes == 0) | (2 * planes == n0), 1, 2)
        self._times = cupy.asarray(times.reshape(-1, 1, 1).astype(np.int64))
        phases = cupy.asarray((first + np.arange(len(target))).reshape(1, -1, 1, 1, 1))
        masks = cupy.expand_dims(self._labels, 1) == phases
        counts = two_point(masks, dim=3, counts=True)[:, :, : len(planes)]
        difference = counts - cupy.asarray(target[:, : len(planes)])
        self._differences = cupy.ascontiguousarray(difference.astype(np.int32))
        self._energy = (difference**2 * self._times).sum(axis=(1, 2, 3, 4))

    @property
    def energy(self) -> NDArray[np.int64]:
        energies: NDArray[np.int64] = self._energy.get()
        return energies

    def run(
        self, proposals: int, temperature: NDArray[np.float64], cooling: float, seed: int,
        sample: NDArray[np.int64], number: int,
    ) -> int:  # fmt: skip
        cupy, (chains, *shape) = self._cupy, self._shape
        pixels, phases = math.prod(shape), self._differences.shape[1]
        half = math.prod(self._differences.shape[2:])
        found = cupy.empty((chains, 3), np.int64)
        kept = _VERDICTS + pixels <= _SHARED
        own = _cuda.packed(
            shape, pixels, half, phases, self._first, number, proposals, seed, float(cooling)
        )
        _cuda.launch(
            "annealing", "anneal",
            (self._labels, self._differences, self._energy,
             cupy.asarray(np.asarray(sample, np.int64)),
             cupy.asarray(np.asarray(temperature, np.float64)), found, np.int32(kept), own),
            grid=(chains,), block=_BLOCK, shared=_VERDICTS + pixels * kept,
        )  # fmt: skip
        return _agreed(found.get()[:, 0].tolist(), proposals)

    def labels(self) -> NDArray[np.int32]:
        labels: NDArray[np.int32] = self._labels.get().astype(np.int32)
        return labels

    def wrong(self, chain: int) -> int:
        off = self._differences[chain : chain + 1] != 0
        return int((off * self._times).sum().get())


def _agreed(made: list[int], proposals: int) -> int:
    """Return how many proposals were made: by all, or by the first chain that ended."""
    return min([proposals, *made])


@contextmanager
def at_home(target: Any) -> Iterator[tuple[Any, Callable[[Any], Any] | None]]:
    """Give labels as a numpy array, and what takes an image back to the card that they were on.

    That card and its stream are the current ones meanwhile. Others stay as they are, with None.
    """
    if _cuda.is_array(target):
        with _cuda.device_of(target) as cupy:
            yield cupy.asnumpy(target), cupy.asarray
    elif _arrays.is_torch(target) and _cuda.on_card(target):
        with _cuda.stream_of(target) as cupy:
            yield (
                cupy.asnumpy(_cuda.from_torch(target)),
                lambda image: _cuda.to_torch(cupy.asarray(image)),
            )
    else:
        yield target, None
