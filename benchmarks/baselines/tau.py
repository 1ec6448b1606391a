"""taufactor: another problem, shown because its users have the same question.

Its multi-phase solver holds two opposite faces at fixed values, insulates the others, and couples
cell centres by harmonic means (finite volumes, SOR in torch). It gives one diagonal entry a run and
another number than the periodic tensor, so its error against ours is not asserted.
"""

import contextlib
import io
from importlib.metadata import version

import numpy as np
import taufactor
import torch

VERSION = version("taufactor")


def homogenize_cell(conductivity, rtol):
    values, labels = np.unique(conductivity, return_inverse=True)
    labels = labels.reshape(conductivity.shape) + 1
    table = dict(enumerate(values.tolist(), start=1))
    entries = []
    for image in (labels, labels.T):
        solver = taufactor.MultiPhaseSolver(image[:, :, None], cond=table, device="cpu")
        with contextlib.redirect_stdout(io.StringIO()):  # it prints even when told not to
            solver.solve(iter_limit=100_000, verbose=False, conv_crit=rtol)
        entries.append(float(np.squeeze(solver.D_eff)))
    return np.diag(entries)


def homogenize(conductivity, rtol, *, threads=2):
    """(B, n0, n1) scalar pixels -> (B, 2, 2), the diagonal only."""
    torch.set_num_threads(threads)
    return np.stack([homogenize_cell(cell, rtol) for cell in conductivity])
