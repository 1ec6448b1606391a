"""scikit-fem: bilinear quadrilaterals on a periodic mesh, assembled forms, direct solve."""

from functools import lru_cache
from importlib.metadata import version

import numpy as np
from skfem import Basis, BilinearForm, ElementQuad1, LinearForm, MeshQuad, MeshQuad1DG, condense
from skfem import solve as direct_solve
from skfem.helpers import dot, grad

VERSION = version("scikit-fem")


@BilinearForm
def stiffness(u, v, w):
    return w.conductivity * dot(grad(u), grad(v))


@LinearForm
def load(v, w):
    return -w.conductivity * grad(v)[w.axis]


@lru_cache(maxsize=1)
def periodic_basis(shape):
    """-> basis on pixels of unit size, and the pixel (flat index) of every element."""
    mesh = MeshQuad.init_tensor(*(np.arange(n + 1.0) for n in shape))
    pixel = np.floor(mesh.p[:, mesh.t].mean(axis=1)).astype(int)
    low = mesh.p % np.array(shape)[:, None]  # the node that each node is a copy of
    order = np.lexsort((mesh.p[0], mesh.p[1]))
    index = np.empty((shape[0] + 1, shape[1] + 1), dtype=int)
    index[tuple(mesh.p[:, order].astype(int))] = order
    image = index[tuple(low.astype(int))]
    seam = np.flatnonzero(image != np.arange(mesh.nvertices))
    periodic = MeshQuad1DG.periodic(mesh, seam, image[seam])
    return Basis(periodic, ElementQuad1()), np.ravel_multi_index(pixel, shape)


def homogenize_cell(conductivity):
    basis, pixel = periodic_basis(conductivity.shape)
    k = np.repeat(conductivity.ravel()[pixel][:, None], basis.dx.shape[1], axis=1)
    matrix = stiffness.assemble(basis, conductivity=k)
    loads = [load.assemble(basis, conductivity=k, axis=axis) for axis in (0, 1)]
    held = np.array([0])
    x = np.stack([direct_solve(*condense(matrix, f, D=held)) for f in loads], axis=1)
    cross = x.T @ (matrix @ x - 2 * np.stack(loads, axis=1)) / conductivity.size
    return conductivity.mean() * np.eye(2) + (cross + cross.T) / 2


def homogenize(conductivity):
    """(B, n0, n1) scalar pixels -> (B, 2, 2)."""
    return np.stack([homogenize_cell(cell) for cell in conductivity])
