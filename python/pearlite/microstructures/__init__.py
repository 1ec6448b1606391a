"""Random and regular model microstructures, as labels ready for `pearlite.homogenize`.

Labels have the smallest unsigned type that holds them. Pixel i of n has its centre at (i+½)/n of
the cell's side. Random models take an explicit `seed`; image number `sample` of a seed is the same
whatever batch it is drawn in, and the same random numbers stand behind images of other parameters.
The models that are objects make this explicit: `draw` gives the numbers, `labels` (or `field`)
turns numbers and parameters into microstructures.
"""

from pearlite.microstructures.dirichlet import (
    DirichletField,
    dirichlet,
    log_gamma_of_normal,
    log_gamma_quantile,
)
from pearlite.microstructures.gaussian_field import GaussianField
from pearlite.microstructures.inclusions import discs, spheres
from pearlite.microstructures.mosaic import DirichletMosaic, MosaicDraws, categorical
from pearlite.microstructures.neumann import NeumannField
from pearlite.microstructures.noise import level_set, thresholded_noise
from pearlite.microstructures.patterns import checkerboard, laminate
from pearlite.microstructures.specimens import (
    LocallyPeriodic,
    LocallyStationary,
    SpecimenDraws,
)
from pearlite.microstructures.tessellation import LaguerreCells, voronoi

__all__ = [
    "DirichletField",
    "DirichletMosaic",
    "GaussianField",
    "LaguerreCells",
    "LocallyPeriodic",
    "LocallyStationary",
    "MosaicDraws",
    "NeumannField",
    "SpecimenDraws",
    "categorical",
    "checkerboard",
    "dirichlet",
    "discs",
    "laminate",
    "level_set",
    "log_gamma_of_normal",
    "log_gamma_quantile",
    "spheres",
    "thresholded_noise",
    "voronoi",
]
