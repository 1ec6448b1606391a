"""Algebra of symmetric tensors of arrays of numpy, and of cupy where they are planar."""

from typing import Any

import numpy as np

from pearlite import _cuda


def library(array: Any) -> Any:
    """Return numpy, or for an array of cupy that."""
    return _cuda.library() if _cuda.is_array(array) else np


class Entries:
    """Entries of symmetric tensors (..., 2, 2), in double precision."""

    def __init__(self, tensors: Any) -> None:
        self.a00 = tensors[..., 0, 0].astype(np.float64)
        self.a11 = tensors[..., 1, 1].astype(np.float64)
        # Of float32 tensors the halves may differ by rounding; the kernels take the mean as well.
        self.a01 = (tensors[..., 0, 1].astype(np.float64) + tensors[..., 1, 0]) / 2
        self.determinant = self.a00 * self.a11 - self.a01**2

    @property
    def shear(self) -> Any:
        return 2 * self.a00 * self.a11 / self.determinant


def turned_inverse(tensors: Any) -> Any:
    """Return R t⁻¹ Rᵀ of symmetric tensors (..., 2, 2): in two dimensions it is t / det t."""
    a = Entries(tensors)
    columns = [entry / a.determinant for entry in (a.a00, a.a01, a.a01, a.a11)]
    return library(tensors).stack(columns, axis=-1).reshape(tensors.shape)


def geometric_mean(first: Any, second: Any) -> Any:
    """Return the matrix mean a # b of positive definite tensors (..., 2, 2).

    In two dimensions it is the mean of a/√det a and b/√det b, scaled to determinant √(det a det b).
    """
    if first.shape[-1] == 3:
        return _spatial_mean(first, second)
    sqrt = library(first).sqrt
    roots = [sqrt(Entries(t).determinant)[..., None, None] for t in (first, second)]
    total = first / roots[0] + second / roots[1]
    return total * sqrt(roots[0] * roots[1] / Entries(total).determinant[..., None, None])


def _spatial_mean(first: Any, second: Any) -> Any:
    """Return a # b = √a √(a^-½ b a^-½) √a."""
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values)[..., None, :] @ vectors.swapaxes(-1, -2)
    inverse = vectors / np.sqrt(values)[..., None, :] @ vectors.swapaxes(-1, -2)
    values, vectors = np.linalg.eigh(inverse @ second @ inverse)
    middle = vectors * np.sqrt(values)[..., None, :] @ vectors.swapaxes(-1, -2)
    mean = root @ middle @ root
    return (mean + mean.swapaxes(-1, -2)) / 2


def diagonal(tensors: Any) -> Any:
    return tensors.diagonal(axis1=-2, axis2=-1)


def outer_root(values: Any) -> Any:
    """Return √(v_i v_j), (..., 2, 2), of values (..., 2)."""
    roots = library(values).sqrt(values)
    return roots[..., :, None] * roots[..., None, :]
