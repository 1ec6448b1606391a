"""The size of a voxel in a TIFF, which three programs write in three ways."""

from __future__ import annotations

import xml.etree.ElementTree as Tree
from typing import Any

from pearlite.io.grids import unit_text

Sizes = tuple[Any, Any, Any]  # along z, y and x; NaN where the file does not tell

_NONE: Sizes = (float("nan"),) * 3


def voxel(tiff: Any) -> tuple[Sizes, str]:
    """Return the size of a voxel and its unit: of pearlite's files, ImageJ's, or OME-TIFF.

    The resolution alone is not used: without any of these it is that of a printer or screen.
    """
    try:
        for told in (_own, _imagej, _ome):
            found = told(tiff)
            if found is not None:
                return found
    except (ArithmeticError, LookupError, TypeError, ValueError, Tree.ParseError):
        pass  # what says nothing of sizes can still be an image
    return _NONE, ""


def _own(tiff: Any) -> tuple[Sizes, str] | None:
    shaped = tiff.shaped_metadata
    if not shaped or "spacing" not in shaped[0]:
        return None
    sizes = shaped[0]["spacing"]
    filled: Any = (*_NONE[len(sizes) :], *sizes)
    return filled, unit_text(shaped[0].get("unit", ""))


def _imagej(tiff: Any) -> tuple[Sizes, str] | None:
    told = tiff.imagej_metadata
    if not told or not told.get("unit"):
        return None
    tags = tiff.pages.first.tags
    across = [tags[f"{axis}Resolution"].value for axis in "YX"]  # pixels in a unit, as fractions
    y, x = (below / above for above, below in across)
    return (told.get("spacing", _NONE[0]), y, x), unit_text(told["unit"])


def _ome(tiff: Any) -> tuple[Sizes, str] | None:
    text = tiff.ome_metadata
    if not text or "<!" in text.replace("<!--", ""):  # entities can explode
        return None
    pixels = next((e for e in Tree.fromstring(text).iter() if e.tag.endswith("Pixels")), None)
    if pixels is None:
        return None
    sizes: Any = tuple(float(pixels.get(f"PhysicalSize{axis}", "nan")) for axis in "ZYX")
    units = {pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "ZYX"}
    return sizes, unit_text(units.pop()) if len(units) == 1 else ""
