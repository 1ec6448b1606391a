"""PNG and TIFF: grey values as the file has them, never converted by the decoder."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite.io import tiff_axes
from pearlite.io.errors import FileError, optional
from pearlite.io.grids import Grid, positive

_GREY_MODES = {"1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"}


def read_png(path: Path, _name: str | None) -> npt.NDArray[Any]:
    """Read a PNG: (n0, n1), the grey values or palette indices."""
    image_module = optional("PIL.Image", "images", "reading PNG")
    with warnings.catch_warnings():
        # Large images are this program's daily bread, not an attack.
        warnings.simplefilter("ignore", image_module.DecompressionBombWarning)
        with image_module.open(path, formats=["PNG"]) as picture:
            if getattr(picture, "n_frames", 1) != 1:
                raise FileError("is an animation; expected one image (use a TIFF stack)")
            deep = any("16" in str(tile[-1]) for tile in picture.tile)
            picture.load()
            mode, pixels = picture.mode, np.asarray(picture)
    if mode in _GREY_MODES:
        return pixels
    if deep:
        raise FileError("has 16-bit colour or transparency; expected grey values")
    return _grey(pixels, has_alpha=mode.endswith("A"))


def read_tiff(path: Path, _name: str | None) -> Grid:
    """Read a TIFF: (n0, n1), or (pages, n0, n1) of a stack, a volume if the file says so."""
    tifffile = optional("tifffile", "images", "reading TIFF")
    with _complaints("tifffile") as complaints, tifffile.TiffFile(path) as tiff:
        # Counting the pages first finds the end of a chain of pages that bites its own tail.
        if len(tiff.pages) == 0 or not tiff.series:
            raise FileError("not a readable tiff file (it has no page)")
        if len(tiff.series) > 1:
            shapes = ", ".join(str(series.shape) for series in tiff.series)
            raise FileError(f"holds {len(tiff.series)} image series, of shapes {shapes}")
        series = tiff.series[0]
        axes: str = series.axes
        colours: str = series.keyframe.photometric.name
        has_alpha = bool(series.keyframe.extrasamples)
        # Before decoding too: millions of strips that a damaged size stands for take minutes.
        _refuse_damage(complaints)
        pixels = _pixels(series, path, complaints)
        sizes, unit = tiff_axes.voxel(tiff)
    # A truncated strip is only complained about, and its pixels are made up.
    _refuse_damage(complaints)
    if "S" in axes:
        if colours not in ("RGB", "MINISBLACK", "MINISWHITE"):
            raise FileError(f"has {colours} colours; expected grey values")
        pixels, axes = np.moveaxis(pixels, axes.index("S"), -1), axes.replace("S", "")
        pixels = _grey(pixels, has_alpha=has_alpha)
    if "Y" not in axes or "X" not in axes:
        return Grid(pixels)
    space = "ZYX" if "Z" in axes else "YX"
    images = np.moveaxis(pixels, [axes.index(a) for a in space], range(-len(space), 0))
    spacing = positive(sizes[-len(space) :], len(space))
    return Grid(images, 3 if space == "ZYX" else None, spacing, unit if spacing else "")


def _pixels(series: Any, path: Path, complaints: list[str]) -> npt.NDArray[Any]:
    """Decode a series, by Pillow if it is grey in a compression that tifffile cannot undo."""
    try:
        pixels: npt.NDArray[Any] = series.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error) or series.keyframe.photometric.name != "MINISBLACK":
            raise
        _refuse_damage(complaints)
        pixels = _decoded_pages(path)
        if pixels.shape != series.shape:
            raise FileError("not a readable tiff file (pages are missing)") from error
    return pixels


def _refuse_damage(complaints: list[str]) -> None:
    if complaints:
        raise FileError(f"not a readable tiff file ({complaints[0]})")


def _decoded_pages(path: Path) -> npt.NDArray[Any]:
    """Read all pages of a grey TIFF in a compression such as LZW: (n0, n1) or (pages, n0, n1)."""
    image_module = optional("PIL.Image", "images", "reading compressed TIFF")
    with warnings.catch_warnings(), image_module.open(path, formats=["TIFF"]) as picture:
        warnings.simplefilter("error")  # it warns of damaged tags and goes on
        pages = []
        for number in range(picture.n_frames):
            picture.seek(number)
            pages.append(np.asarray(picture))
    return pages[0] if len(pages) == 1 else np.stack(pages)


@contextmanager
def _complaints(name: str) -> Iterator[list[str]]:
    """Collect what a decoder logs instead of raising, and keep it off the terminal."""
    collector = _Collector()
    logger = logging.getLogger(name)
    propagate = logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate


class _Collector(logging.Handler):
    """Keep errors as lines, and end the decoding: a damaged file may have millions of them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one error, and raise it."""
        self.messages.append(" ".join(record.getMessage().split()))
        raise FileError(f"not a readable tiff file ({self.messages[0]})")


def _grey(pixels: npt.NDArray[Any], *, has_alpha: bool) -> npt.NDArray[Any]:
    """Reduce (..., channels) to its grey value, if it is grey and opaque."""
    colour = pixels
    if has_alpha:
        colour, alpha = pixels[..., :-1], pixels[..., -1]
        if np.any(alpha != np.iinfo(alpha.dtype).max):
            raise FileError("is partly transparent; expected opaque grey values")
    if np.any(colour != colour[..., :1]):
        raise FileError("is a colour image; expected grey values (three equal channels)")
    return colour[..., 0]
