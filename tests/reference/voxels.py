"""Homogenization with trilinear elements on voxels, by a sparse direct solver."""

import itertools

import numpy as np
import scipy.sparse as sparse
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import spsolve

CORNERS = list(itertools.product((0, 1), repeat=3))


def element(spacing: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ∫ ∇φ_p·∇φ_q (8, 8) and ∫ ∂φ_p/∂x_d (3, 8) of one voxel over its volume."""
    stiffness, mass = np.array([[1, -1], [-1, 1]]), np.array([[2, 1], [1, 2]]) / 6
    matrix = np.zeros((8, 8))
    for axis, h in enumerate(np.asarray(spacing, float)):
        factors = [stiffness / h**2 if d == axis else mass for d in range(3)]
        matrix += np.kron(np.kron(factors[0], factors[1]), factors[2])
    corners = np.array(CORNERS)
    return matrix, ((2 * corners - 1) / 4 / np.asarray(spacing, float)).T


def slopes_at(point: ArrayLike, spacing: ArrayLike) -> NDArray[np.float64]:
    """Return ∂φ_p/∂x_d (3, 8) of the eight trilinear functions at a point of [0, 1]³."""
    values = np.empty((3, 8))
    for p, corner in enumerate(CORNERS):
        linear = [x if c else 1 - x for x, c in zip(point, corner, strict=True)]
        signs = [1 if c else -1 for c in corner]
        for axis, h in enumerate(np.asarray(spacing, float)):
            others = [linear[d] for d in range(3) if d != axis]
            values[axis, p] = signs[axis] * others[0] * others[1] / h
    return values


def element_of_tensors(tensors: NDArray[np.float64], spacing: ArrayLike) -> NDArray[np.float64]:
    """Return ∫ ∇φ_p·a ∇φ_q (voxels, 8, 8) over the volume, by Gauss's rule of 2³ points."""
    matrices = np.zeros((len(tensors), 8, 8))
    for point in itertools.product((0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3)), repeat=3):
        slopes = slopes_at(point, spacing)
        matrices += np.einsum("dp,vde,eq->vpq", slopes, tensors, slopes) / 8
    return matrices


def homogenize(
    conductivity: NDArray[np.float64], spacing: ArrayLike = (1.0, 1.0, 1.0)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A* (3, 3) and correctors (3, n0, n1, n2) of zero mean, in units of `spacing`.

    Conductivities are scalars (n0, n1, n2) or tensors (n0, n1, n2, 3, 3).
    """
    shape, size = conductivity.shape[:3], int(np.prod(conductivity.shape[:3]))
    matrix, slopes = element(spacing)
    index = np.arange(size).reshape(shape)
    nodes = np.stack(
        [np.roll(index, [-c for c in corner], (0, 1, 2)).ravel() for corner in CORNERS]
    )
    if conductivity.ndim == 3:
        entries = conductivity.reshape(-1, 1, 1) * matrix
        fluxes = conductivity.reshape(-1, 1, 1) * np.eye(3)
    else:
        fluxes = conductivity.reshape(-1, 3, 3)
        entries = element_of_tensors(fluxes, spacing)
    rows = np.broadcast_to(nodes.T[:, :, None], entries.shape)
    columns = np.broadcast_to(nodes.T[:, None, :], entries.shape)
    stiffness = sparse.csr_matrix((entries.ravel(), (rows.ravel(), columns.ravel())), (size, size))
    correctors = np.zeros((3, size))
    for axis in range(3):
        load = np.zeros(size)
        for corner in range(8):
            np.add.at(load, nodes[corner], -fluxes[:, :, axis] @ slopes[:, corner])
        correctors[axis, 1:] = spsolve(stiffness[1:, 1:].tocsc(), load[1:])
    correctors -= correctors.mean(axis=1, keepdims=True)
    # With the coordinates themselves, whose values at a voxel's corners are those of its own copy.
    coordinates = np.array(CORNERS).T * np.asarray(spacing, float)[:, None]
    fields = coordinates[:, :, None] + correctors[:, nodes]  # (3, 8, voxels)
    effective = np.einsum("dpv,vpq,eqv->de", fields, entries, fields) / size
    return effective, correctors.reshape(3, *shape)
