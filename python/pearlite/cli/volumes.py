"""What commands that read images share: how many axes these have, their pixels, places to write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import io
from pearlite.cli.app import UsageError


def parse_spacing(text: str) -> tuple[float, ...]:
    """Read one length, or one for each axis, or raise a UsageError."""
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 2, 3) or not all(np.isfinite(h) and h > 0 for h in sizes):
        raise UsageError(f"--spacing: {text!r} is not one to three lengths > 0")
    return tuple(sizes)


def parse_shape(text: str) -> tuple[int, ...]:
    """Read numbers of pixels along the axes, or one for all, or raise a UsageError."""
    try:
        sizes = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    if len(sizes) not in (1, 2, 3) or min(sizes) < 2:
        raise UsageError(f"--shape: {text!r} is not one to three numbers of pixels from 2 on")
    return sizes


def two_phases(images: npt.NDArray[Any], threshold: float) -> npt.NDArray[np.uint8]:
    """Return labels: 0 below the threshold, 1 from it on."""
    if not np.isfinite(threshold):
        raise UsageError(f"--threshold: {threshold} is not finite")
    return (np.asarray(images) >= threshold).astype(np.uint8)


def raw_files(files: Sequence[str], shape: str | None, dtype: str | None) -> list[str]:
    """Add the shape and type of number to the names of bare numbers, `.raw`."""
    bare = [file.lower().endswith(".raw") for file in files]
    if shape is None and dtype is None:
        return list(files)
    if shape is None or dtype is None:
        raise UsageError("--shape and --dtype go together, and tell what is in a .raw file")
    if not any(bare):
        raise UsageError("--shape and --dtype are for .raw files, and there is none")
    told = f":{shape.replace(',', 'x')}:{dtype}"
    return [file + told if is_bare else file for file, is_bare in zip(files, bare, strict=True)]


def common_dim(files: Sequence[str], grids: Sequence[io.Grid], dim: int | None) -> int:
    """Return the number of axes of all images: the one asked for, or what the files say, or 2."""
    found = [grid.spatial(dim) for grid in grids]
    for file, number in zip(files, found, strict=True):
        if number != found[0]:
            raise UsageError(
                f"{file} holds images of {number} axes, and {files[0]} of {found[0]}: "
                "say which with --dim, or give them apart"
            )
    return found[0]


def check_axes(file: str, images: npt.NDArray[Any], dim: int) -> None:
    """Raise unless there are images of `dim` axes with at least 2 pixels along each."""
    if images.ndim < dim:
        raise io.FileError(f"{file}: has the shape {images.shape}; expected {dim} axes")
    shape = images.shape[-dim:]
    if min(shape) < 2:
        sizes = " x ".join(map(str, shape))
        raise io.FileError(
            f"{file}: images of {sizes} pixels; expected at least {' x '.join(['2'] * dim)}"
        )


def check_places(files: Iterable[str], targets: Iterable[Path]) -> None:
    """Refuse to write where it would fail, or upon an input, before any work."""
    inputs = [file for file in files if os.path.exists(file)]
    for path in targets:
        if path.exists() and any(map(path.samefile, inputs)):
            raise UsageError(f"{path} is also an input; it would be replaced")
        if path.is_dir():
            raise io.FileError(f"{path}: is a folder")
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            raise io.FileError(f"{path}: its folder does not exist or cannot be written to")
