"""Random and regular model microstructures, as labels ready for `pearlite.homogenize`.

Every function returns labels (uint8) on a periodic grid. Pixels are square and pixel i of n has its
centre at (i+½)/n of the cell's side. Random models take an explicit `seed`; image number `sample`
of a seed is the same whatever batch it is drawn in.
"""

from pearlite.microstructures.inclusions import discs
from pearlite.microstructures.noise import thresholded_noise
from pearlite.microstructures.patterns import checkerboard, laminate
from pearlite.microstructures.tessellation import voronoi

__all__ = ["checkerboard", "discs", "laminate", "thresholded_noise", "voronoi"]
