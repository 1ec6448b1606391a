"""Batches past memory and past one machine.

`homogenize`, `two_point` and `characterize` go through the images of a file chunk by chunk, keep
each finished chunk on disk, and join them to a table in the end; an interrupted run is resumed.
dask and xarray arrays go straight into `pearlite.homogenize`.
"""

from pearlite.batch._homogenize import homogenize
from pearlite.batch._run import Failure, Report
from pearlite.batch._statistics import characterize, two_point

__all__ = ["Failure", "Report", "characterize", "homogenize", "two_point"]
