"""Distributional inverse homogenization: from many measured tensors to the law of random cells.

A `Model` turns parameters and random numbers into samples of the effective conductivity.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pearlite.inversion._dirichlet import DirichletLayers
    from pearlite.inversion._divergences import energy_distance, mmd
    from pearlite.inversion._fit import fit
    from pearlite.inversion._laguerre import PeriodicLaguerre
    from pearlite.inversion._model import Model
    from pearlite.inversion._parameters import Block, Layout
    from pearlite.inversion._projections import GaussNewton, SortedProjections
    from pearlite.inversion._result import Fit
    from pearlite.inversion._transport import sliced_wasserstein
    from pearlite.inversion._uniform import UniformLayers
    from pearlite.inversion._variogram import Thinning, Variogram, thin, variogram
    from pearlite.inversion.measurements import Measurements, read_measurements

__all__ = [
    "Block",
    "DirichletLayers",
    "Fit",
    "GaussNewton",
    "Layout",
    "Measurements",
    "Model",
    "PeriodicLaguerre",
    "SortedProjections",
    "Thinning",
    "UniformLayers",
    "Variogram",
    "energy_distance",
    "fit",
    "mmd",
    "read_measurements",
    "sliced_wasserstein",
    "thin",
    "variogram",
]

# Imported when first used: each name's own module.
_HOME = {
    "Block": "_parameters",
    "Layout": "_parameters",
    "DirichletLayers": "_dirichlet",
    "Fit": "_result",
    "GaussNewton": "_projections",
    "Model": "_model",
    "PeriodicLaguerre": "_laguerre",
    "SortedProjections": "_projections",
    "UniformLayers": "_uniform",
    "energy_distance": "_divergences",
    "fit": "_fit",
    "mmd": "_divergences",
    "Measurements": "measurements",
    "Thinning": "_variogram",
    "Variogram": "_variogram",
    "read_measurements": "measurements",
    "sliced_wasserstein": "_transport",
    "thin": "_variogram",
    "variogram": "_variogram",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
