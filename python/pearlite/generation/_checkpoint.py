"""Checkpoints of a training: safetensors again, so that reading one executes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite.io.errors import FileError, file_name, one_line, shown
from pearlite.io.writing import replacing

_KEY = "pearlite_checkpoint"
_STATE = ("weights", "average", "best", "first_moment", "second_moment")
HISTORY = ("iteration", "loss", "validation_loss", "seconds")


def save(
    path: str | os.PathLike[str],
    identity: dict[str, Any],
    iteration: int,
    state: dict[str, NDArray[np.float32]],
    history: NDArray[np.float64],
) -> None:
    """Write a checkpoint; the file appears whole or not at all.

    Parameters
    ----------
    path : str or path
    identity : dict
        What training this is; see `load`.
    iteration : int
    state : dict of (parameters,) arrays
        Of `Optimizer.state`.
    history : (records, 4) float64 array
        One column for each name in `HISTORY`.
    """
    from safetensors.numpy import save as serialized

    about = json.dumps({"identity": identity, "iteration": iteration})
    with replacing(path) as temporary:
        temporary.write_bytes(serialized({**state, "history": history}, {_KEY: about}))


def load(
    path: str | os.PathLike[str],
) -> tuple[dict[str, Any], int, dict[str, NDArray[np.float32]], NDArray[np.float64]]:
    """Read a checkpoint: identity, iteration, state and history.

    Raises
    ------
    FileError
        If the file is missing, damaged or no checkpoint.
    """
    from safetensors import SafetensorError, safe_open

    name = file_name(path)
    if not Path(name).is_file():
        raise FileError(f"{shown(name)}: no such file")
    try:
        with safe_open(name, framework="numpy") as file:
            about = json.loads((file.metadata() or {})[_KEY])
            tensors = {key: file.get_tensor(key) for key in (*_STATE, "history")}
        identity, iteration = dict(about["identity"]), int(about["iteration"])
        history = np.asarray(tensors.pop("history"), np.float64).reshape(-1, len(HISTORY))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{shown(name)}: not a checkpoint of a training ({one_line(error)})") from (
            error
        )
    return identity, iteration, tensors, history
