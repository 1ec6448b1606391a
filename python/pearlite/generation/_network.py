"""The score network in torch: what is trained, and what the compiled one is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pearlite.generation import _layout
from pearlite.generation._model import Model
from pearlite.generation._norm import norm_prelu

_DROPOUT = 0.1

_CONVOLUTIONS: dict[int, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    2: (functional.conv2d, functional.conv_transpose2d),
    3: (functional.conv3d, functional.conv_transpose3d),
}


class ScoreNetwork(nn.Module):
    """The score network as a torch module; its state's names are those of `Model.tensors`.

    Parameters
    ----------
    phases, channels, levels, dim : int
        See `Model`.

    Raises
    ------
    ValueError
        If a number of pixels of an image is not a multiple of 2^levels.

    Examples
    --------
    >>> network = ScoreNetwork.of(Model.random(phases=3, channels=8, levels=2))
    >>> image = torch.zeros(5, 3, 16, 24)  # (batch, inputs, n0, n1)
    >>> sigma = torch.full((5,), 0.5)  # (batch,)
    >>> network(image, sigma).shape
    torch.Size([5, 3, 16, 24])
    """

    def __init__(self, phases: int, channels: int, levels: int, dim: int = 2) -> None:
        super().__init__()
        shapes = _layout.shapes(phases, channels, levels, dim)
        self.multiple = 2**levels

        def layer(name: str) -> _Layer:
            return _Layer(name.partition(".")[0], shapes[f"{name}.weight"], channels)

        def side(kind: str) -> nn.ModuleList:
            return nn.ModuleList(
                nn.ModuleList(layer(f"{kind}.{level}.{k}") for k in range(_layout.repeats(level)))
                for level in range(levels)
            )

        self.lift = layer("lift")
        self.encode = side("encode")
        self.down = nn.ModuleList(layer(f"down.{level}") for level in range(levels))
        self.bottom = nn.ModuleList(layer(f"bottom.{k}") for k in range(2))
        self.up = nn.ModuleList(layer(f"up.{level}") for level in range(levels))
        self.merge = nn.ModuleList(layer(f"merge.{level}") for level in range(levels))
        self.decode = side("decode")
        self.out = layer("out")

    @classmethod
    def of(cls, model: Model) -> ScoreNetwork:
        """Return the network with the weights of a model, ready to be evaluated."""
        network = cls(model.phases, model.channels, model.levels, model.dim)
        network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in model.tensors.items()})
        return network.eval()

    def tensors(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Return a copy of the weights for a `Model`."""
        state = self.state_dict()
        return {k: v.detach().to("cpu", torch.float32, copy=True).numpy() for k, v in state.items()}

    def forward(self, image: Tensor, sigma: Tensor) -> Tensor:
        """Return the score s(x, σ) = F(x)/σ of noisy images.

        Parameters
        ----------
        image : (batch, inputs, n0, n1[, n2]) tensor
        sigma : (batch,) tensor

        Returns
        -------
        score : (batch, inputs, n0, n1[, n2]) tensor
        """
        return self.raw(image) / sigma.reshape(-1, *(1,) * (image.ndim - 1))

    def raw(self, image: Tensor) -> Tensor:
        """Return F(x), which does not know σ; x + σ F(x) is the denoised image."""
        if any(n % self.multiple for n in image.shape[2:]):
            raise ValueError(
                f"image has shape {tuple(image.shape)}; "
                f"expected multiples of {self.multiple} pixels"
            )
        # What the compiled norm takes and the convolutions are fastest on: channels side by side.
        order = torch.channels_last if image.ndim == 4 else torch.channels_last_3d
        x = self.lift(image.contiguous(memory_format=order))
        skips = []
        for blocks, down in zip(self.encode, self.down, strict=True):
            for block in blocks:
                x = block(x)
            skips.append(functional.dropout(x, _DROPOUT, self.training))
            x = down(x)
        for block in self.bottom:
            x = block(x)
        for level in reversed(range(len(skips))):
            x = self.merge[level](torch.cat([self.up[level](x), skips[level]], dim=1))
            for block in self.decode[level]:
                x = block(x)
        result: Tensor = self.out(x)
        return result


class _Layer(nn.Module):
    """A convolution, and behind it, except in the last layer, InstanceNorm++ and a PReLU."""

    def __init__(self, kind: str, shape: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))
        # A transposed convolution's weight is (in, out, ...), both of which are `channels`.
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        plain, transposed = _CONVOLUTIONS[len(shape) - 2]
        self._convolve = transposed if kind == "up" else plain
        self._options: dict[str, int] = {"stride": 2} if kind in ("down", "up") else {}
        if shape[-1] == 3:
            self._options["padding"] = 1
        if kind != "out":
            self.norm = _Norm(channels)
            self.slope = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        x = self._convolve(x, self.weight, self.bias, **self._options)
        return self.norm(x, self.slope) if hasattr(self, "norm") else x


class _Norm(nn.Module):
    """InstanceNorm++ and the PReLU behind it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, slope: Tensor) -> Tensor:
        return norm_prelu(x, self.alpha, self.gamma, self.beta, slope)
