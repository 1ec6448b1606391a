"""pyamg: conjugate gradients preconditioned by classical (Ruge–Stüben) multigrid, cell by cell."""

from importlib.metadata import version

import numpy as np
import pyamg

from .scipy_direct import assemble, effective

VERSION = version("pyamg")


def homogenize_cell(conductivity, rtol):
    stiffness, loads = assemble(conductivity)
    # Constants stay in the kernel: holding a node instead costs iterations.
    hierarchy = pyamg.ruge_stuben_solver(stiffness.tocsr(), coarse_solver="pinv")
    x = np.stack([hierarchy.solve(f, tol=rtol, accel="cg") for f in loads.T], axis=1)
    return effective(conductivity, stiffness, loads, x)


def homogenize(conductivity, rtol):
    """(B, n0, n1) scalar pixels -> (B, 2, 2)."""
    return np.stack([homogenize_cell(cell, rtol) for cell in conductivity])
