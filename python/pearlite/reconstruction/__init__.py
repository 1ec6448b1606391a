"""Microstructures from their statistics.

- `sample`: a new structure, statistically equivalent to references and a copy of none.
- `match`: a structure that has the given statistics themselves.
"""

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

if TYPE_CHECKING:
    from pearlite.reconstruction._correlations import Correlations
    from pearlite.reconstruction._match import match
    from pearlite.reconstruction._overlap import Overlap, overlap
    from pearlite.reconstruction._result import History, Result
    from pearlite.reconstruction._sample import sample
    from pearlite.reconstruction._sample_comparison import Comparison

__all__ = [
    "Comparison",
    "Correlations",
    "History",
    "Overlap",
    "Result",
    "match",
    "overlap",
    "sample",
]

# Imported when first used.
_HOME = {
    "Comparison": "_sample_comparison",
    "Correlations": "_correlations",
    "History": "_result",
    "Overlap": "_overlap",
    "Result": "_result",
    "match": "_match",
    "overlap": "_overlap",
    "sample": "_sample",
}

__getattr__, __dir__ = attributes(__name__, _HOME)
