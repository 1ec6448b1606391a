"""Two-sided bounds of the effective conductivity of voxels.

The energy of any periodic trial function bounds A* from above. From below it is bounded by the
complementary energy of any divergence-free flux: with three fluxes q_k of mean fluxes m_k, the
columns of m, and energies C_kl = ⟨q_k · q_l / a⟩,

.. math:: A^* ≥ m C^{-1} m^T.

Fluxes are those of lowest-order Raviart-Thomas elements: one number for each face, linear between
opposite faces. They begin as the fluxes of the computed correctors, averaged over both sides of a
face and made free of divergence by Fourier transforms. Conjugate gradients among divergence-free
fluxes then lower their energies; whenever that ends, the bound holds.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, corrector

Doubles = NDArray[np.float64]
_UNIT = 2.0**-53
_MOST_STEPS = 300


def both(
    cells: _arrays.Cells, rtol: float, solution: corrector.Correctors
) -> tuple[Doubles, Doubles]:
    """Return lower and upper bounds (..., 3, 3) of checked cells from their correctors."""
    energies: Doubles = solution.effective.astype(np.float64, copy=False).reshape(-1, 3, 3)
    lower, upper = np.empty_like(energies), np.empty_like(energies)
    fields = solution.correctors.reshape(-1, 3, *cells.shape)
    for index in range(len(energies)):
        energy, field = energies[index], fields[index].astype(np.float64, copy=False)
        values = _values(cells, index)
        if np.isnan(energy).any():
            lower[index] = upper[index] = np.nan
            continue
        margin = _rounding(values, cells.spacing, energy)
        upper[index] = energy + np.diag(np.diag(energy)) * margin
        lower[index] = _from_fluxes(_Fluxes(values, cells.spacing), field, rtol)
    axes = (*cells.batch, 3, 3)
    return lower.reshape(axes), upper.reshape(axes)


def _values(cells: _arrays.Cells, index: int) -> Doubles:
    """Return the conductivities (n0, n1, n2) of a cell, or its tensors (n0, n1, n2, 3, 3)."""
    voxels = cells.pixels[index]
    if cells.phases is None:
        conductivities: Doubles = voxels.astype(np.float64)
        # Of float32 tensors the halves may differ by rounding; the kernels take the mean as well.
        if cells.tensor:
            conductivities = (conductivities + conductivities.swapaxes(-1, -2)) / 2
        return conductivities
    shared = cells.phases.ndim == (3 if cells.tensor else 1)
    table = cells.phases if shared else cells.phases[index]
    return np.asarray(table[voxels], np.float64)


def _rounding(values: Doubles, spacing: tuple[float, ...], energy: Doubles) -> float:
    """Return ε such that ε diag(energy) covers the rounding of the energy.

    The sums of an entry are rows in lanes, rows of a plane and planes. For the rest see
    `pearlite._bounds`: the same steps with three slopes and four twists, and twice the constants.
    The terms of a tensor's energy are at most tr a |z|², that is tr a / λ of what they add up to,
    λ the smallest eigenvalue, on voxels stretched to cubes.
    """
    stretch = max(spacing) / np.array(spacing)
    weights = stretch**2
    diagonal = np.diag(energy) * weights
    sums = 2 * (sum(values.shape[:3]) + 64)
    if values.ndim == 3:
        slant = (weights.sum() / weights.min()) ** 2
        trace, spread = values.mean() * weights.sum(), 1.0
    else:
        stretched = values * np.outer(stretch, stretch)
        traces = np.trace(stretched, axis1=-2, axis2=-1)
        spread = float((traces / np.linalg.eigvalsh(stretched)[..., 0]).max())
        slant, trace = spread**2, traces.mean()
    ratio = trace / diagonal.min()
    return float(_UNIT * (sums + 400 * spread + 128 * np.sqrt(slant + ratio)))


class _Energy(NamedTuple):
    """A flux (3, n0, n1, n2), one number for each lower face, and what M makes of it."""

    flux: Doubles
    product: Doubles


class _Fluxes:
    """Raviart-Thomas fluxes on a cell: their energy, and a projector on those of no divergence."""

    def __init__(self, conductivity: Doubles, spacing: tuple[float, ...]) -> None:
        self.conductivity, self.spacing = conductivity, spacing
        shape = conductivity.shape[:3]
        self.tensor = conductivity.ndim == 5  # (n0, n1, n2, 3, 3); resistivity (3, 3, n0, n1, n2)
        self.resistivity = (
            np.moveaxis(np.linalg.inv(conductivity), (3, 4), (0, 1))
            if self.tensor
            else 1 / conductivity
        )
        waves = [np.fft.fftfreq(n) for n in shape[:2]] + [np.fft.rfftfreq(shape[2])]
        self.symbols = [
            ((np.exp(2j * np.pi * wave) - 1) / h).reshape(
                [-1 if d == axis else 1 for d in range(3)]
            )
            for axis, (wave, h) in enumerate(zip(waves, spacing, strict=True))
        ]  # of the divergence of voxels
        square = sum(np.abs(symbol) ** 2 for symbol in self.symbols)
        square[0, 0, 0] = np.inf
        self.inverse = 1 / square
        self.smallest = min(2 * np.sin(np.pi / n) / h for n, h in zip(shape, spacing, strict=True))

    def product(self, flux: Doubles) -> Doubles:
        """Return M q, with ⟨q · q / a⟩ the mean of q · M q over voxels."""
        result = np.empty_like(flux)
        uppers = [np.roll(flux[axis], -1, axis) for axis in range(3)]
        for axis in range(3):
            lower, upper = flux[axis], uppers[axis]
            own = self.resistivity[axis, axis] if self.tensor else self.resistivity
            below, above = own * (2 * lower + upper) / 6, own * (2 * upper + lower) / 6
            if self.tensor:  # two components vary along different axes: their means meet
                for other in {0, 1, 2} - {axis}:
                    mean = self.resistivity[axis, other] * (flux[other] + uppers[other]) / 4
                    below, above = below + mean, above + mean
            result[axis] = below + np.roll(above, 1, axis)
        return result

    def projected(self, flux: Doubles, mean: bool) -> Doubles:
        """Return the nearest flux of no divergence, with or without the mean flux."""
        waves = [np.fft.rfftn(component) for component in flux]
        divergence = sum(s * w for s, w in zip(self.symbols, waves, strict=True)) * self.inverse
        result = np.empty_like(flux)
        for axis, (symbol, wave) in enumerate(zip(self.symbols, waves, strict=True)):
            wave -= symbol.conj() * divergence
            if not mean:
                wave[0, 0, 0] = 0
            result[axis] = np.fft.irfftn(wave, flux.shape[1:], axes=(0, 1, 2))
        return result

    def largest_root(self) -> float:
        """Return the root of the largest resistivity, of a voxel and a direction."""
        if not self.tensor:
            return float(np.sqrt(self.resistivity.max()))
        return float(1 / np.sqrt(np.linalg.eigvalsh(self.conductivity)[..., 0].min()))

    def defect(self, flux: Doubles) -> float:
        """Return a bound of the root mean square of what `flux` lacks to have no divergence."""
        divergence = sum((np.roll(flux[d], -1, d) - flux[d]) / self.spacing[d] for d in range(3))
        return float(np.sqrt(np.mean(divergence**2)) / self.smallest)

    def of_corrector(self, field: Doubles, load: int) -> Doubles:
        """Return the flux of a corrector (n0, n1, n2), averaged over both sides of each face."""
        slopes = np.empty((3, *field.shape))  # means over voxels
        for axis in range(3):
            slope = (np.roll(field, -1, axis) - field) / self.spacing[axis]
            for other in range(3):
                if other != axis:
                    slope = (slope + np.roll(slope, -1, other)) / 2
            slopes[axis] = slope + (axis == load)
        own = (
            np.einsum("xyzde,exyz->dxyz", self.conductivity, slopes)
            if self.tensor
            else self.conductivity * slopes
        )
        flux = np.stack([(own[axis] + np.roll(own[axis], 1, axis)) / 2 for axis in range(3)])
        return self.projected(flux, mean=True)

    def relaxed(self, flux: Doubles, rtol: float) -> _Energy:
        """Lower the energy of a flux by conjugate gradients, until a step gains little."""
        product = self.product(flux)
        residual = -self.projected(product, mean=False)
        direction, square = residual, float(np.vdot(residual, residual))
        for _ in range(_MOST_STEPS):
            if square == 0:
                break
            image = self.product(direction)
            step = square / float(np.vdot(direction, image))
            flux, product = flux + step * direction, product + step * image
            if step * square <= 0.1 * rtol * float(np.vdot(flux, product)):
                break
            residual = residual - step * self.projected(image, mean=False)
            old, square = square, float(np.vdot(residual, residual))
            direction = residual + (square / old) * direction
        flux = self.projected(flux, mean=True)  # free of what rounding has added
        return _Energy(flux, self.product(flux))


def _from_fluxes(fluxes: _Fluxes, field: Doubles, rtol: float) -> Doubles:
    """Return the lower bound (3, 3) that fluxes from correctors (3, n0, n1, n2) give."""
    found = [fluxes.relaxed(fluxes.of_corrector(field[k], k), rtol) for k in range(3)]
    size = field[0].size
    means = np.array([x.flux.mean(axis=(1, 2, 3)) for x in found]).T
    energy = np.array([[np.vdot(x.flux, y.product) for y in found] for x in found]) / size
    energy = (energy + energy.T) / 2
    # A flux that repairs the divergence left by rounding adds at most `lacks` to the root of an
    # energy; sums are rounded, and the inverse is too.
    largest = fluxes.largest_root()
    lacks = largest * np.array([fluxes.defect(x.flux) for x in found])
    roots = np.sqrt(np.diag(energy))
    condition = float(np.linalg.cond(energy) * np.linalg.cond(means))
    share = 4 * np.max(lacks / roots) + _UNIT * (128 + 64 * condition + 3 * size)
    energy += 3 * share * np.diag(np.diag(energy))
    lower: Doubles = means @ np.linalg.solve(energy, means.T)
    return (lower + lower.T) / 2
