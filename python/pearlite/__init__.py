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

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

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

__getattr__, __dir__ = attributes(__name__, {**_HOME, **{name: name for name in _MODULES}})
