"""Batches past memory and past one machine.

`homogenize`, `two_point` and `characterize` go through the images of a file chunk by chunk,
`generate` makes images and `simulate` samples of a model. They keep each finished chunk on disk,
and join them to a table or store in the end; an interrupted run is resumed. dask and xarray arrays
go straight into `pearlite.homogenize`.
"""

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

if TYPE_CHECKING:
    from pearlite.batch._generate import generate
    from pearlite.batch._homogenize import homogenize
    from pearlite.batch._run import Failure, Report
    from pearlite.batch._simulate import simulate
    from pearlite.batch._statistics import characterize, two_point

__all__ = [
    "Failure",
    "Report",
    "characterize",
    "generate",
    "homogenize",
    "simulate",
    "two_point",
]

# Imported when first used: each name's own module.
_HOME = {
    "Failure": "_run",
    "Report": "_run",
    "characterize": "_statistics",
    "generate": "_generate",
    "homogenize": "_homogenize",
    "simulate": "_simulate",
    "two_point": "_statistics",
}

__getattr__, __dir__ = attributes(__name__, _HOME)
