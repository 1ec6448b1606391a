"""Two-sided bounds of the effective conductivity that hold in floating point.

Any periodic trial function bounds the effective tensor A* from above by its energy. In two
dimensions a divergence-free flux is the turned gradient of a stream function, so that trial stream
functions bound the inverse of A* by the same energy, of the inverse conductivity turned by 90°.

The module is not named `bounds`, since importing it would hide the function `pearlite.bounds`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _cuda, corrector
from pearlite._bounds_rounding import UNIT_DOUBLE, rounding, widened
from pearlite._tensors import (
    Entries,
    diagonal,
    geometric_mean,
    library,
    outer_root,
    turned_inverse,
)

Doubles = NDArray[np.float64]

# The kernels compute in double precision below a tolerance of 5e-7. With one of 1e-4 or more, what
# single precision may round, 2e-5 to 1e-4 of square pixels, does not matter either.
_DOUBLE_RTOL = 4.9e-7
_SINGLE_FROM = 1e-4
# Far from where squares and inverses of a conductivity leave the normal numbers of float32.
_SMALLEST, _LARGEST = 1e-36, 1e36


class Bounds(NamedTuple):
    """A lower and an upper bound of effective conductivities; `...` stands for the batch axes.

    It unpacks as ``lower, upper = pl.bounds(...)``.

    Attributes
    ----------
    lower, upper : (..., d, d) float64 array
        Like the conductivities of numpy, torch or cupy; d is 2 or 3. Symmetric, with
        e · lower e ≤ e · A* e ≤ e · upper e for every direction e.
    """

    lower: Doubles
    upper: Doubles

    @property
    def estimate(self) -> Doubles:
        """Geometric mean of the bounds, (..., 2, 2), in most cells far closer to A* than either.

        It is the matrix mean lower # upper, which lies between the two; see `homogenize`.
        """
        mean: Doubles = _of_both(geometric_mean, self.lower, self.upper)
        return mean

    @property
    def half_width(self) -> Doubles:
        """Guaranteed error of each entry of `estimate`, (..., 2, 2): |A* − estimate| is at most it.

        The bounds leave to entry ij an interval about their arithmetic mean, whose half-width is
        √(W_ii W_jj), where 2W = upper − lower. The distance between the two means adds to it.
        """
        errors: Doubles = _of_both(_half_width, self.lower, self.upper)
        return errors


def _of_both(function: Callable[[Any, Any], Any], lower: Any, upper: Any) -> Any:
    """Return a function of two bounds, which may be torch tensors, as they are."""
    if not _arrays.is_torch(lower):
        return _of_arrays(function, lower, upper)
    if not _cuda.on_card(lower):
        return _cuda.to_torch(function(lower.numpy(), upper.numpy()))
    with _cuda.stream_of(lower):
        arrays = _cuda.from_torch(lower), _cuda.from_torch(upper)
        return _cuda.to_torch(_of_arrays(function, *arrays))


def _of_arrays(function: Callable[[Any, Any], Any], lower: Any, upper: Any) -> Any:
    """Return a function of two bounds as arrays; in three dimensions the host has it alone."""
    if lower.shape[-1] == 2 or not _cuda.is_array(lower):
        return function(lower, upper)
    with _cuda.device_of(lower) as cupy:
        return cupy.asarray(function(lower.get(), upper.get()))


def _half_width(lower: Any, upper: Any) -> Any:
    """Return the guaranteed error of the geometric mean."""
    widths = library(lower).maximum(diagonal(upper - lower), 0) / 2
    shift = abs((lower + upper) / 2 - geometric_mean(lower, upper))
    # The last term is the rounding of the others, and of the estimate.
    return outer_root(widths) + shift + 16 * UNIT_DOUBLE * outer_root(diagonal(upper))


def bounds(
    conductivity: ArrayLike,
    *,
    phases: ArrayLike | None = None,
    dim: int = 2,
    tensor: bool = False,
    spacing: float | Sequence[float] | None = None,
    rtol: float = 1e-6,
    threads: int | None = None,
    on_failure: corrector.OnFailure = "raise",
) -> Bounds:
    """Return rigorous lower and upper bounds of each effective conductivity.

    They enclose the exact effective tensor A* of the pixels, not that of a discretization:

    .. math:: R^T A_h(R k^{-1} R^T)^{-1} R  ≤  A^*  ≤  A_h(k)

    as quadratic forms, where k is the conductivity, A_h(k) the energy of the computed correctors
    and R the quarter turn. The solver's error and the rounding of every step are enclosed as well.
    In three dimensions the lower bound is that of a computed flux q without divergence (see the
    notes).

    Parameters
    ----------
    conductivity, phases, dim, tensor, spacing, threads, on_failure
        As for `homogenize`. Conductivities lie between 1e-36 and 1e36; voids and perfect
        conductors are refused (see the notes).
    rtol : float
        Tolerance of the two solves, from 1e-10 to 0.1. It widens the upper bound by at most `rtol`
        in the Frobenius norm, the lower one by `rtol` times the ratio of the eigenvalues of A*.
        What rounding adds is below 1e-10 for most cells of up to 512² pixels; this takes 2.5 to 4
        times as long as `homogenize`. From an `rtol` of 1e-4 on, scalars on square pixels are
        solved in single precision, which takes twice as long and adds up to 1e-4.

    Returns
    -------
    Bounds
        `lower` and `upper`, (..., 2, 2), always float64 since rounding them to float32 would widen
        them; of these, `estimate` and `half_width`. With ``on_failure="nan"`` a bound whose solver
        did not reach `rtol` is NaN. Torch tensors, without derivatives, if `conductivity` or
        `phases` is one; they lie on a card if the conductivity does.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.
    ConvergenceError
        If a cell does not reach `rtol`.

    See Also
    --------
    homogenize : the upper bound alone or, with ``estimate="bracketed"``, the geometric mean.

    Notes
    -----
    The width of the bracket is the error of the pixel grid. Repeating each pixel m times along both
    axes (``np.kron(image, np.ones((m, m), image.dtype))``) leaves A* as it is and narrows the
    bracket as m^-p; p is 1.3 to 1.5 for most images at contrasts from 10 to 100, and less where
    many pixels touch at corners alone. Bounds hold for the image as it is: what the pixels
    themselves miss of a smooth geometry is not in them.

    In three dimensions fluxes are given on the faces of voxels and are linear between opposite ones
    (P.-A. Raviart and J.-M. Thomas, 1977). Those of the computed correctors are made free of
    divergence and relaxed until a step of conjugate gradients gains less than `rtol`/10. It is
    numpy's and cupy's Fourier transforms that do this, in far longer than the upper bound takes.

    No flux may enter a void, and no potential vary in a perfect conductor. One of the two problems
    then has to know their shapes, and the solvers of it here do not. Since A* grows with the
    conductivity anywhere, the upper bound of an image with a small conductivity in place of voids
    is one of the image with voids, and the lower bound with a large one in place of conductors is
    one of the image with these.

    Sources: J. B. Keller, J. Math. Phys. 5, 548 (1964), the dual problem in two dimensions;
    J. Dvořák, *Optimization of composite materials* (Charles University in Prague, 1993) and
    Z. Więckowski, J. Theor. Appl. Mech. 33, 233 (1995), bounds by dual finite elements;
    J. Vondřejc, J. Zeman and I. Marek, arXiv 1404.3614 (2014), the same with Fourier methods.

    Examples
    --------
    The tensor of a checkerboard is √(1 · 10) = 3.16228, that of layers meets both bounds:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> tiles = np.kron([[0, 1], [1, 0]], np.ones((16, 16), int))
    >>> lower, upper = bracket = pl.bounds(tiles, phases=[1, 10])
    >>> print(f"{lower[0, 0]:.2f} to {upper[0, 0]:.2f}, mean {bracket.estimate[0, 0]:.5f}")
    3.01 to 3.32, mean 3.16228
    >>> layers = np.ones((4, 6))
    >>> layers[::2] = 10
    >>> bracket = pl.bounds(layers)
    >>> bracket.estimate.diagonal().round(6), bool(bracket.half_width.max() < 1e-6)
    (array([1.818182, 5.5     ]), True)
    """
    if _arrays.is_torch(conductivity, phases):
        given = (dim, tensor, spacing, rtol, threads, on_failure)
        return _of_tensors(conductivity, phases, given)
    options = corrector._options(rtol, threads, on_failure)
    if _cuda.is_array(conductivity, phases):
        from pearlite import _card_cells

        with _card_cells.home(conductivity) as cupy:
            cells = _card_cells.cells(conductivity, phases, dim, tensor, spacing)
            return Bounds(*map(cupy.asarray, _both(cells, options)))
    return Bounds(*_both(_arrays.cells(conductivity, phases, dim, tensor, spacing), options))


def _of_tensors(conductivity: Any, phases: Any, given: tuple[Any, ...]) -> Bounds:
    """Return bounds of torch tensors, where the conductivity is; without derivatives."""
    from pearlite import _operators

    dim, tensor, spacing, rtol, threads, on_failure = given
    options = {"rtol": rtol, "threads": threads, "on_failure": on_failure}
    pixels = _operators.as_tensor("conductivity", conductivity, cards=True)
    table = _cuda.to_host(phases.detach() if _arrays.is_torch(phases) else phases)
    described = {"phases": table, "dim": dim, "tensor": tensor, "spacing": spacing}
    if not _cuda.on_card(pixels):
        found = bounds(pixels.detach().numpy(), **described, **options)
        return Bounds(*map(_cuda.to_torch, found))
    with _cuda.stream_of(pixels):
        found = bounds(_cuda.from_torch(pixels), **described, **options)
        return Bounds(*map(_cuda.to_torch, found))


def _both(cells: _arrays.Cells, options: corrector._Options) -> tuple[Doubles, Doubles]:
    """Return the bounds (..., d, d), on the host, of cells that may lie on a card."""
    if len(cells.shape) == 2:
        return _planar(cells, options)
    from pearlite import _volume_bounds

    options = replace(options, rtol=min(options.rtol, _DOUBLE_RTOL))
    solution = _solve(replace(cells, dtype=np.dtype(np.float64)), options, fields=True)
    _check_range(cells)
    return _volume_bounds.both(cells, options.rtol, solution)


def _planar(cells: _arrays.Cells, options: corrector._Options) -> tuple[Doubles, Doubles]:
    """Return the bounds (..., 2, 2), on the host, of cells that may lie on a card."""
    squares = not cells.tensor and cells.spacing[0] == cells.spacing[1]
    single = squares and options.rtol >= _SINGLE_FROM
    if not single:
        options = replace(options, rtol=min(options.rtol, _DOUBLE_RTOL))
    energy = _cuda.to_host(_energy(cells, options))
    dual = _dual(cells)
    upper = widened(energy, rounding(cells, energy, single))
    energy = _cuda.to_host(_energy(dual, options))
    inverse = widened(energy, rounding(dual, energy, single))
    # Rounding of the determinant changes all entries alike, the more the more it cancels.
    lower = widened(turned_inverse(inverse), -UNIT_DOUBLE * (16 + 8 * Entries(inverse).shear))
    return lower, upper


def estimate(cells: _arrays.Cells, options: corrector._Options) -> Any:
    """Return the geometric mean of the discrete tensor and of the one from the dual problem."""
    energy = _energy(cells, options)
    mean = geometric_mean(turned_inverse(_energy(_dual(cells), options)), energy)
    return mean.astype(cells.dtype, copy=False)


def _energy(cells: _arrays.Cells, options: corrector._Options) -> Any:
    cells = replace(cells, dtype=np.dtype(np.float64))  # of the result, else rounded to float32
    return _solve(cells, options, fields=False).effective.astype(np.float64, copy=False)


def _solve(cells: _arrays.Cells, options: corrector._Options, fields: bool) -> corrector.Correctors:
    if not _cuda.is_array(cells.pixels):
        return corrector._solve(cells, options, fields)
    from pearlite import _corrector_card  # which imports this module

    return _corrector_card.solve(cells, options, fields)


def _dual(cells: _arrays.Cells) -> _arrays.Cells:
    """Return cells of R k⁻¹ Rᵀ; the values of `cells` have passed the solver."""
    values = _check_range(cells)
    inverse = turned_inverse(values) if cells.tensor else 1 / values.astype(np.float64, copy=False)
    if cells.phases is None:
        return replace(cells, pixels=inverse)
    return replace(cells, phases=inverse)


def _check_range(cells: _arrays.Cells) -> NDArray[Any]:
    """Return the conductivities of pixels or phases, if their inverses are normal numbers."""
    values: NDArray[Any] = cells.pixels if cells.phases is None else cells.phases
    name = "conductivity" if cells.phases is None else "phases"
    if cells.tensor and cells.phases is None and len(cells.shape) == 3 and _cuda.is_array(values):
        from pearlite import _card_cells

        check_range(name, *_card_cells.range_of_tensors(cells))
    else:
        check_range(name, *_range(values, cells.tensor))
    return values


def check_range(name: str, smallest: float, largest: float) -> None:
    """Raise unless conductivities have inverses that are normal numbers."""
    if not (smallest >= _SMALLEST and largest <= _LARGEST):
        raise ValueError(
            f"{name} ranges from {smallest:.3g} to {largest:.3g}; "
            "for two-sided bounds expected values from 1e-36 to 1e36"
        )


def _range(values: NDArray[Any], tensor: bool) -> tuple[float, float]:
    """Return bounds of the conductivities or, of tensors, of their eigenvalues."""
    if not values.size:
        return 1.0, 1.0
    if not tensor:
        return float(values.min().item()), float(values.max().item())
    if values.shape[-1] == 3:
        eigenvalues = np.linalg.eigvalsh(_cuda.to_host(values).astype(np.float64))
        return float(eigenvalues[..., 0].min()), float(eigenvalues[..., -1].max())
    a = Entries(values)
    trace = a.a00 + a.a11
    where = library(trace).where
    smallest = where(trace > 0, a.determinant / where(trace > 0, trace, 1), 0)
    return float(smallest.min().item()), float(trace.max().item())
