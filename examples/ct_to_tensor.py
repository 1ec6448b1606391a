"""From a 3D image of a porous medium to its transport tensor, with an error bar.

    python examples/ct_to_tensor.py                       a medium that pearlite makes, 64³ voxels
    python examples/ct_to_tensor.py scan.tif --pore 0     an image: .tif, .nrrd, .mhd, .vti, .h5 …
    python examples/ct_to_tensor.py --peers               beside taufactor and PoreSpy, if installed
    python examples/ct_to_tensor.py --plot scan.png       sections with gradients and fluxes
    python examples/ct_to_tensor.py --surface pores.png   the pores' surface (pyvista)

The pores conduct 1, the solid nothing. In the words of porous media, with D the tensor A* in units
of the free diffusivity (or of the conductivity of the fluid) and ε the porosity:

    effective diffusivity D_i,  tortuosity factor τ_i = ε / D_i,  formation factor F_i = 1 / D_i.

The error bar has two parts. *Voxels*: each is divided into 2³ of its phase and the equations are
solved again. The finite elements are an upper bound that falls with their size h, to first order
(docs/volumes.md), so A(h/2) − A(h) is also what is left: D = 2 A(h/2) − A(h) ± |A(h/2) − A(h)|.
*Sample*: eight octants of the image, solved apart, scatter by s; of the whole, the standard error
is s/√8. It is that of a larger sample of the same medium, not of this image.
"""

import argparse
import contextlib
import importlib
import io as text_io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import pearlite as pl

Pores = npt.NDArray[np.uint8]  # (n0, n1, n2), 1 in the pores
Doubles = npt.NDArray[np.float64]
LARGEST_REFINED = 256**3  # voxels after the division
LARGEST_SLOW = 32**3  # voxels that taufactor solves divided within a minute


@dataclass(frozen=True)
class Transport:
    """What one image gives."""

    porosity: float
    percolating: float  # the pores' share that reaches from side to side, over the whole volume
    percolates: npt.NDArray[np.bool_]  # (3,)
    tensor: Doubles  # (3, 3)
    voxels: Doubles  # (3, 3): the half-width that the voxels stand for
    sample: Doubles  # (3, 3): the standard error of a sample of this size
    seconds: float  # of processor time, of the tensor at the image's own resolution


def main() -> None:
    """Read or make the image, and tell what it conducts."""
    order = _arguments()
    pores, spacing, unit = _image(order)
    found = transport(pores, spacing)
    show(found, pores.shape, spacing, unit)
    if order.peers:
        compare(pores)
    if order.plot:
        picture(order.plot, pores, spacing, unit)
    if order.surface:
        pl.plot.surface(order.surface, pores, 1, spacing=spacing)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("scan", nargs="?", help="an image; one is made without it")
    parser.add_argument("--pore", type=int, nargs="+", default=[0], help="labels of the pores")
    parser.add_argument("--threshold", type=float, help="pores are what is darker")
    parser.add_argument("--size", type=int, default=64, help="voxels a side of what is made")
    parser.add_argument("--porosity", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="taufactor and PoreSpy too")
    parser.add_argument("--plot", help="write sections and fluxes, .png")
    parser.add_argument("--surface", help="write the pores' surface, .png; needs pyvista")
    return parser.parse_args()


def _image(order: argparse.Namespace) -> tuple[Pores, tuple[float, ...] | None, str]:
    """Return the pores, the size of a voxel and its unit."""
    if order.scan is None:
        return made(order.size, order.porosity, order.seed), None, ""
    grid = pl.io.read_grid(order.scan)
    if grid.images.ndim != 3:
        raise SystemExit(f"{order.scan}: has the shape {grid.images.shape}; expected a volume")
    if order.threshold is not None:
        pores = np.asarray(grid.images < order.threshold, np.uint8)
    else:
        pores = np.isin(grid.images, order.pore).astype(np.uint8)
    return pores, grid.sizes(3), grid.unit


def made(size: int, porosity: float, seed: int) -> Pores:
    """Make a periodic medium: what is above a level of smooth noise."""
    return pl.microstructures.thresholded_noise(
        1, (size,) * 3, length=size / 16, fractions=[1 - porosity, porosity], seed=seed
    )[0]


def transport(pores: Pores, spacing: tuple[float, ...] | None = None) -> Transport:
    """Return the tensor of an image with its errors."""
    began = time.process_time()
    coarse = _tensor(pores, spacing)
    seconds = time.process_time() - began
    tensor, voxels = coarse, np.full((3, 3), np.nan)
    if 8 * pores.size <= LARGEST_REFINED:
        sizes = None if spacing is None else tuple(h / 2 for h in spacing)
        fine = _tensor(divided(pores), sizes)
        tensor, voxels = 2 * fine - coarse, np.abs(fine - coarse)
    halves = [[slice(None, n // 2), slice(n // 2, 2 * (n // 2))] for n in pores.shape]
    octants = np.stack([pores[a, b, c] for a in halves[0] for b in halves[1] for c in halves[2]])
    scatter = _tensor(octants, spacing).std(axis=0, ddof=1)
    around = pl.statistics.percolates(pores == 1, connectivity="faces", dim=3)
    return Transport(
        porosity=float(pores.mean()),
        percolating=percolating_share(pores),
        percolates=np.asarray(around),
        tensor=tensor,
        voxels=voxels,
        sample=scatter / np.sqrt(8),
        seconds=seconds,
    )


def _tensor(pores: Pores, spacing: tuple[float, ...] | None) -> Doubles:
    found = pl.homogenize(pores, phases=[0.0, 1.0], dim=3, spacing=spacing)
    return np.asarray(found, np.float64)


def divided(pores: Pores) -> Pores:
    """Divide each voxel into 2³ of its phase: the same geometry, with finer elements."""
    return pores.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)


def mirrored(pores: Pores) -> Pores:
    """Put the image between its mirror images along each axis.

    By symmetry, the potential of a load along axis k is constant on the faces normal to k, and
    nothing flows through the others: the problem of fixed concentrations and insulated sides.
    """
    for axis in range(3):
        pores = np.concatenate([pores, np.flip(pores, axis)], axis)
    return pores


def percolating_share(pores: Pores) -> float:
    """Return the volume fraction of pores that are connected to both faces along some axis."""
    labels, _ = pl.statistics.components(pores == 1, periodic=False, dim=3)
    kept: npt.NDArray[np.int32] = np.zeros(0, np.int32)
    for axis in range(3):
        sides = [np.unique(labels.take(place, axis=axis)) for place in (0, -1)]
        kept = np.union1d(kept, np.intersect1d(*sides))
    return float(np.isin(labels, kept[kept > 0]).mean())


def show(
    found: Transport, shape: tuple[int, ...], spacing: tuple[float, ...] | None, unit: str
) -> None:
    """Print all of it."""
    size = " × ".join(map(str, shape))
    length = "" if spacing is None else f" of {' × '.join(f'{h:g}' for h in spacing)} {unit}"
    print(f"{size} voxels{length}")
    print(f"porosity {found.porosity:.4f}, of which {found.percolating:.4f} reaches across")
    for axis in range(3):
        across = "percolates" if found.percolates[axis] else "does not percolate"
        value, half = found.tensor[axis, axis], found.voxels[axis, axis]
        # Of 1/D the relative error is that of D.
        tau, factor = found.porosity / max(value, 1e-300), 1 / max(value, 1e-300)
        print(
            f"axis {axis}: {across}; D = {value:.4f} ± {half:.4f} (voxels) "
            f"± {found.sample[axis, axis]:.4f} (sample), "
            f"τ = {tau:.3f} ± {tau * half / max(value, 1e-300):.3f}, F = {factor:.3f}"
        )
    print(
        "tensor", np.array2string(found.tensor, precision=4, prefix="tensor ", suppress_small=True)
    )
    values, axes = np.linalg.eigh(found.tensor)
    principal = ", ".join(
        f"{value:.4f} along ({', '.join(f'{x:+.2f}' for x in axes[:, k])})"
        for k, value in enumerate(values)
    )
    print(f"principal values {principal}")
    print(f"{found.seconds:.2f} s of processor time for all nine entries at the image's resolution")


def compare(pores: Pores) -> None:
    """Print D, τ and processor time of each program and problem on the same image."""
    import torch

    torch.set_num_threads(1)
    print(f"\n{'':42}{'D0':>8}{'D1':>8}{'D2':>8}{'τ0':>8}{'τ1':>8}{'τ2':>8}{'CPU s':>8}")
    problems: dict[str, Callable[[], Doubles]] = {
        "pearlite, periodic, elements of h": lambda: _diagonal(pores),
        "pearlite, periodic, elements of h/2": lambda: _diagonal(divided(pores)),
        "pearlite, closed sides, elements of h": lambda: _diagonal(mirrored(pores)),
        "pearlite, closed sides, elements of h/2": lambda: _diagonal(divided(mirrored(pores))),
        "taufactor, closed sides, volumes of h": lambda: taufactor(pores, "Solver"),
        "taufactor, periodic sides, volumes of h": lambda: taufactor(pores, "PeriodicSolver"),
        "PoreSpy, closed sides, volumes of h": lambda: porespy(pores),
    }
    if pores.size <= LARGEST_SLOW:
        refined = divided(pores)
        problems["taufactor, closed sides, volumes of h/2"] = lambda: taufactor(refined, "Solver")
    for name, solve in problems.items():
        _row(name, solve, float(pores.mean()))


def _row(name: str, solve: Callable[[], Doubles], porosity: float) -> None:
    package = name.partition(",")[0].lower()
    try:
        importlib.import_module(package)  # not part of the time
    except ImportError as error:
        print(f"{name:42}  not installed ({error})")
        return
    began = time.process_time()
    found = solve()
    seconds = time.process_time() - began
    columns = "".join(f"{x:8.4f}" for x in found) + "".join(f"{porosity / x:8.3f}" for x in found)
    print(f"{name:42}{columns}{seconds:8.2f}", flush=True)


def _diagonal(pores: Pores) -> Doubles:
    tensor = np.asarray(pl.homogenize(pores, phases=[0.0, 1.0], dim=3, threads=1), np.float64)
    return tensor.diagonal()


def taufactor(pores: Pores, solver: str) -> Doubles:
    """Solve along each axis by taufactor, whose axis is the first."""
    import taufactor as package

    found = []
    for axis in range(3):
        image = np.ascontiguousarray(np.moveaxis(pores, axis, 0))
        problem: Any = getattr(package, solver)(image, device="cpu")
        with contextlib.redirect_stdout(text_io.StringIO()):  # it prints even when told not to
            problem.solve(verbose=False, conv_crit=1e-4)
        found.append(float(np.squeeze(problem.D_eff)))
    return np.array(found)


def porespy(pores: Pores) -> Doubles:
    """Solve along each axis by PoreSpy, whose D is 1/F."""
    import porespy as package

    found = []
    for axis in range(3):
        result = package.simulations.tortuosity_fd(pores.astype(bool), axis=axis)
        found.append(1 / float(result.formation_factor))
    return np.array(found)


def picture(path: str, pores: Pores, spacing: tuple[float, ...] | None, unit: str) -> None:
    """Draw three sections with the gradient and the flux of a mean gradient along axis 0."""
    solution = pl.solve_correctors(pores, phases=[0.0, 1.0], dim=3, spacing=spacing)
    phases = np.array([0.0, 1.0])
    cells = pl.plot.sections("pores", pores, solution.correctors[0], phases, spacing, unit)
    pl.plot.save(path, cells)


if __name__ == "__main__":
    main()
