"""The solvers under comparison, and the tolerance at which each has the same error.

A solver takes (conductivity (B, n0, n1) float64, tolerance, threads) and returns (B, 2, 2).
"""

import time
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

import numpy as np

import pearlite as pl

ERROR = 1e-6  # of A*, relative, Frobenius: what all solvers are asked for
LADDER = 10.0 ** -np.arange(2, 7, 0.25)  # tolerances to try, the loosest first


@dataclass(frozen=True)
class Solver:
    """A baseline or peer; `module` is its file in baselines/."""

    module: str
    package: str
    iterative: bool = True
    threads_option: str = ""
    same_problem: bool = True
    options: tuple = ()

    @property
    def version(self):
        return version(self.package)

    def __call__(self, conductivity, tolerance, threads):
        options = dict(self.options)
        if self.iterative:
            options["rtol"] = tolerance
        if self.threads_option:
            options[self.threads_option] = threads
        return import_module(f"baselines.{self.module}").homogenize(conductivity, **options)


SOLVERS = {
    "numpy FFT-CG": Solver("numpy_fft", "scipy", threads_option="workers"),
    "scipy spsolve": Solver("scipy_direct", "scipy", iterative=False),
    "muGrid": Solver("mugrid", "muGrid"),
    "muGrid float32": Solver("mugrid", "muGrid", options=(("dtype", np.float32),)),
    "pyamg": Solver("amg", "pyamg"),
    "scikit-fem": Solver("scikit_fem", "scikit-fem", iterative=False),
    "taufactor": Solver("tau", "taufactor", threads_option="threads", same_problem=False),
}


def relative_error(effective, exact):
    """The worst cell's, Frobenius."""
    difference = np.linalg.norm(effective - exact, axis=(1, 2))
    return float(np.max(difference / np.linalg.norm(exact, axis=(1, 2))))


def exact_tensors(fields):
    """Of the discrete problem: pearlite at its tightest, held against a direct solve."""
    exact = pl.homogenize(fields, rtol=1e-10)
    if fields[0].size <= 256**2:
        direct = import_module("baselines.scipy_direct").homogenize(fields[:1])
        assert relative_error(exact[:1], direct) < 1e-8
    return exact


def matched_tolerance(solver, fields, exact, threads):
    """-> the loosest tolerance of the ladder with an error of at most ERROR; error; seconds."""
    for tolerance in LADDER if solver.iterative else [None]:
        start = time.perf_counter()
        error = relative_error(solver(fields, tolerance, threads), exact)
        if error <= ERROR:
            return tolerance, error, time.perf_counter() - start
    raise AssertionError(f"no tolerance brings the error below {error:.1e}")
