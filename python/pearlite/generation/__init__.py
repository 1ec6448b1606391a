"""Microstructures from a Gaussian field and a small network that has learned one image.

- `Engine`: that network compiled, for images in two dimensions; needs no torch.
- `generate`: microstructures, as an `Ensemble` that can be compared, shown and saved.
- `Model`: the weights of a score network and what they were trained for; a safetensors file.
- `ScoreNetwork`: the same as a torch module.
- `train`: such a network from one image, by a `Schedule`; `accept`: whether it has learned it.
"""

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

if TYPE_CHECKING:
    from pearlite.generation._acceptance import Acceptance, accept
    from pearlite.generation._comparison import Comparison
    from pearlite.generation._engine import Engine
    from pearlite.generation._ensemble import Ensemble, History
    from pearlite.generation._generate import generate
    from pearlite.generation._model import Model
    from pearlite.generation._network import ScoreNetwork
    from pearlite.generation._schedule import Schedule
    from pearlite.generation._training import Record, Training, train

__all__ = [
    "Acceptance",
    "Comparison",
    "Engine",
    "Ensemble",
    "History",
    "Model",
    "Record",
    "Schedule",
    "ScoreNetwork",
    "Training",
    "accept",
    "generate",
    "train",
]

# Imported when first used.
_HOME = {
    "Acceptance": "_acceptance",
    "Comparison": "_comparison",
    "Engine": "_engine",
    "Ensemble": "_ensemble",
    "History": "_ensemble",
    "Model": "_model",
    "Record": "_training",
    "Schedule": "_schedule",
    "ScoreNetwork": "_network",
    "Training": "_training",
    "accept": "_acceptance",
    "generate": "_generate",
    "train": "_training",
}

__getattr__, __dir__ = attributes(__name__, _HOME)
