"""Images in, tables out: the files of the command line, usable from Python as well."""

from pearlite.io.errors import EndingError, FileError, MissingPackageError
from pearlite.io.phases import PhaseError, PhaseMap, distinct_values, parse_conductivity
from pearlite.io.reading import read_images
from pearlite.io.writing import replacing, table_format, write_table

__all__ = [
    "EndingError",
    "FileError",
    "MissingPackageError",
    "PhaseError",
    "PhaseMap",
    "distinct_values",
    "parse_conductivity",
    "read_images",
    "replacing",
    "table_format",
    "write_table",
]
