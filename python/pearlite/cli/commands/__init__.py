"""The commands and their options; what they do is imported only when one runs."""

# Their order is that of `pearlite --help`.
from pearlite.cli.commands import homogenize  # isort: skip
from pearlite.cli.commands import tessellate  # isort: skip
from pearlite.cli.commands import statistics  # isort: skip
from pearlite.cli.commands import reconstruct  # isort: skip
from pearlite.cli.commands import train  # isort: skip
from pearlite.cli.commands import generate  # isort: skip
from pearlite.cli.commands import invert  # isort: skip
from pearlite.cli.commands import demo  # isort: skip
from pearlite.cli.commands import info  # isort: skip

__all__ = [
    "demo",
    "generate",
    "homogenize",
    "info",
    "invert",
    "reconstruct",
    "statistics",
    "tessellate",
    "train",
]
