"""Images and volumes in, tables and images out: the files of the command line, for Python too."""

from pearlite.io.columns import column_format, write_columns
from pearlite.io.errors import EndingError, FileError, MissingPackageError
from pearlite.io.grids import Grid
from pearlite.io.images import image_format, write_image
from pearlite.io.phases import PhaseError, PhaseMap, distinct_values, parse_conductivity
from pearlite.io.reading import read_grid, read_images
from pearlite.io.vti import write_vti
from pearlite.io.writing import replacing, table_format, write_table

__all__ = [
    "EndingError",
    "FileError",
    "Grid",
    "MissingPackageError",
    "PhaseError",
    "PhaseMap",
    "column_format",
    "distinct_values",
    "image_format",
    "parse_conductivity",
    "read_grid",
    "read_images",
    "replacing",
    "table_format",
    "write_columns",
    "write_image",
    "write_table",
    "write_vti",
]
