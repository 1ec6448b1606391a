"""Spatial correlations of microstructures, and losses on them.

- `two_point`: two-point correlations of labels or fields.
- `descriptor`: two- and three-point correlations on a window of vectors, as `Descriptor`.
- `bispectrum`: all three-point correlations, as their Fourier transform; `bispectrum_loss` is the
  distance of a field's from given ones.
- `kernel_loss`: the distance of *all* p-point correlations of a field and reference images, at the
  cost of a few Fourier transforms; `KernelTarget` prepares the references once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pearlite.correlation._bispectrum import (
        bispectrum,
        bispectrum_loss,
        bispectrum_loss_with_gradient,
    )
    from pearlite.correlation._descriptor import Descriptor, descriptor
    from pearlite.correlation._kernel_loss import kernel_loss, kernel_loss_with_gradient
    from pearlite.correlation._kernel_target import KernelTarget
    from pearlite.correlation._two_point import two_point

__all__ = [
    "Descriptor",
    "KernelTarget",
    "bispectrum",
    "bispectrum_loss",
    "bispectrum_loss_with_gradient",
    "descriptor",
    "kernel_loss",
    "kernel_loss_with_gradient",
    "two_point",
]

# Imported when first used.
_HOME = {
    "Descriptor": "_descriptor",
    "KernelTarget": "_kernel_target",
    "bispectrum": "_bispectrum",
    "bispectrum_loss": "_bispectrum",
    "bispectrum_loss_with_gradient": "_bispectrum",
    "descriptor": "_descriptor",
    "kernel_loss": "_kernel_loss",
    "kernel_loss_with_gradient": "_kernel_loss",
    "two_point": "_two_point",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
