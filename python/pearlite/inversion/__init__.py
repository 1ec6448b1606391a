"""Distributional inverse homogenization: from many measured tensors to the law of random cells.

A `Model` turns parameters and random numbers into samples of the effective conductivity.
"""

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

if TYPE_CHECKING:
    from pearlite.inversion._dirichlet import DirichletLayers
    from pearlite.inversion._divergences import energy_distance, mmd
    from pearlite.inversion._fit import fit
    from pearlite.inversion._identify import Identifiability, identifiability
    from pearlite.inversion._laguerre import PeriodicLaguerre
    from pearlite.inversion._locality import effective_count
    from pearlite.inversion._model import Model, sample
    from pearlite.inversion._parameters import Block, Layout
    from pearlite.inversion._profile import Profile, profile
    from pearlite.inversion._projections import GaussNewton, SortedProjections
    from pearlite.inversion._resample import Bootstrap, Goodness, bootstrap, goodness
    from pearlite.inversion._result import Fit, History, Restart
    from pearlite.inversion._stochastic import StochasticMosaics
    from pearlite.inversion._stochastic_bound import InformationBound, information_bound
    from pearlite.inversion._stochastic_local import StationarySpecimens
    from pearlite.inversion._transport import sliced_wasserstein
    from pearlite.inversion._uniform import UniformLayers
    from pearlite.inversion._variogram import Thinning, Variogram, thin, variogram
    from pearlite.inversion.measurements import Measurements, read_measurements

__all__ = [
    "Block",
    "Bootstrap",
    "DirichletLayers",
    "Fit",
    "GaussNewton",
    "Goodness",
    "History",
    "Identifiability",
    "InformationBound",
    "Layout",
    "Measurements",
    "Model",
    "PeriodicLaguerre",
    "Profile",
    "Restart",
    "SortedProjections",
    "StationarySpecimens",
    "StochasticMosaics",
    "Thinning",
    "UniformLayers",
    "Variogram",
    "bootstrap",
    "effective_count",
    "energy_distance",
    "fit",
    "goodness",
    "identifiability",
    "information_bound",
    "mmd",
    "profile",
    "read_measurements",
    "sample",
    "sliced_wasserstein",
    "thin",
    "variogram",
]

# Imported when first used: each name's own module.
_HOME = {
    "Block": "_parameters",
    "Bootstrap": "_resample",
    "DirichletLayers": "_dirichlet",
    "Fit": "_result",
    "GaussNewton": "_projections",
    "Goodness": "_resample",
    "History": "_result",
    "Identifiability": "_identify",
    "InformationBound": "_stochastic_bound",
    "Layout": "_parameters",
    "Measurements": "measurements",
    "Model": "_model",
    "PeriodicLaguerre": "_laguerre",
    "Profile": "_profile",
    "Restart": "_result",
    "SortedProjections": "_projections",
    "StationarySpecimens": "_stochastic_local",
    "StochasticMosaics": "_stochastic",
    "Thinning": "_variogram",
    "UniformLayers": "_uniform",
    "Variogram": "_variogram",
    "bootstrap": "_resample",
    "effective_count": "_locality",
    "energy_distance": "_divergences",
    "fit": "_fit",
    "goodness": "_resample",
    "identifiability": "_identify",
    "information_bound": "_stochastic_bound",
    "mmd": "_divergences",
    "profile": "_profile",
    "read_measurements": "measurements",
    "sample": "_model",
    "sliced_wasserstein": "_transport",
    "thin": "_variogram",
    "variogram": "_variogram",
}

__getattr__, __dir__ = attributes(__name__, _HOME)
