"""The surrogate of the source: a multilayer perceptron for the mean tensor of ten mosaics.

It takes (v, log a) and gives A11, A22 and A12, standardized. Nothing of the map's symmetries is
built in, and the scatter of single specimens is not modelled: these are the source's choices, kept
for comparison. Its size and training are ours, since the source's are not stated.

Source: arXiv:2604.14083, eqs. 16 and 36.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pearlite.inversion._stochastic_coordinates import Floats, tensors
from pearlite.inversion._surrogate_truth import Evaluations

_WIDTH = 64
_STEPS = 400  # of Adam, each time that evaluations come in
_RATE = 3e-3


@dataclass(frozen=True)
class Scaling:
    """Means and deviations of the inputs (2K,) and outputs (3,)."""

    inputs: tuple[Any, Any]
    outputs: tuple[Any, Any]


class NetworkSurrogate:
    """A perceptron with two hidden layers, trained further as evaluations come in.

    Parameters
    ----------
    materials : int
        K.
    seed : int
        Seed of its first weights.
    """

    def __init__(self, materials: int, seed: int = 0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = torch.nn.Sequential(
                torch.nn.Linear(2 * materials, _WIDTH),
                torch.nn.Tanh(),
                torch.nn.Linear(_WIDTH, _WIDTH),
                torch.nn.Tanh(),
                torch.nn.Linear(_WIDTH, 3),
            ).double()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=_RATE)
        self.scaling: Scaling | None = None

    def trained(self, evaluations: Evaluations) -> NetworkSurrogate:
        """Train on all evaluations so far; the first ones fix the scaling."""
        inputs = torch.from_numpy(np.concatenate([evaluations.fractions, evaluations.logs], axis=1))
        count, cells, _ = evaluations.cells.shape
        means = tensors(evaluations.cells.reshape(-1, 3)).reshape(count, cells, 3).mean(axis=1)
        outputs = torch.from_numpy(means)
        if self.scaling is None:
            self.scaling = Scaling(_moments(inputs), _moments(outputs))
        given = _scaled(inputs, self.scaling.inputs)
        wanted = _scaled(outputs, self.scaling.outputs)
        for _ in range(_STEPS):
            self.optimizer.zero_grad()
            loss = ((self.network(given) - wanted) ** 2).mean()
            loss.backward()
            self.optimizer.step()
        return self

    def samples(
        self, fractions: Floats, logs: Floats, noise: Floats, *, slopes: bool = False
    ) -> tuple[Floats, Floats]:
        """Return tensors (N, 3), without scatter, and slopes (N, 3, 2K) in fractions and logs."""
        wide = np.broadcast_to(logs, fractions.shape)
        inputs = torch.from_numpy(np.concatenate([fractions, wide], axis=1)).requires_grad_(slopes)
        if self.scaling is None:  # nothing is known yet: the mean of the conductivities
            return _voigt(fractions, wide, slopes)
        middle, deviation = self.scaling.outputs
        outputs = self.network(_scaled(inputs, self.scaling.inputs)) * deviation + middle
        values: Floats = outputs.detach().numpy()
        if not slopes:
            return values, np.empty((0, 3, 0))
        rows = [
            torch.autograd.grad(outputs[:, k].sum(), inputs, retain_graph=k < 2)[0].numpy()
            for k in range(3)
        ]
        return values, np.stack(rows, axis=1)


def _voigt(fractions: Floats, logs: Floats, slopes: bool) -> tuple[Floats, Floats]:
    """Isotropic tensors Σ v a and their slopes."""
    a = np.exp(logs)
    mean = (fractions * a).sum(axis=1)
    direction = np.array([1.0, 1.0, 0.0])
    values = mean[:, None] * direction
    if not slopes:
        return values, np.empty((0, 3, 0))
    rows = np.concatenate([a, fractions * a], axis=1)
    return values, rows[:, None] * direction[:, None]


def _moments(values: Any) -> tuple[Any, Any]:
    return values.mean(dim=0), values.std(dim=0) + 1e-12


def _scaled(values: Any, moments: tuple[Any, Any]) -> Any:
    return (values - moments[0]) / moments[1]
