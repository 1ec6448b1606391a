"""Periodic homogenization of one cell: Q1 elements on pixels, assembled and factorized.

Node (i, j) is the lower corner of pixel (i, j). In pixel coordinates the bilinear interpolant of
the node values (u00, u10, u01, u11) has the mean gradient (g0·u, g1·u) and the twist c·u, and

    ∫ ∇u·A∇u = A00 (m0² + c²/12) + A11 (m1² + c²/12) + 2 A01 m0 m1     exactly.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

G = np.array([[-1, 1, -1, 1], [-1, -1, 1, 1]]) / 2  # mean gradients along axes 0 and 1
C = np.array([1, -1, -1, 1])  # twist: u11 - u10 - u01 + u00


def as_tensors(conductivity):
    """(n0, n1) scalars or (n0, n1, 2, 2) tensors -> (n0, n1, 2, 2) float64."""
    a = np.asarray(conductivity, dtype=float)
    return a[..., None, None] * np.eye(2) if a.ndim == 2 else a


def assemble(conductivity, spacing=(1, 1)):
    """-> stiffness (N, N) sparse and loads (N, 2), with N = n0 n1.

    Load i is Σ_pixels ∫ ∇φ·A e_i, so the corrector X_i of e_i solves K X_i = -loads[:, i].
    """
    h = np.asarray(spacing, dtype=float)
    a = as_tensors(conductivity) / np.outer(h, h)  # the physical A seen in pixel coordinates
    shape = a.shape[:2]
    element = np.einsum("xyij,ia,jb->xyab", a, G, G)  # (n0, n1, 4, 4)
    element += (a[..., 0, 0] + a[..., 1, 1])[..., None, None] * np.outer(C, C) / 12
    load = np.einsum("xyij,ia,j->xyaj", a, G, h)  # (n0, n1, 4, 2)

    node = np.arange(shape[0] * shape[1]).reshape(shape)
    corners = [np.roll(node, (-di, -dj), (0, 1)) for dj in (0, 1) for di in (0, 1)]
    corners = np.stack(corners, axis=-1)  # (n0, n1, 4) in the order 00, 10, 01, 11
    rows = np.broadcast_to(corners[..., :, None], element.shape).ravel()
    columns = np.broadcast_to(corners[..., None, :], element.shape).ravel()
    stiffness = sp.csc_array((element.ravel(), (rows, columns)), shape=(node.size, node.size))
    loads = np.zeros((node.size, 2))
    np.add.at(loads, corners.ravel(), load.reshape(-1, 2))
    return stiffness, loads


def energy(conductivity, stiffness, loads, correctors):
    """A*_ij = mean over the cell of (e_i + ∇X_i)·A (e_j + ∇X_j), for any X (N, 2)."""
    cross = loads.T @ correctors
    mean = as_tensors(conductivity).mean((0, 1))
    return mean + (cross + cross.T + correctors.T @ (stiffness @ correctors)) / len(correctors)


def solve_correctors(conductivity, spacing=(1, 1)):
    """-> effective (2, 2), correctors (2, n0, n1) of zero mean."""
    stiffness, loads = assemble(conductivity, spacing)
    correctors = np.zeros_like(loads)
    # Constants are in the kernel: hold node 0 at zero, subtract the mean afterwards.
    correctors[1:] = splu(stiffness[1:, 1:]).solve(-loads[1:])
    correctors -= correctors.mean(axis=0)
    effective = energy(conductivity, stiffness, loads, correctors)
    return effective, correctors.T.reshape(2, *np.shape(conductivity)[:2])


def homogenize(conductivity, spacing=(1, 1)):
    """-> effective (2, 2)."""
    return solve_correctors(conductivity, spacing)[0]
