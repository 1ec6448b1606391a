"""`pearlite tessellate`: seeds from a table or at random, their cells into images and tables."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from pearlite import __version__, _threads, io, laguerre
from pearlite._errors import ConvergenceError
from pearlite.cli import DONE, FAILED, terminal
from pearlite.cli.app import UsageError, fail
from pearlite.cli.seeds import Seeds, random_seeds, read_seeds
from pearlite.cli.volumes import check_places
from pearlite.io.writing import table_object
from pearlite.laguerre._check import Metric

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """How to tessellate: the options that do not depend on the seeds."""

    shape: tuple[int, ...]
    sigma: float | None  # of the logarithm of the volumes; None: as they come
    moves: int
    metric: Metric
    periodic: bool
    spacing: tuple[float, ...]
    seed: int
    threads: int | None


@dataclass(frozen=True)
class Targets:
    """Files to be written."""

    images: tuple[Path, ...]
    table: Path | None
    plot: Path | None

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return [path for path in (*self.images, self.table, self.plot) if path is not None]


@dataclass(frozen=True)
class Tessellation:
    """Seeds and the cells they have."""

    seeds: Seeds
    labels: Any  # (*shape)
    volumes: Doubles  # (K,), in units of the spacing
    centroids: Doubles  # (K, d)
    faces: laguerre.Faces


def parse_order(
    shape: str,
    volumes: str | None,
    moves: int,
    metric: str,
    periodic: bool,
    spacing: str | None,
    seed: int,
    threads: int | None,
) -> Order:
    """Read the options, or raise a UsageError."""
    sizes = _numbers("--shape", shape, (2, 3), int, "two or three integers")
    if min(sizes) < 2 or np.prod([float(n) for n in sizes]) > 2**40:
        raise UsageError(f"--shape: {shape!r} is not two or three integers from 2, 2^40 pixels")
    if metric not in ("power", "additive"):
        raise UsageError(f"--metric: {metric!r} is neither 'power' nor 'additive'")
    if spacing is None:
        lengths = [1 / n for n in sizes]
    else:
        d = len(sizes)
        lengths = _numbers("--spacing", spacing, (1, d), float, f"one or {d} lengths > 0")
        if not all(np.isfinite(h) and h > 0 for h in lengths):
            raise UsageError(f"--spacing: {spacing!r} is not one or {d} lengths > 0")
        lengths = list(lengths) * (d // len(lengths))
    sigma = None if volumes is None else _sigma(volumes)
    if sigma is not None and metric != "power":
        raise UsageError("--volumes: only --metric power can give cells a volume")
    _threads.count(threads)
    if seed >= 2**64:
        raise UsageError(f"--seed: {seed} is not below 2^64")
    kind: Metric = "power" if metric == "power" else "additive"
    return Order(tuple(sizes), sigma, moves, kind, periodic, tuple(lengths), seed, threads)


def _numbers(
    option: str, text: str, counts: tuple[int, ...], kind: type[Any], expected: str
) -> list[Any]:
    try:
        numbers = [kind(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise UsageError(f"--{option.lstrip('-')}: {text!r} is not {expected}")
    return numbers


def _sigma(text: str) -> float:
    """Read a distribution of volumes: the standard deviation of their logarithms."""
    name, _, parameter = text.partition(":")
    if text == "equal":
        return 0.0
    try:
        sigma = float(parameter) if name == "lognormal" else np.nan
    except ValueError:
        sigma = np.nan
    if not 0 <= sigma <= 5:
        raise UsageError(f"--volumes: {text!r} is neither 'equal' nor 'lognormal:S' with S to 5")
    return sigma


def run(
    file: Path | None,
    cells: int | None,
    order: Order,
    targets: Targets,
    as_json: bool,
    quiet: bool,
) -> int:
    """Do the whole command; return the exit code."""
    _check_targets(file, order, targets)
    seeds = _seeds(file, cells, order)
    began = time.perf_counter()
    try:
        seeds = _relaxed(seeds, order, not quiet)
    except ConvergenceError as error:
        return fail(
            f"on these pixels the volumes cannot be had, the worst is off by {error.residual:.3g} "
            "pixels; try more pixels (--shape), or other sites",
            FAILED,
        )
    found = _measured(seeds, order)
    seconds = time.perf_counter() - began
    columns = _columns(found)
    about = _about(found, order, seconds, None if file else order.seed)
    for path in targets.images:
        facts = {key: value for key, value in about.items() if isinstance(value, str | int | bool)}
        io.write_image(path, found.labels, spacing=order.spacing, about=facts)
    if targets.table is not None:
        io.write_columns(targets.table, columns, about)
    if targets.plot is not None:
        from pearlite.cli import tessellate_plot

        tessellate_plot.draw(targets.plot, found.labels, found.volumes, order.spacing)
    if as_json:
        print(json.dumps(table_object(columns, about), indent=1))
    elif not quiet:
        _show(found, order, seconds, targets.paths)
    return DONE


def _check_targets(file: Path | None, order: Order, targets: Targets) -> None:
    """Refuse endings and places that would fail, before any work."""
    try:
        for path in targets.images:
            io.image_format(path, len(order.shape))
        if targets.table is not None:
            io.column_format(targets.table)
        if targets.plot is not None:
            from pearlite.plot import picture_format

            picture_format(targets.plot)
    except io.EndingError as error:
        raise UsageError(str(error)) from error
    if len({path.absolute() for path in targets.paths}) < len(targets.paths):
        raise UsageError("two of the files to write have the same name")
    check_places([] if file is None else [str(file)], targets.paths)


def _seeds(file: Path | None, cells: int | None, order: Order) -> Seeds:
    if (file is None) == (cells is None):
        raise UsageError("say either --cells, for random seeds, or a table of seeds, SEEDS.csv")
    if file is None:
        assert cells is not None
        return random_seeds(cells, len(order.shape), order.seed, order.sigma)
    if order.sigma is not None:
        raise UsageError("--volumes is for random seeds; give a table a column 'volume'")
    seeds = read_seeds(file, len(order.shape))
    if seeds.volumes is not None and order.metric != "power":
        raise UsageError("--metric: with a column 'volume' it is 'power'")
    return seeds


def _relaxed(seeds: Seeds, order: Order, progress: bool) -> Seeds:
    """Move the sites as often as asked for, and fit the weights to the volumes."""
    options: dict[str, Any] = {
        "shape": order.shape,
        "periodic": order.periodic,
        "threads": order.threads,
    }
    sites, weights = seeds.sites, seeds.weights
    count = len(sites)
    if seeds.volumes is not None:
        with terminal.progress("fitting volumes", count, wanted=progress) as advance:
            moved = laguerre.lloyd(sites, volumes=seeds.volumes, iterations=order.moves, **options)
            advance(count)
        return Seeds(moved.sites, moved.weights, seeds.volumes)
    with terminal.progress("moving sites", count * order.moves, wanted=progress) as advance:
        for _ in range(order.moves):
            step = laguerre.lloyd(sites, weights, metric=order.metric, iterations=1, **options)
            sites = step.sites
            advance(count)
    return Seeds(sites, weights, None)


def _measured(seeds: Seeds, order: Order) -> Tessellation:
    count, dimension = seeds.sites.shape
    labels = laguerre.assign(
        seeds.sites,
        seeds.weights,
        shape=order.shape,
        metric=order.metric,
        periodic=order.periodic,
        threads=order.threads,
    )
    options: dict[str, Any] = {
        "dim": dimension,
        "spacing": order.spacing,
        "threads": order.threads,
    }
    plane = seeds.sites if order.metric == "power" else None
    return Tessellation(
        seeds=seeds,
        labels=labels,
        volumes=laguerre.volumes(labels, count, **options),
        centroids=laguerre.centroids(labels, count, periodic=order.periodic, **options),
        faces=laguerre.face_areas(labels, count, sites=plane, periodic=order.periodic, **options),
    )


def _columns(found: Tessellation) -> dict[str, Sequence[Any]]:
    """Return the table: a row for each cell, whose first columns `read_seeds` understands."""
    axes = "xyz"[: found.seeds.sites.shape[1]]
    matrix = found.faces.matrix()
    matrix.sort_indices()
    bounds = list(zip(matrix.indptr[:-1].tolist(), matrix.indptr[1:].tolist(), strict=True))
    weights = found.seeds.weights
    columns: dict[str, Sequence[Any]] = {"cell": range(len(found.volumes))}
    columns |= {axis: found.seeds.sites[:, a].tolist() for a, axis in enumerate(axes)}
    columns["weight"] = (np.zeros(len(matrix.indptr) - 1) if weights is None else weights).tolist()
    columns["cell_volume"] = found.volumes.tolist()
    columns |= {f"centroid_{axis}": found.centroids[:, a].tolist() for a, axis in enumerate(axes)}
    columns["neighbour_count"] = [b - a for a, b in bounds]
    columns["neighbours"] = [matrix.indices[a:b].tolist() for a, b in bounds]
    columns["face_areas"] = [matrix.data[a:b].tolist() for a, b in bounds]
    return columns


def _about(found: Tessellation, order: Order, seconds: float, seed: int | None) -> dict[str, Any]:
    return {
        "pearlite": __version__,
        "shape": list(order.shape),
        "spacing": list(order.spacing),
        "metric": order.metric,
        "periodic": order.periodic,
        **({} if seed is None else {"seed": seed}),
        "seconds": round(seconds, 6),
        "count": len(found.volumes),
        "empty": int((found.volumes == 0).sum()),
        "statistics": _statistics(found),
    }


def _statistics(found: Tessellation) -> dict[str, dict[str, float]]:
    """Return mean, std, min and max over the cells that are not empty."""
    full = found.volumes > 0
    sizes = found.volumes[full]
    flat = found.centroids.shape[1] == 2
    columns = {
        "area" if flat else "volume": sizes,
        "diameter": 2 * np.sqrt(sizes / np.pi) if flat else np.cbrt(6 * sizes / np.pi),
        "neighbours": found.faces.degrees()[full].astype(np.float64),
    }
    return {
        name: {
            "mean": float(values.mean()),
            "std": float(values.std()),
            "min": float(values.min()),
            "max": float(values.max()),
        }
        for name, values in columns.items()
    }


def _show(found: Tessellation, order: Order, seconds: float, written: Sequence[Path]) -> None:
    """Print what was made, its statistics, and what was written."""
    console = terminal.console()
    grid = " × ".join(map(str, order.shape))
    where = "torus" if order.periodic else "box"
    number = len(found.volumes)
    what = "1 cell" if number == 1 else f"{terminal.thousands(number)} cells"
    console.print(f"[bold]{what}[/] of the {order.metric} metric on a {where} of {grid} pixels")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "mean", "std", "min", "max"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True, min_width=9)
    for name, values in _statistics(found).items():
        table.add_row(name, *(f"{value:.4g}" for value in values.values()))
    console.print(table)
    console.print(
        "lengths in the unit of --spacing, without which the cell has sides of 1", style="dim"
    )
    if empty := int((found.volumes == 0).sum()):
        console.print("1 cell is empty" if empty == 1 else f"{terminal.thousands(empty)} are empty")
    console.print(f"\nin {seconds:.3g} s")
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
