"""Two-sided bounds of the effective conductivity of voxels.

The energy of any periodic trial function bounds A* from above. From below it is bounded by the
complementary energy of any divergence-free flux: with three fluxes q_k of mean fluxes m_k, the
columns of m, and energies C_kl = ⟨q_k · q_l / a⟩,

.. math:: A^* ≥ m C^{-1} m^T.

Fluxes are those of lowest-order Raviart-Thomas elements: one number for each face, linear between
opposite faces. They begin as the fluxes of the computed correctors, averaged over both sides of a
face and made free of divergence by Fourier transforms. Conjugate gradients among divergence-free
fluxes then lower their energies; whenever that ends, the bound holds.

Arrays are numpy's or cupy's: of a card's cells as many go at once as its memory is to hold, of the
CPU's one, whose fields stay near. What one cell gets does not depend on its company.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _cuda, corrector
from pearlite._tensors import diagonal, library

Doubles = NDArray[np.float64]
_UNIT = 2.0**-53
_MOST_STEPS = 300
_MOST_WORKSPACE = 2**32  # bytes of a card
_VOXEL_BYTES = 400  # of the fields of one load that exist at a time
_SPACE = (-3, -2, -1)


def both(
    cells: _arrays.Cells, rtol: float, solution: corrector.Correctors
) -> tuple[Doubles, Doubles]:
    """Return lower and upper bounds (..., 3, 3), on the host, of cells with these correctors."""
    energies: Doubles = _cuda.to_host(solution.effective).astype(np.float64, copy=False)
    energies = energies.reshape(-1, 3, 3)
    lower, upper = np.full_like(energies, np.nan), np.full_like(energies, np.nan)
    fields = solution.correctors.reshape(-1, 3, *cells.shape)
    arrays = library(cells.pixels)
    members = np.flatnonzero(~np.isnan(energies).any(axis=(1, 2)))
    size = int(np.prod(cells.shape))
    at_once = 1 if arrays is np else max(1, _MOST_WORKSPACE // (_VOXEL_BYTES * size))
    for first in range(0, members.size, at_once):
        some = members[first : first + at_once]
        where = arrays.asarray(some)
        fluxes = _Fluxes(_values(cells, where), cells.spacing)
        upper[some] = _more(energies[some], _rounding(fluxes, energies[some]))
        lower[some] = _from_fluxes(fluxes, fields[where], rtol)
    axes = (*cells.batch, 3, 3)
    return lower.reshape(axes), upper.reshape(axes)


def _values(cells: _arrays.Cells, members: Any) -> Any:
    """Return the conductivities (cells, n0, n1, n2) of some cells, or tensors (..., 3, 3)."""
    voxels = cells.pixels[members]
    if cells.phases is None:
        conductivities = voxels.astype(np.float64)
        # Of float32 tensors the halves may differ by rounding; the kernels take the mean as well.
        if cells.tensor:
            conductivities = (conductivities + conductivities.swapaxes(-1, -2)) / 2
        return conductivities
    labels, table = voxels.astype(np.int64), cells.phases.astype(np.float64)
    if cells.phases.ndim == (3 if cells.tensor else 1):
        return table[labels]
    return table[members.reshape(-1, 1, 1, 1), labels]


def _more(tensors: Doubles, share: Doubles) -> Doubles:
    """Return tensors (cells, 3, 3) whose diagonals are larger by shares (cells,)."""
    return tensors * (1 + share[:, None, None] * np.eye(3))


def _rounding(fluxes: "_Fluxes", energies: Doubles) -> Doubles:
    """Return ε (cells,) such that ε diag(energy) covers the rounding of the energies (cells, 3, 3).

    The sums of an entry are rows in lanes, rows of a plane and planes, or on a card four voxels,
    blocks, and 2^-15 of the voxels. For the rest see `pearlite._bounds`: the same steps with three
    slopes and four twists, and twice the constants. The terms of a tensor's energy are at most
    tr a |z|², that is tr a / λ of what they add up to, λ the smallest eigenvalue, on voxels
    stretched to cubes.
    """
    weights = (max(fluxes.spacing) / np.array(fluxes.spacing)) ** 2
    sums = 2 * (sum(fluxes.shape) + np.prod(fluxes.shape) / 2**15 + 64)
    trace, spread = fluxes.trace_and_spread(weights)
    slant = spread**2
    if not fluxes.tensor:
        slant = (weights.sum() / weights.min()) ** 2
    ratio = trace / (diagonal(energies) * weights).min(axis=-1)
    margin: Doubles = _UNIT * (sums + 400 * spread + 128 * np.sqrt(slant + ratio))
    return margin


def _dots(first: Any, second: Any) -> Any:
    """Return the products (cells,) of fluxes (cells, 3, n0, n1, n2)."""
    return library(first).einsum("cdxyz,cdxyz->c", first, second)


class _Energy(NamedTuple):
    """Fluxes (cells, 3, n0, n1, n2), a number for each lower face, and what M makes of them."""

    flux: Any
    product: Any


class _Fluxes:
    """Raviart-Thomas fluxes on cells: their energy, and a projector on those of no divergence."""

    def __init__(self, conductivity: Any, spacing: tuple[float, ...]) -> None:
        self.conductivity, self.spacing = conductivity, spacing
        self.arrays = library(conductivity)
        self.shape = conductivity.shape[1:4]
        self.tensor = conductivity.ndim == 6  # (cells, n0, n1, n2, 3, 3)
        self.resistivity = (  # (cells, n0, n1, n2), or of tensors (3, 3, cells, n0, n1, n2)
            self.arrays.moveaxis(self.arrays.linalg.inv(conductivity), (-2, -1), (0, 1))
            if self.tensor
            else 1 / conductivity
        )
        waves = [np.fft.fftfreq(n) for n in self.shape[:2]] + [np.fft.rfftfreq(self.shape[2])]
        symbols = [
            ((np.exp(2j * np.pi * wave) - 1) / h).reshape(
                [-1 if d == axis else 1 for d in range(3)]
            )
            for axis, (wave, h) in enumerate(zip(waves, spacing, strict=True))
        ]  # of the divergence of voxels
        square = sum(np.abs(symbol) ** 2 for symbol in symbols)
        square[0, 0, 0] = np.inf
        self.symbols = [self.arrays.asarray(symbol) for symbol in symbols]
        self.inverse = self.arrays.asarray(1 / square)
        smallest = (2 * np.sin(np.pi / n) / h for n, h in zip(self.shape, spacing, strict=True))
        self.smallest = min(smallest)

    def product(self, flux: Any) -> Any:
        """Return M q, with ⟨q · q / a⟩ the mean of q · M q over voxels."""
        roll = self.arrays.roll
        result = self.arrays.empty_like(flux)
        uppers = [roll(flux[:, axis], -1, axis + 1) for axis in range(3)]
        for axis in range(3):
            lower, upper = flux[:, axis], uppers[axis]
            own = self.resistivity[axis, axis] if self.tensor else self.resistivity
            below, above = own * (2 * lower + upper) / 6, own * (2 * upper + lower) / 6
            if self.tensor:  # two components vary along different axes: their means meet
                for other in {0, 1, 2} - {axis}:
                    mean = self.resistivity[axis, other] * (flux[:, other] + uppers[other]) / 4
                    below, above = below + mean, above + mean
            result[:, axis] = below + roll(above, 1, axis + 1)
        return result

    def projected(self, flux: Any, mean: bool) -> Any:
        """Return the nearest fluxes of no divergence, with or without the mean flux."""
        fft = self.arrays.fft
        waves = [fft.rfftn(flux[:, axis], axes=_SPACE) for axis in range(3)]
        divergence = sum(s * w for s, w in zip(self.symbols, waves, strict=True)) * self.inverse
        result = self.arrays.empty_like(flux)
        for axis, (symbol, wave) in enumerate(zip(self.symbols, waves, strict=True)):
            wave -= symbol.conj() * divergence
            if not mean:
                wave[:, 0, 0, 0] = 0
            result[:, axis] = fft.irfftn(wave, self.shape, axes=_SPACE)
        return result

    def trace_and_spread(self, weights: Doubles) -> tuple[Doubles, Any]:
        """Return the means of traces (cells,), and a bound of their largest ratios to eigenvalues.

        They are those of tensors on voxels that are stretched to cubes, by the roots of `weights`.
        An inverse has no eigenvalue above its trace.
        """
        if not self.tensor:
            means = self.conductivity.mean(axis=_SPACE)
            return _cuda.to_host(means) * weights.sum(), 1.0
        entries = [(self.conductivity[..., d, d], self.resistivity[d, d]) for d in range(3)]
        traces = sum(w * a for w, (a, _) in zip(weights, entries, strict=True))
        inverses = sum(r / w for w, (_, r) in zip(weights, entries, strict=True))
        spread = (traces * inverses).max(axis=_SPACE)
        return _cuda.to_host(traces.mean(axis=_SPACE)), _cuda.to_host(spread)

    def largest_root(self) -> Doubles:
        """Return bounds (cells,) of the root of the largest resistivity of a cell's voxels."""
        resistivity = self.resistivity
        if self.tensor:
            resistivity = resistivity[0, 0] + resistivity[1, 1] + resistivity[2, 2]
        roots: Doubles = np.sqrt(_cuda.to_host(resistivity.max(axis=_SPACE)))
        return roots

    def defect(self, flux: Any) -> Any:
        """Return bounds (cells,) of what fluxes lack to have no divergence, in the square mean."""
        divergence = sum(
            (self.arrays.roll(flux[:, d], -1, d + 1) - flux[:, d]) / self.spacing[d]
            for d in range(3)
        )
        return self.arrays.sqrt((divergence**2).mean(axis=_SPACE)) / self.smallest

    def of_corrector(self, field: Any, load: int) -> Any:
        """Return fluxes of correctors (cells, n0, n1, n2), averaged over both sides of faces."""
        roll = self.arrays.roll
        slopes = self.arrays.empty((len(field), 3, *self.shape), np.float64)  # means over voxels
        for axis in range(3):
            slope = (roll(field, -1, axis + 1) - field) / self.spacing[axis]
            for other in range(3):
                if other != axis:
                    slope = (slope + roll(slope, -1, other + 1)) / 2
            slopes[:, axis] = slope + int(axis == load)
        own = (
            self.arrays.einsum("cxyzde,cexyz->cdxyz", self.conductivity, slopes)
            if self.tensor
            else self.conductivity[:, None] * slopes
        )
        sides = [(own[:, axis] + roll(own[:, axis], 1, axis + 1)) / 2 for axis in range(3)]
        return self.projected(self.arrays.stack(sides, axis=1), mean=True)

    def relaxed(self, flux: Any, rtol: float) -> _Energy:
        """Lower the energies of fluxes by conjugate gradients, until a step gains little."""
        where = self.arrays.where
        product = self.product(flux)
        residual = -self.projected(product, mean=False)
        direction, square = residual, _dots(residual, residual)
        going = square > 0  # a cell that is done takes steps of 0
        for _ in range(_MOST_STEPS):
            if not _cuda.to_host(going.any()):
                break
            image = self.product(direction)
            step = where(going, square / where(going, _dots(direction, image), 1), 0)
            wide = step.reshape(-1, 1, 1, 1, 1)
            flux, product = flux + wide * direction, product + wide * image
            going = going & (step * square > 0.1 * rtol * _dots(flux, product))
            if not _cuda.to_host(going.any()):
                break
            residual = residual - wide * self.projected(image, mean=False)
            old, square = square, _dots(residual, residual)
            going = going & (square > 0)
            ratio = where(going, square / where(going, old, 1), 0)
            direction = residual + ratio.reshape(-1, 1, 1, 1, 1) * direction
        flux = self.projected(flux, mean=True)  # free of what rounding has added
        return _Energy(flux, self.product(flux))


def _from_fluxes(fluxes: _Fluxes, fields: Any, rtol: float) -> Doubles:
    """Return lower bounds (cells, 3, 3) by fluxes from correctors (cells, 3, n0, n1, n2)."""
    fields = fields.astype(np.float64, copy=False)
    found = [fluxes.relaxed(fluxes.of_corrector(fields[:, k], k), rtol) for k in range(3)]
    size = int(np.prod(fluxes.shape))

    def gathered(columns: list[Any]) -> Doubles:
        """Return columns (cells[, 3]) of matrices, or numbers, side by side on the host."""
        return np.stack([_cuda.to_host(column) for column in columns], axis=-1)

    means = gathered([x.flux.mean(axis=_SPACE) for x in found])
    rows = [gathered([_dots(x.flux, y.product) for y in found]) for x in found]
    energy = np.stack(rows, axis=1) / size
    energy = (energy + energy.swapaxes(-1, -2)) / 2
    # A flux that repairs the divergence left by rounding adds at most `lacks` to the root of an
    # energy; sums are rounded, and the inverse is too.
    lacks = fluxes.largest_root()[:, None] * gathered([fluxes.defect(x.flux) for x in found])
    roots = np.sqrt(diagonal(energy))
    condition = np.linalg.cond(energy) * np.linalg.cond(means)
    share = 4 * np.max(lacks / roots, axis=-1) + _UNIT * (128 + 64 * condition + 3 * size)
    lower = means @ np.linalg.solve(_more(energy, 3 * share), means.swapaxes(-1, -2))
    lower = (lower + lower.swapaxes(-1, -2)) / 2
    return lower
