"""Fast batched kernels for microstructures.

Homogenize a batch of periodic microstructures in one call:

>>> import numpy as np
>>> import pearlite as pl
>>> labels = np.zeros((1000, 16, 16), dtype=np.uint8)
>>> labels[:, ::2] = 1
>>> effective = pl.homogenize(labels, phases=[1.0, 10.0])
>>> effective.shape
(1000, 2, 2)
>>> effective[0].diagonal().round(4)  # harmonic across the layers, arithmetic along them
array([1.8182, 5.5   ])
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pearlite._bounds import Bounds, bounds
    from pearlite._errors import ConvergenceError
    from pearlite._gradient import homogenize_with_gradient
    from pearlite.corrector import Correctors, homogenize, solve_correctors

__version__ = "0.1.0"

__all__ = [
    "Bounds",
    "ConvergenceError",
    "Correctors",
    "__version__",
    "bounds",
    "homogenize",
    "homogenize_with_gradient",
    "solve_correctors",
]

# Imported when first used, so that `import pearlite` takes no time.
_HOME = {
    "Bounds": "_bounds",
    "ConvergenceError": "_errors",
    "Correctors": "corrector",
    "bounds": "_bounds",
    "homogenize": "corrector",
    "homogenize_with_gradient": "_gradient",
    "solve_correctors": "corrector",
}
_MODULES = {
    "autograd",
    "batch",
    "correlation",
    "corrector",
    "generation",
    "inversion",
    "io",
    "jax",
    "laguerre",
    "langevin",
    "microstructures",
    "plot",
    "reconstruction",
    "sklearn",
    "statistics",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
