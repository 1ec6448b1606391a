"""The image that a model was trained on, in the model's record of its training."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite.generation._model import Model
from pearlite.io.errors import FileError

KEY = "image"  # in `Model.training`
_SHIPPED = ("models", "discs.safetensors")
_MOST_BYTES = 2**28


def shipped() -> Model:
    """Return the model that comes with the package.

    Raises
    ------
    FileError
        If this installation has none.
    """
    place = resources.files("pearlite.generation").joinpath(*_SHIPPED)
    if not place.is_file():
        raise FileError("this installation of pearlite has no model of its own; give one")
    with resources.as_file(place) as path:
        return Model.load(path)


def encoded(labels: NDArray[np.uint8]) -> dict[str, object]:
    """Return an image (*shape) as JSON holds it: its shape, and compressed bytes in base 64.

    Examples
    --------
    >>> image = np.eye(3, dtype=np.uint8)
    >>> bool((decoded(encoded(image)) == image).all())
    True
    """
    packed = zlib.compress(np.ascontiguousarray(labels, np.uint8).tobytes(), 9)
    return {"shape": list(labels.shape), "labels": base64.b64encode(packed).decode("ascii")}


def decoded(record: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the image of a record, or raise a ValueError."""
    try:
        shape = tuple(int(n) for n in record["shape"])
        size = math.prod(shape)
        if not 0 < size <= _MOST_BYTES:
            raise ValueError(f"an image of shape {shape}")
        # No more is unpacked than the shape says, whatever the bytes expand to.
        data = zlib.decompressobj().decompress(base64.b64decode(record["labels"]), size + 1)
        return np.frombuffer(data, np.uint8).reshape(shape)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"the model's training holds a damaged image ({error})") from None


def reference(model: Model) -> NDArray[np.uint8] | None:
    """Return the image (*shape) that a model was trained on, if it keeps it."""
    record = model.training.get(KEY)
    return decoded(record) if isinstance(record, Mapping) else None
