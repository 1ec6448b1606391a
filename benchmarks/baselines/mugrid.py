"""muGrid: its Q1 gradient operator, FFT engine, Fourier preconditioner and conjugate gradients.

The nearest rival: the same discretization, compiled, one load of one cell at a time. Operator,
engine and preconditioner are built once for a shape and used for every cell of it. The scheme is
the one of its documentation (reference-material preconditioner); A* is the energy, as here, since
it forgives a loose tolerance and so is the fastest way to a given error.
"""

from importlib.metadata import version

import muGrid
import numpy as np
from muGrid.Preconditioners import FourierPreconditioner
from muGrid.Solvers import conjugate_gradients

VERSION = version("muGrid")


def inverse_symbol(engine):
    """Inverse of the Q1 stiffness of a uniform cell of unit pixels, zero for the mean."""
    cosines = np.cos(2 * np.pi * engine.fftfreq)  # (d, *wave vectors)
    symbol = np.zeros(cosines.shape[1:])
    for axis, own in enumerate(cosines):
        symbol += (2 - 2 * own) * np.delete((2 + cosines) / 3, axis, 0).prod(axis=0)
    symbol[symbol < 1e-12] = np.inf
    return 1 / symbol


class Homogenizer:
    """Cells of one shape and precision."""

    def __init__(self, shape, dtype):
        self.dim = len(shape)
        self.gradient = muGrid.FEMGradientOperator(self.dim, [1.0] * self.dim, dtype=dtype)
        quads = {"quad": self.gradient.nb_quad_pts}
        self.engine = muGrid.FFTEngine(list(shape), ghosts=[self.gradient], nb_sub_pts=quads)
        self.precondition = FourierPreconditioner(self.engine, inverse_symbol, dtype=dtype)
        field = self.engine.real_space_field
        self.load = field("load", dtype=dtype)
        self.corrector = field("corrector", dtype=dtype)
        self.flux = field("flux", components=(self.dim,), dtype=dtype, sub_pt="quad")
        self.conductivity = field(
            "conductivity", components=(self.dim,), dtype=dtype, sub_pt="quad"
        )

    def divergence(self, out):
        muGrid.linalg.scal(self.conductivity, self.flux)
        self.engine.communicate_ghosts(self.flux)
        self.gradient.transpose(self.flux, out)

    def stiffness(self, p, out):
        self.engine.communicate_ghosts(p)
        self.gradient.apply(p, self.flux)
        self.divergence(out)

    def total_gradient(self, load, rtol):
        """e_i + ∇X_i at the quadrature points, (d, quad, *shape) float64."""
        self.flux.s[...] = 0
        self.flux.s[load] = -1
        self.divergence(self.load)
        self.corrector.set_zero()
        conjugate_gradients(
            self.engine.communicator,
            self.engine.real_space_collection,
            self.load,
            self.corrector,
            self.stiffness,
            prec=self.precondition,
            rtol=rtol,
        )
        self.engine.communicate_ghosts(self.corrector)
        self.gradient.apply(self.corrector, self.flux)
        total = self.flux.s.astype(np.float64)
        total[load] += 1
        return total

    def homogenize(self, cell, rtol):
        self.conductivity.set_zero()
        self.conductivity.s[...] = cell
        g = np.stack([self.total_gradient(load, rtol) for load in range(self.dim)])
        flux = (g * cell).reshape(self.dim, -1)
        return flux @ g.reshape(self.dim, -1).T / (cell.size * g.shape[2])


def homogenize(conductivity, rtol, *, dtype=np.float64):
    """(B, *shape) scalar pixels -> (B, d, d)."""
    homogenizer = Homogenizer(conductivity.shape[1:], dtype)
    return np.stack([homogenizer.homogenize(cell, rtol) for cell in conductivity])
