"""Periodic homogenization of batches of microstructures.

The effective conductivity A* of a periodic cell Y is, for each mean gradient e,

.. math:: e · A^* e = min_χ ⟨(e + ∇χ) · A (e + ∇χ)⟩,

over periodic correctors χ; ⟨·⟩ is the mean over Y. It is discretized with bilinear (Q1) finite
elements, one for each pixel, whose nodes are the corners of the pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _cuda, _threads
from pearlite._errors import ConvergenceError

_MAX_ITERATIONS = 1000
RTOL = (1e-10, 0.1)  # from and to
GRADIENT_RTOL = (1e-8, 0.1)
# With errors δ_i of the slopes S_i in the energy norm, that of the gradient of Σ G_ij A*_ij is at
# most 2 Σ |G_ij| |δ_i| |S_j| ≤ 2 ‖G‖ |δ| √(tr A*), and tr A* ≤ √d ‖A*‖ in d dimensions.
_GRADIENT_SHARE = 2**-1.25
_GRADIENT_SHARE_3D = 0.5 * 3**-0.25

OnFailure = Literal["raise", "nan"]
Estimate = Literal["variational", "bracketed"]
Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Correctors:
    """What `solve_correctors` returns; `...` stands for the batch axes of the input.

    Attributes
    ----------
    effective : (..., d, d) array
        Effective conductivity, in the input's units; d is 2 or 3.
    correctors : (..., 2, n0, n1) or (..., 3, n0, n1, n2) array
        Correctors χ of the unit mean gradients at the pixel corners, in units of length (those
        of `spacing`), with zero mean: entry ``[..., k, i, j]`` belongs to the mean gradient along
        axis k and to the lower corner of pixel (i, j). The potential is x_k + χ_k.
    iterations : (...) int32 array
        Conjugate-gradient iterations, the largest number of a mean gradient.
    residual : (...) float64 array
        Estimated relative error of `effective`, in the Frobenius norm.
    converged : (...) bool array
        Whether `residual` is within `rtol`. Always true unless ``on_failure="nan"``.
    """

    effective: Floats
    correctors: Floats
    iterations: NDArray[np.int32]
    residual: NDArray[np.float64]
    converged: NDArray[np.bool_]


def homogenize(
    conductivity: ArrayLike,
    *,
    phases: ArrayLike | None = None,
    dim: int = 2,
    tensor: bool = False,
    spacing: float | Sequence[float] | None = None,
    rtol: float = 1e-6,
    threads: int | None = None,
    on_failure: OnFailure = "raise",
    estimate: Estimate = "variational",
    gradient_rtol: float = 1e-4,
) -> Floats:
    """Return the effective conductivity of each periodic microstructure of a batch.

    The effective tensor A* is the minimum of the energy over periodic correctors χ,

    .. math:: e · A^* e = min_χ ⟨(e + ∇χ) · A (e + ∇χ)⟩,

    in bilinear finite elements on the pixels, or trilinear ones on voxels (``dim=3``). It is an
    upper bound of the continuum's tensor.

    Parameters
    ----------
    conductivity : (..., n0, n1) array
        One value > 0 for each pixel, float32 or float64, or 0 for a void, or ``inf`` for a perfect
        conductor; with ``tensor=True`` a symmetric positive definite tensor (zeros for a void),
        (..., n0, n1, d, d); with `phases` a label, an integer from 0. The leading axes are a batch.
        Tensor index i belongs to array axis i. n0 and n1 are at least 2. With ``dim=3`` voxels,
        (..., n0, n1, n2) or (..., n0, n1, n2, 3, 3).
    phases : (..., P) array, optional
        Conductivity of each label; (..., P, d, d) with ``tensor=True``. Its leading axes broadcast
        with the batch.
    dim : int
        The number of spatial axes, 2 or 3.
    tensor : bool
        Whether conductivities, of pixels or of phases, are d×d tensors.
    spacing : float or one float per axis, optional
        Size of a pixel, or its sizes along the axes, in any unit of length. Only the ratio matters
        to A*. By default pixels are squares and the longer side of the cell is 1.
    rtol : float
        Bound of the relative error, in the Frobenius norm, of A* against the exact solution of the
        same discretization; from 1e-10 to 0.1. Results in float32 are also rounded to it.
    threads : int, optional
        By default all the cores that this process may use.
    on_failure : {"raise", "nan"}
        What to do about cells that do not reach `rtol`: raise, or return NaN for them.
    estimate : {"variational", "bracketed"}
        What to return: the energy of the discrete correctors, an upper bound, or its geometric mean
        with the lower bound that the dual problem gives (see `bounds`). The mean costs a second
        solve and is far closer to the exact tensor of the pixels; the notes tell when that helps.
        "bracketed" is there in two dimensions only.
    gradient_rtol : float
        Bound of the relative error of gradients, from 1e-8 to 0.1; used only where a torch tensor
        asks for one. The error δg of the gradient g of Σ G_ij A*_ij in the conductivities a of the
        pixels satisfies Σ a |δg| ≤ gradient_rtol ‖G‖ ‖A*‖, a sum over pixels and Frobenius norms.
        With tensors a |δg| means the sum of the absolute eigenvalues of the product a δg. Pixels of
        conductivity 0 weigh nothing in that: their gradients are indicative only.

    Returns
    -------
    (..., 2, 2) or (..., 3, 3) array
        Symmetric, float32 if the conductivities (pixels or phases) are float32, else float64. A
        torch tensor if an argument is one; it can be differentiated, see the notes.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.
    ConvergenceError
        If a cell does not reach `rtol`.

    See Also
    --------
    solve_correctors : the correctors too.
    homogenize_with_gradient : gradients of numpy arrays.
    bounds : two-sided bounds of the exact tensor.

    Notes
    -----
    Torch tensors may ask for gradients in `conductivity` and `phases`, also through `torch.func`
    and `torch.compile`. A first derivative costs no further solve, a Hessian-vector product one
    more; along v its error is at most 3.2 max |v/a| times what `gradient_rtol` allows a gradient.
    Third derivatives and forward mode (`torch.func.jvp`) raise. In three dimensions there are first
    derivatives, of the effective tensor only. Tensors and arrays of cupy may lie on a card, where
    `threads` does not count; the result lies there too.

    At corners of pixels both bounds err by almost the same factor, which the geometric mean takes
    out. Measured with pixels of size h at contrasts of 10 and 100
    (``examples/bounds_convergence.py``), the error of ``estimate="bracketed"`` is

    - that of the solver alone for checkerboards of two or four phases and for a square inclusion,
      where that of "variational" falls as h^0.3 to h^1.5;
    - 4 to 17 times smaller than that of "variational" for discs and Voronoi mosaics of 32² pixels,
      and falls as h^1.5 to h² instead of h^1.0 to h^1.4;
    - 50 to 90 times smaller for independent random pixels, whose corners conduct: .0016 instead of
      .15 at contrast 10 (h^1.6 instead of h^0.9), .017 instead of .8 at 100 (h^0.5 instead of
      h^0.3).

    Use it where the pixels are the geometry or h cannot be made small. Where they sample a smooth
    geometry that could be drawn finer, the error of the drawing, about h^1.2, is as large as that
    of "variational", and the mean gains nothing.

    Sources: the cell problem and the variational form are those of A. Bensoussan, J.-L. Lions and
    G. Papanicolaou, *Asymptotic Analysis for Periodic Structures* (1978), chapter 1; the duality is
    that of J. B. Keller, J. Math. Phys. 5, 548 (1964).

    Examples
    --------
    Layers of conductivity 1 and 10, normal to axis 0: 2/(1/1 + 1/10) across, (1 + 10)/2 along.

    >>> import numpy as np
    >>> import pearlite as pl
    >>> layers = np.ones((4, 6))
    >>> layers[::2] = 10
    >>> np.abs(pl.homogenize(layers)).round(4)
    array([[1.8182, 0.    ],
           [0.    , 5.5   ]])

    Three random images of two phases:

    >>> labels = np.random.default_rng(0).integers(2, size=(3, 32, 32), dtype=np.uint8)
    >>> pl.homogenize(labels, phases=[1, 100]).shape
    (3, 2, 2)

    Layers of voxels, normal to axis 2:

    >>> layers = np.ones((4, 6, 5))
    >>> layers[..., :2] = 10
    >>> pl.homogenize(layers, dim=3).diagonal().round(4)  # 5/(2/10 + 3/1) across
    array([4.6   , 4.6   , 1.5625])

    A checkerboard, whose tensor is √(1 · 10) = 3.162278:

    >>> tiles = np.kron([[0, 1], [1, 0]], np.ones((8, 8), int))
    >>> for estimate in ("variational", "bracketed"):
    ...     print(f"{pl.homogenize(tiles, phases=[1, 10], estimate=estimate)[0, 0]:.5f}")
    3.44416
    3.16228
    """
    _arrays.check_choice("estimate", estimate, get_args(Estimate))
    if _arrays.is_torch(conductivity, phases):
        from pearlite import autograd

        settings = autograd.settings(tensor, spacing, rtol, threads, on_failure, gradient_rtol, dim)
        effective: Floats = autograd.homogenize(conductivity, phases, dim, settings, estimate)
        return effective
    if _arrays.is_lazy(conductivity):
        from pearlite.batch import _lazy

        given = (phases, tensor, spacing, rtol, threads, on_failure, estimate, gradient_rtol)
        return cast(Floats, _lazy.homogenize(conductivity, dim, *given))
    options = _options(rtol, threads, on_failure, gradient_rtol)
    if _cuda.is_array(conductivity, phases):
        from pearlite import _corrector_card as card  # which imports this module

        on_card: Floats = card.homogenize(
            conductivity, phases, dim, tensor, spacing, options, estimate
        )
        return on_card
    cells = _arrays.cells(conductivity, phases, dim, tensor, spacing)
    if estimate == "bracketed":
        _arrays.check_planar("estimate='bracketed'", dim)
        from pearlite import _bounds  # which imports this module

        return cast(Floats, _bounds.estimate(cells, options))
    return _solve(cells, options, fields=False).effective


def solve_correctors(
    conductivity: ArrayLike,
    *,
    phases: ArrayLike | None = None,
    dim: int = 2,
    tensor: bool = False,
    spacing: float | Sequence[float] | None = None,
    rtol: float = 1e-6,
    threads: int | None = None,
    on_failure: OnFailure = "raise",
    gradient_rtol: float = 1e-4,
) -> Correctors:
    """Return the correctors of each periodic microstructure, with the effective conductivity.

    The corrector χ_k of the unit mean gradient e_k is the periodic solution of zero mean of

    .. math:: ∇ · A (e_k + ∇χ_k) = 0.

    Parameters
    ----------
    conductivity, phases, dim, tensor, spacing, rtol, threads, on_failure
        As for `homogenize`. `rtol` bounds the error of the effective tensor, which is quadratic in
        that of the correctors: at 1e-6 these are good to about 1e-3 in the energy norm.
    gradient_rtol : float
        As for `homogenize`. Where a torch tensor asks for gradients, correctors are good to 0.42
        times as much in the energy norm, relative to √‖A*‖.

    Returns
    -------
    Correctors
        `effective`, `correctors`, `iterations`, `residual` and `converged`; torch tensors if an
        argument is one. Then `effective` and `correctors` can be differentiated, the latter once
        and at the cost of one more solve.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.
    ConvergenceError
        If a cell does not reach `rtol`.

    See Also
    --------
    homogenize : the effective conductivity alone, which is faster.

    Notes
    -----
    Sources: A. Bensoussan, J.-L. Lions and G. Papanicolaou, *Asymptotic Analysis for Periodic
    Structures* (1978), chapter 1.

    Examples
    --------
    In layers the potential rises along axis 0 only, ten times as steeply where the conductivity is
    1 as where it is 10:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> layers = np.ones((4, 6))
    >>> layers[::2] = 10
    >>> solution = pl.solve_correctors(layers, spacing=1.0)
    >>> solution.correctors.shape
    (2, 4, 6)
    >>> potential = np.arange(4) + solution.correctors[0, :, 0]
    >>> np.diff(potential).round(4)
    array([0.1818, 1.8182, 0.1818])
    """
    if _arrays.is_torch(conductivity, phases):
        from pearlite import autograd

        settings = autograd.settings(tensor, spacing, rtol, threads, on_failure, gradient_rtol, dim)
        return autograd.solve_correctors(conductivity, phases, dim, settings)
    options = _options(rtol, threads, on_failure, gradient_rtol)
    if _cuda.is_array(conductivity, phases):
        from pearlite import _corrector_card as card

        return card.solve_correctors(conductivity, phases, dim, tensor, spacing, options)
    cells = _arrays.cells(conductivity, phases, dim, tensor, spacing)
    return _solve(cells, options, fields=True)


@dataclass(frozen=True)
class _Options:
    rtol: float
    threads: int
    on_failure: OnFailure
    gradient_rtol: float


def _options(
    rtol: float, threads: int | None, on_failure: OnFailure, gradient_rtol: float = 1e-4
) -> _Options:
    """Check the arguments that are not arrays."""
    rtol = _arrays.check_between("rtol", rtol, *RTOL)
    gradient_rtol = _arrays.check_between("gradient_rtol", gradient_rtol, *GRADIENT_RTOL)
    _arrays.check_choice("on_failure", on_failure, get_args(OnFailure))
    return _Options(rtol, _threads.count(threads), on_failure, gradient_rtol)


def _solve(
    cells: _arrays.Cells, options: _Options, fields: bool, gradients: bool = False
) -> Correctors:
    """Solve checked cells, as well as gradients need it if they are to be had.

    Without `fields` the correctors of the result are empty.
    """
    share = _GRADIENT_SHARE_3D if len(cells.shape) == 3 else _GRADIENT_SHARE
    corrector_rtol = share * options.gradient_rtol if gradients else 1.0
    solution = _core.solve_correctors(
        cells.pixels,
        cells.phases,
        cells.tensor,
        cells.spacing,
        options.rtol,
        options.threads,
        _MAX_ITERATIONS,
        cells.dtype if fields else None,
        corrector_rtol,
    )
    if solution is None:
        _arrays.raise_defect(cells, options.threads)
    effective, correctors, iterations, residual, converged = solution
    if correctors is None:
        correctors = np.empty((len(effective), 0), cells.dtype)
    if not converged.all():
        if options.on_failure == "raise":
            missed = f"rtol={options.rtol:g}"
            if corrector_rtol**2 < options.rtol:
                missed = f"gradient_rtol={options.gradient_rtol:g}"
            raise _failure(residual, converged, missed, cells.batch)
        effective[~converged] = np.nan
        correctors[~converged] = np.nan
    return Correctors(
        effective=effective.astype(cells.dtype, copy=False).reshape(
            *cells.batch, *effective.shape[1:]
        ),
        correctors=correctors.reshape(*cells.batch, *correctors.shape[1:]),
        iterations=iterations.reshape(cells.batch),
        residual=residual.reshape(cells.batch),
        converged=converged.reshape(cells.batch),
    )


def _failure(
    residual: NDArray[np.float64], converged: NDArray[Any], missed: str, batch: tuple[int, ...]
) -> ConvergenceError:
    """Return the error that names the worst of the cells that did not converge."""
    errors = np.where(converged, -1.0, np.nan_to_num(residual, nan=np.inf))
    worst = int(errors.argmax())
    index = _arrays.unravel(worst, batch)
    failed = int(len(converged) - converged.sum())
    message = (
        f"{failed} of {len(converged)} cells did not reach {missed}; the worst is cell "
        f"{list(index)} with an estimated relative error of {residual[worst]:.1e}. "
        "Pass on_failure='nan' to get NaN for such cells."
    )
    return ConvergenceError(message, index, float(residual[worst]))
