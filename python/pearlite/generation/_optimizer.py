"""The state of a training: weights in one vector, Adam's moments, the averages of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pearlite.generation._batches import Batch
from pearlite.generation._model import Model
from pearlite.generation._network import ScoreNetwork
from pearlite.generation._schedule import Schedule

# Average of the first steps: weights of iteration t count about as t^(_FORGOTTEN - 1).
_FORGOTTEN = 9


class Optimizer:
    """Takes the steps of a schedule.

    All weights lie in one vector, and the network's tensors are views of it: a step of Adam, the
    norm of a gradient and a checkpoint are then one operation each.

    Parameters
    ----------
    model : Model
        Where to begin.
    schedule : Schedule
    """

    def __init__(self, model: Model, schedule: Schedule) -> None:
        self.network = ScoreNetwork.of(model)
        self._model, self._schedule = model, schedule
        self.iteration = 0
        parameters = list(self.network.parameters())
        self.weights = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
        self.weights.grad = torch.zeros_like(self.weights)
        self.average = self.weights.detach().clone()
        self.best = self.average.clone()  # the average with the least loss in validation
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.data = self.weights.data[start:end].view_as(parameter)
            parameter.grad = self.weights.grad[start:end].view_as(parameter)
            start = end
        self._adam = torch.optim.Adam([self.weights], betas=(0.9, 0.999), foreach=False)

    def step(self, batch: Batch, fall: int | None = None) -> float:
        """Take one step; return the loss before it. `fall`: see `Schedule.rate`."""
        schedule = self._schedule
        self._adam.param_groups[0]["lr"] = schedule.rate(self.iteration, fall)
        self.network.train()
        assert self.weights.grad is not None  # set above, and only ever filled
        self.weights.grad.zero_()
        loss = _loss(self.network, batch)
        loss.backward()
        nn.utils.clip_grad_norm_([self.weights], schedule.clip)
        self._adam.step()
        self.iteration += 1
        self._average()
        return float(loss.detach())

    def loss(self, batch: Batch) -> float:
        """Return the loss of a batch with the averaged weights, without dropout."""
        self.network.eval()
        own = self.weights.detach().clone()
        with torch.no_grad():
            self.weights.copy_(self.average)  # of which the network's tensors are views
            loss = float(_loss(self.network, batch))
            self.weights.copy_(own)
        return loss

    def keep(self) -> None:
        """Let the average of now be the best."""
        self.best.copy_(self.average)

    def go_back(self) -> None:
        """Go on from the best average."""
        self.weights.data.copy_(self.best)
        self.average.copy_(self.best)

    def _average(self) -> None:
        # At first the mean of all steps but the very first, which have much to learn.
        rate = min(self._schedule.ema, self.iteration / (self.iteration + _FORGOTTEN))
        self.average.lerp_(self.weights.detach(), 1 - rate)

    def model(self, **about: Any) -> Model:
        """Return a model of the best averaged weights, with other attributes changed."""
        network = ScoreNetwork.of(self._model)
        nn.utils.vector_to_parameters(self.best, network.parameters())
        first = self._model
        return Model(network.tensors(), first.phases, first.channels, first.levels, **about)

    def state(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Return all that the next step depends on but `iteration`."""
        moments = self._adam.state.get(self.weights, {})
        zeros = torch.zeros_like(self.average)
        found = {
            "weights": self.weights.detach(),
            "average": self.average,
            "best": self.best,
            "first_moment": moments.get("exp_avg", zeros),
            "second_moment": moments.get("exp_avg_sq", zeros),
        }
        return {name: tensor.numpy().copy() for name, tensor in found.items()}

    def restore(
        self, iteration: int, state: dict[str, np.ndarray[Any, np.dtype[np.float32]]]
    ) -> None:
        """Go back to a state."""
        tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
        self.iteration = iteration
        self.weights.data.copy_(tensors["weights"])
        self.average.copy_(tensors["average"])
        self.best.copy_(tensors["best"])
        self._adam.state[self.weights] = {
            "step": torch.tensor(float(iteration)),
            "exp_avg": tensors["first_moment"],
            "exp_avg_sq": tensors["second_moment"],
        }


def _loss(network: ScoreNetwork, batch: Batch) -> Tensor:
    """Return equation 5 per pixel: ½ σ² |s + (x̃ − x)/σ²|² is ½ |F(x̃) + z|²."""
    noisy, noise = torch.from_numpy(batch.noisy), torch.from_numpy(batch.noise)
    loss: Tensor = (network.raw(noisy) + noise).square().mean() / 2
    return loss
