"""What rounding may do to the energies that two-sided bounds in the plane are made of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _cuda
from pearlite._tensors import Entries, diagonal, library

Doubles = NDArray[np.float64]

UNIT_DOUBLE, _UNIT_SINGLE = 2.0**-53, 2.0**-24


# Whatever nodal values the solver left are a trial function; only the evaluation of its energy E
# matters. Let u be the unit roundoff and, in coordinates where pixels are unit squares,
#   z = (m0, m1, c)               mean slopes and twist of a trial function on a pixel,
#   Q(z) = m · a m + tr(a) c²/12  its energy there; E_ij is the mean of Q(z_i, z_j) over N pixels,
#   trace = mean of tr(a),  shear = max 2 a00 a11 / det a,  slant = max tr(a)² / det a.
# An error whose entries are at most ε √(E_ii E_jj) is at most 2ε diag(E) as a quadratic form, and
# ε E itself is at most 2ε diag(E).
#
# 1. Sums over pixels: at most N additions. In E_ii all terms are positive, and those of E_01 are
#    bounded by Cauchy-Schwarz: ε = N u. In single precision sums of eight (8 u) go to doubles.
# 2. What changes each term of Q on its own: reading, scaling and stretching an entry of a (6 u),
#    dividing it by the determinant for the dual (2 u), the products (6 u). Since a01² < a00 a11
#    the terms are at most 2 shear Q together: ε = 28 shear u.
# 3. What changes all of them alike: the determinant of the dual ((2 shear + 1) u), factors before
#    and after the sums (10 u). As shear ≥ 2, 2 and 3 make ε ≤ 40 shear u together.
# 4. Slopes are differences of nodal values, rounded: |δm_k| ≤ u (3 |m_k| + 2 e_k + |c|) and
#    |δc| ≤ u (2 |c| + 2 |m0| + 2 e0), where e is the load's unit slope. In the norm
#    |z|² = m0² + m1² + c²/12 that is |δz| ≤ u (8.5 |z| + 2.1). With Q(δz) ≤ tr(a) |δz|² and
#    tr(a) |z|² ≤ slant Q(z), the mean of Q(δz_i) is at most 77 u² (slant + ratio) E_ii, where
#    ratio = max_i trace / E_ii. Along a direction |Q(z + δz) − Q(z)| ≤ τ Q(z) + Q(δz)/τ to first
#    order; with τ = 12.5 u √(slant + ratio) this is below 38 u √(slant + ratio) diag(E).
#
# Together: u (2 N + 80 shear + 38 √(slant + ratio)) diag(E). Larger constants below cover what is
# of second order, and that E is known as computed only.
def rounding(cells: _arrays.Cells, energy: Doubles, single: bool) -> Doubles:
    """Return ε (...), such that ε diag(energy) covers the rounding of the energy (..., 2, 2)."""
    trace, shear, slant = map(_cuda.to_host, _conditions(cells))
    stretch = np.divide(cells.spacing, max(cells.spacing))
    energies = diagonal(energy).reshape(-1, 2) / stretch**2
    ratio = trace / energies.min(axis=1)
    steps = 96 * shear + 64 * np.sqrt(slant + ratio)
    margin: Doubles = steps * (_UNIT_SINGLE if single else UNIT_DOUBLE)
    margin += 2 * cells.shape[0] * cells.shape[1] * UNIT_DOUBLE
    if (margin > 1e-2).any():  # beyond first order, where no digit would be certain
        index = list(_arrays.unravel(int(np.nanargmax(margin)), cells.batch))
        raise ValueError(
            f"conductivity of cell {index} is so anisotropic or of so high contrast that rounding "
            f"may change {margin[np.nanargmax(margin)]:.1g} of the bounds; expected less than 1e-2"
        )
    return margin.reshape(cells.batch)


def _conditions(cells: _arrays.Cells) -> tuple[Any, Any, Any]:
    """Return mean trace, largest shear and largest slant of the pixels of each cell, (batch,)."""
    weights = (max(cells.spacing) / np.array(cells.spacing)) ** 2  # to unit squares
    values = cells.pixels if cells.phases is None else cells.phases
    shares = (
        None if cells.phases is None else _shares(cells.pixels, values.shape[-1 - 2 * cells.tensor])
    )
    if not cells.tensor:
        mean = _mean(values, shares) * weights.sum()
        ones = library(mean).ones_like(mean)
        return mean, 2 * ones, float(weights.sum() ** 2 / weights.prod()) * ones
    a = Entries(values)
    trace = weights[0] * a.a00 + weights[1] * a.a11
    slant = trace**2 / (a.determinant * weights.prod())
    return _mean(trace, shares), _largest(a.shear, shares), _largest(slant, shares)


# Of values of pixels, (batch, n0, n1), or of those of phases, ([batch,] P), with their area
# fractions `shares`, (batch, P).


def _mean(values: Any, shares: Any) -> Any:
    if shares is None:
        return values.mean(axis=(1, 2), dtype=np.float64)
    return (shares * values).sum(axis=-1)


def _largest(values: Any, shares: Any) -> Any:
    if shares is None:
        return values.max(axis=(1, 2))
    return library(values).where(shares > 0, values, 0).max(axis=-1)


def _shares(labels: Any, count: int) -> Any:
    """Return the area fractions (batch, count) of the phases of labels (batch, n0, n1)."""
    arrays = library(labels)
    counts = arrays.empty((len(labels), count), np.float64)
    for k in range(len(labels)):
        counts[k] = arrays.bincount(labels[k].ravel(), minlength=count)
    return counts / (labels.shape[1] * labels.shape[2])


def widened(tensors: Doubles, margin: Doubles) -> Doubles:
    """Return tensors (..., 2, 2) whose diagonals are larger by a share `margin` (...)."""
    result = tensors.copy()
    for i in range(2):
        result[..., i, i] *= 1 + margin
    return result
