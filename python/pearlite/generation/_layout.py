"""The score network's layers: what each tensor of a model is called, and its shape."""

from __future__ import annotations

NORM = ("norm.alpha", "norm.gamma", "norm.beta", "slope")  # (channels,) each

MOST_PHASES = 16
MOST_CHANNELS = 1024
MOST_LEVELS = 6


def inputs(phases: int) -> int:
    """Return the channels of an image: phase 1 of two, whose rest is phase 0, or every phase."""
    return 1 if phases == 2 else phases


def repeats(level: int) -> int:
    """Return how many 3×3 convolutions stand on each side of a level."""
    return 2 if level == 0 else 1


def layers(levels: int) -> list[str]:
    """Return the names of the layers in the order in which an image passes them.

    Examples
    --------
    >>> print(*layers(1))
    lift encode.0.0 encode.0.1 down.0 bottom.0 bottom.1 up.0 merge.0 decode.0.0 decode.0.1 out
    """
    names = ["lift"]
    for level in range(levels):
        names += [f"encode.{level}.{k}" for k in range(repeats(level))]
        names.append(f"down.{level}")
    names += ["bottom.0", "bottom.1"]
    for level in reversed(range(levels)):
        names += [f"up.{level}", f"merge.{level}"]
        names += [f"decode.{level}.{k}" for k in range(repeats(level))]
    return [*names, "out"]


def shapes(phases: int, channels: int, levels: int, dim: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by its name, in the order of the layers.

    Weights are (out, in, k, k), those of `up` (in, out, 2, 2), as torch has them.
    """
    ends = inputs(phases)
    found: dict[str, tuple[int, ...]] = {}
    for layer in layers(levels):
        kind = layer.partition(".")[0]
        size = {"down": 2, "up": 2, "merge": 1}.get(kind, 3)
        entering = {"lift": ends, "merge": 2 * channels}.get(kind, channels)
        leaving = ends if kind == "out" else channels
        found[f"{layer}.weight"] = (leaving, entering, *(size,) * dim)
        found[f"{layer}.bias"] = (leaving,)
        if kind != "out":
            found |= {f"{layer}.{name}": (channels,) for name in NORM}
    return found
