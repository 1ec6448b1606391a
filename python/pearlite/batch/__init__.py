"""Batches past memory and past one machine.

`homogenize` goes through the images of a file chunk by chunk, keeps each finished chunk on disk,
and joins them to a table in the end; an interrupted run is resumed. dask and xarray arrays go
straight into `pearlite.homogenize`.
"""

from pearlite.batch._homogenize import homogenize
from pearlite.batch._run import Failure, Report

__all__ = ["Failure", "Report", "homogenize"]
