"""Spatial correlations of microstructures, and losses on them.

- `two_point`: two-point correlations of labels or fields.
- `descriptor`: two- and three-point correlations on a window of vectors, as `Descriptor`.
- `bispectrum`: all three-point correlations, as their Fourier transform; `bispectrum_loss` is the
  distance of a field's from given ones.
- `kernel_loss`: the distance of *all* p-point correlations of a field and reference images, at the
  cost of a few Fourier transforms; `KernelTarget` prepares the references once.
"""

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

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

__getattr__, __dir__ = attributes(__name__, _HOME)
