"""`pearlite generate`: read a model and statistics, generate, show and write the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import batch, generation, io, statistics
from pearlite.cli import DONE, INTERRUPTED, terminal
from pearlite.cli.app import UsageError
from pearlite.cli.long_run import Run
from pearlite.cli.volumes import check_places, parse_shape, two_phases
from pearlite.generation import _problem, _saving
from pearlite.io.errors import optional
from pearlite.io.phases import listing

LONG_RUN_ENDINGS = ".zarr, .h5 or .npy"
_MOST_PHASES = 16  # more grey values are a picture that has not been segmented


@dataclass(frozen=True)
class Order:
    """What to generate, but for the files."""

    count: int
    statistics: str | None
    volume_fraction: tuple[float, ...] | None
    shape: tuple[int, ...] | None
    seed: int
    method: str
    evaluations: int | None
    field: bool
    conditioned: bool
    periodic: bool
    threshold: float | None
    threads: int | None


def parse_order(
    count: int,
    image: str | None,
    volume_fraction: str | None,
    shape: str | None,
    seed: int,
    method: str,
    evaluations: int | None,
    field: bool,
    conditioned: bool,
    periodic: bool,
    threshold: float | None,
    threads: int | None,
) -> Order:
    """Read the options, or raise a UsageError."""
    if method not in _problem.METHODS:
        raise UsageError(f"--method: {method!r} is none of {', '.join(_problem.METHODS)}")
    if threshold is not None and image is None:
        raise UsageError("--threshold goes with --statistics")
    fractions = None if volume_fraction is None else _parse_fractions(volume_fraction)
    sizes = None if shape is None else parse_shape(shape)
    return Order(
        count, image, fractions, sizes, seed, method, evaluations, field, conditioned, periodic,
        threshold, threads,
    )  # fmt: skip


def _parse_fractions(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0 < value < 1 for value in values):
        raise UsageError(f"--volume-fraction: {text!r} is not one or more numbers between 0 and 1")
    return values


def run(
    model: Path | None,
    order: Order,
    output: Path,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Do the whole command; return the exit code."""
    _check_targets([order.statistics, model], output, report)
    arguments = _arguments(model, order)
    with _bar(order.count, wanted=not quiet) as progress:
        made = generation.generate(**arguments, progress=progress)
    written = made.save(output)
    if report is not None:
        made.report(report)
        written.append(report)
    if as_json:
        _print_json(made, written)
    elif not quiet:
        _show(made, written)
    return INTERRUPTED if made.interrupted else DONE


def run_long(model: Path | None, order: Order, where: Run, quiet: bool) -> int:
    """Do the whole command chunk by chunk; return the exit code."""
    start = partial(batch.generate, **_arguments(model, order))
    return where.go("generating", start, "images", quiet)


def _arguments(model: Path | None, order: Order) -> dict[str, Any]:
    """Return the arguments of `generate`, what is in files read."""
    chosen = _problem.read_model(model)
    references = None if order.statistics is None else _read(order, chosen.phases, chosen.dim)
    shape = order.shape
    if shape is not None and len(shape) == 1:
        shape = shape * chosen.dim
    fractions: Any = order.volume_fraction
    if fractions is not None and len(fractions) == 1:
        fractions = fractions[0]
    return {
        "model": chosen,
        "count": order.count,
        "seed": order.seed,
        "shape": shape,
        "statistics": references,
        "volume_fraction": fractions,
        "method": order.method,
        "evaluations": order.evaluations,
        "field": order.field,
        "conditioned": order.conditioned,
        "periodic": order.periodic,
        "threads": order.threads,
    }


def _check_targets(inputs: Sequence[str | Path | None], output: Path, report: Path | None) -> None:
    """Refuse endings and places that would fail, before any work."""
    try:
        _saving.check_ending(output)
    except io.EndingError as error:
        raise UsageError(str(error)) from error
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{report}: unknown ending {report.suffix!r}; expected .html")
    if report is not None:
        optional("matplotlib", "plot", "a report")
    targets = [path for path in (output, report) if path is not None]
    check_places([str(path) for path in inputs if path is not None], targets)


def _read(order: Order, phases: int, dim: int) -> npt.NDArray[np.uint8]:
    """Return the image (*shape), or images (n, *shape), as labels 0 … P − 1, in order of greys."""
    assert order.statistics is not None
    array = np.asarray(io.read_images(order.statistics))
    if array.ndim < dim:
        raise UsageError(f"--statistics: {order.statistics} has {array.ndim} axes; expected {dim}")
    if order.threshold is not None:
        array = two_phases(array, order.threshold)
    values = np.unique(array)
    if len(values) > _MOST_PHASES:
        raise UsageError(
            f"{order.statistics} has {len(values)} grey values ({listing(values)}); segmented "
            "images are needed: give --threshold, or segment them before"
        )
    if len(values) != phases:
        raise io.FileError(
            f"{order.statistics}: has {len(values)} phases ({listing(values)}); the model knows "
            f"{phases}"
        )
    labels = np.searchsorted(values, array).astype(np.uint8)
    return labels if array.ndim == dim else labels.reshape(-1, *array.shape[array.ndim - dim :])


def _bar(count: int, wanted: bool) -> Any:
    """Return a bar that counts images."""
    return terminal.steps("generating", f"{count} image{'s' * (count != 1)}", wanted)


def _found(made: generation.Ensemble) -> dict[str, Any]:
    """Return the fractions, their deviation and chord lengths of the images, by name."""
    fractions = statistics.volume_fractions(
        made.images, phases=range(made.phases), dim=len(made.shape)
    )
    return {
        "fractions": fractions.mean(axis=0).tolist(),
        "fraction_deviation": float(np.abs(fractions - made.fractions).max()),
    }


def _print_json(made: generation.Ensemble, written: Sequence[Path]) -> None:
    import json

    summary = {
        "images": len(made),
        "shape": list(made.shape),
        **made.about(),
        **_found(made),
        "written": [str(path) for path in written],
    }
    summary["seconds"] = round(summary["seconds"], 6)
    print(json.dumps(summary, indent=1))


def _show(made: generation.Ensemble, written: Sequence[Path]) -> None:
    """Print what was done in a few lines."""
    console = terminal.console()
    size = " × ".join(map(str, made.shape))
    count = len(made)
    console.print(
        f"{count} image{'s' * (count != 1)} of {size} pixels in {made.history.seconds:.3g} s, "
        f"{len(made.history)} evaluations each",
        markup=False,
    )
    found = _found(made)
    shares = ", ".join(f"{value:.4f}" for value in found["fractions"])
    console.print(
        f"volume fractions {shares}; off by {found['fraction_deviation']:.2g} at most",
        markup=False,
    )
    for path in written[:2]:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
    if len(written) > 2:
        console.print(f"… {len(written) - 2} more", style="dim", markup=False)
