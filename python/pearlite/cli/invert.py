"""`pearlite invert`: read measurements, fit a model to them, show and write what was found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pearlite import inversion, io
from pearlite.cli import DONE, terminal
from pearlite.cli.app import UsageError
from pearlite.cli.volumes import check_places
from pearlite.inversion import Fit, Goodness, Measurements, Thinning, Variogram
from pearlite.io.errors import optional

Floats = NDArray[np.float64]
MODELS = ("laguerre", "mosaic", "layers")
_METHODS = ("levenberg-marquardt", "adam")
_DEMO_COUNT = 500
_DEMO_RESTARTS = 3
_DEMO_SIZE = 32
_RESAMPLES = 49  # of the test whether a model fits
_FINER = 1.5  # pixels of made data, along a side, over those of the model


@dataclass(frozen=True)
class Order:
    """How to invert: the options that do not depend on the files."""

    model: str
    materials: int
    metric: str
    sites: int
    size: int | None
    method: str
    restarts: int | None
    sigma: str | None
    thin: bool
    unit: str | None
    level: float
    seed: int


@dataclass(frozen=True)
class Case:
    """Data, with what is known of them."""

    table: Measurements
    notes: list[str]
    truth: dict[str, Floats] | None = None
    variogram: Variogram | None = None
    thinning: Thinning | None = None
    effective: float | None = None


def run(
    file: str | None,
    demo: bool,
    order: Order,
    output: Path | None,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Do the whole command; return the exit code."""
    if (file is None) == (not demo):
        raise UsageError("expected a table of MEASUREMENTS, or --demo" if file is None else
                         "--demo makes its own data; expected no MEASUREMENTS with it")  # fmt: skip
    _check_order(order)
    _check_targets(file, output, report)
    model = _model(order, demo)
    case = _demo_case(order) if file is None else _read_case(file, order)
    expected = model.components
    if case.table.data.shape[1] != expected:
        needed = "A11, A22 and A12" if expected == 3 else "A"
        held = "tensors" if expected == 1 else "a scalar A"
        raise UsageError(f"{file}: holds {held}; --model {order.model} is of {needed}")
    case.table.check_number(model.layout.free)
    if not (as_json or quiet):
        for note in case.notes:
            terminal.console().print(note, markup=False)
    with _progress(wanted=not quiet) as progress:
        found = _fit(model, case, order, demo, progress)
        if progress is not None:
            progress(1.0, "goodness of fit")
        goodness = inversion.goodness(found, _RESAMPLES, seed=order.seed)
    summary = _summary(found, goodness, case, order)
    written = _write(found, goodness, case, summary, output, report)
    if as_json:
        print(_json_text(summary))
    elif not quiet:
        _show(found, goodness, case, written)
    return DONE


def _check_order(order: Order) -> None:
    for name, value, known in (("model", order.model, MODELS), ("method", order.method, _METHODS),
                               ("metric", order.metric, ("additive", "power"))):  # fmt: skip
        if value not in known:
            raise UsageError(f"--{name}: {value!r} is none of {', '.join(known)}")
    if not 0 < order.level < 1:
        raise UsageError(f"--level: {order.level:g} is not between 0 and 1")
    if order.sigma is not None:
        _sigma_option(order.sigma)


def _sigma_option(text: str) -> Any:
    if text == "unknown":
        return text
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < np.inf:
        raise UsageError(f"--sigma: {text!r} is neither a number >= 0 nor 'unknown'")
    return value


def _check_targets(file: str | None, output: Path | None, report: Path | None) -> None:
    """Refuse endings and places that would fail, before any work."""
    for path, endings in ((output, (".json",)), (report, (".html", ".htm"))):
        if path is None:
            continue
        if path.suffix.lower() not in endings:
            raise UsageError(f"{path}: unknown ending {path.suffix!r}; expected {endings[0]}")
        check_places([] if file is None else [file], [path])
    if report is not None:
        optional("matplotlib", "plot", "a report")


def _model(order: Order, demo: bool, finer: float = 1.0) -> inversion.Model:
    """Return the model, or that of made data with so many times the pixels along a side."""
    default = 128 if order.model == "mosaic" else _DEMO_SIZE if demo else 64
    size = round(finer * (order.size or default))
    if order.model == "laguerre":
        return inversion.PeriodicLaguerre(order.materials, (size, size), order.metric)  # type: ignore[arg-type]
    if order.model == "mosaic":
        return inversion.StochasticMosaics(order.materials, order.sites, (size, size))
    return inversion.DirichletLayers(order.materials)


# Data --------------------------------------------------------------------------------------------


def _read_case(file: str, order: Order) -> Case:
    """Read measurements, and find out how many of them are independent."""
    table = inversion.read_measurements(file, unit=order.unit)
    notes = [_told(table)]
    if order.thin and table.locations is None:
        raise io.FileError(f"{file}: has no columns x and y, which --thin needs")
    if table.locations is None:
        return Case(table, notes)
    try:
        found = inversion.variogram(table)
    except ValueError as error:
        told = str(error).removeprefix("table ")
        if order.thin:
            raise io.FileError(f"{file}: {told}") from error
        return Case(table, [*notes, f"All count as independent: the table {told}."])
    thinning = inversion.thin(table, fitted=found)
    unit = f" {table.location_unit}" if table.location_unit else ""
    if not found.range:
        notes.append("Measurements at neighbouring sites are not alike: all count as independent.")
        return Case(table, notes, variogram=found, thinning=thinning)
    apart = f"Measurements are alike up to {found.range:.3g}{unit} ({found.shape} variogram). "
    before = f"{len(table)} sites are worth N_eff = {thinning.effective_before:.0f} independent"
    if order.thin:
        notes.append(
            f"{apart}{before} ones; kept are {len(thinning.rows)}, at least that far apart, worth "
            f"N_eff = {thinning.effective:.0f}."
        )
        table, effective = table.rows(thinning.rows), thinning.effective
    else:
        notes.append(
            f"{apart}{before} ones, which the intervals account for; --thin would keep "
            f"{len(thinning.rows)}, worth {thinning.effective:.0f}."
        )
        effective = thinning.effective_before
    return Case(table, notes, None, found, thinning, float(np.clip(effective, 1, len(table))))


def _told(table: Measurements) -> str:
    """Say in a sentence what a table holds."""
    have = [c for k, c in enumerate(table.components) if np.isfinite(table.data[:, k]).any()]
    unit = f" in {table.unit}" if table.unit else ", no unit stated"
    parts = [f"{table.source}: {len(table)} measurements of {', '.join(have)}{unit}"]
    some = {c: k for c, k in table.missing.items() if c in have}
    if some:
        parts.append("missing " + ", ".join(f"{k} {c}" for c, k in some.items()))
    if table.specimen is not None:
        parts.append(f"{table.specimens} specimens")
    if table.sigma is not None:
        parts.append(f"errors of {np.median(table.sigma):.3g} in the median")
    return "; ".join(parts) + "."


def _demo_case(order: Order) -> Case:
    """Make measurements, on a finer mesh and from other random numbers than a fit has."""
    rng = np.random.default_rng([order.seed, 0xDE30])
    a: Floats = np.geomspace(1, 10, order.materials)
    truth: dict[str, Floats] = {"a": a}
    if order.model == "laguerre":
        truth["w"] = np.array([0.05 * (2 * k % 3) for k in range(order.materials)])  # 0, .1, .05
    else:
        truth["alpha"] = np.linspace(1, 2, order.materials, dtype=np.float64)
    source = _model(order, demo=True, finer=_FINER)
    seed = int(rng.integers(2**31))
    if isinstance(source, inversion.StochasticMosaics):  # real specimens, not its surrogate
        data = source.measure(truth, _DEMO_COUNT, seed=seed)
    else:
        data = inversion.sample(source, truth, _DEMO_COUNT, seed=seed)
    components = ("A11", "A22", "A12") if data.shape[1] == 3 else ("A",)
    listed = "; ".join(f"{k} = {', '.join(f'{v:.4g}' for v in x)}" for k, x in truth.items())
    notes = [f"{len(data)} made measurements of {', '.join(components)}, from {listed}."]
    return Case(Measurements(data, components, source="made data"), notes, truth)


# The fit -----------------------------------------------------------------------------------------


def _fit(model: inversion.Model, case: Case, order: Order, demo: bool, progress: Any) -> Fit:
    table = case.table
    sigma = table.sigma if order.sigma is None else _sigma_option(order.sigma)
    groups = None
    if table.specimen is not None and 2 <= table.specimens < len(table) and not order.thin:
        groups = table.specimen
    restarts = _DEMO_RESTARTS if demo and order.restarts is None else order.restarts
    return inversion.fit(
        model,
        table.data,
        method=order.method,  # type: ignore[arg-type]
        restarts=restarts,
        seed=order.seed,
        sigma=sigma,
        groups=groups,
        effective=None if groups is not None else case.effective,
        missing=True,
        level=order.level,
        progress=progress,
    )


@contextmanager
def _progress(wanted: bool) -> Iterator[Callable[[float, str], None] | None]:
    """Give a function that moves a bar and says which start is at work, if there is a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    columns = (
        TextColumn("{task.description:18}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("fit", total=1.0)
        yield lambda fraction, what: bar.update(task, completed=fraction, description=what)


# What is told ------------------------------------------------------------------------------------


def _summary(found: Fit, goodness: Goodness, case: Case, order: Order) -> dict[str, Any]:
    """Return what there is to say, by name, as JSON has it."""
    data: dict[str, Any] = {
        "source": case.table.source,
        "count": len(case.table),
        "unit": case.table.unit,
        "missing": case.table.missing,
    }
    if case.variogram is not None and case.thinning is not None:
        data |= {
            "range": case.variogram.range,
            "effective_number": case.effective,
            "thinned": order.thin,
        }
    parameters = {}
    for name, values in found.parameters.items():
        parameters[name] = {
            "estimate": values.tolist(),
            "error": found.errors[name].tolist(),
            "interval": found.intervals[name].tolist(),
        }
        if case.truth is not None and name in case.truth:
            parameters[name]["truth"] = case.truth[name].tolist()
    return {
        "model": {"name": order.model, "materials": order.materials, "seed": order.seed},
        "data": data,
        "parameters": parameters,
        "level": found.level,
        "names": found.names,
        "covariance": found.covariance.tolist(),
        "expected_error_percent": found.relative_errors,
        "bound_percent": found.bound,
        "loss": found.loss,
        "goodness": {
            "fits": goodness.fits,
            "misfit": goodness.misfit,
            "probability": goodness.probability,
        },
        "method": found.method,
        "refinement": found.refinement,
        "restarts": [{"loss": r.loss, "iterations": r.iterations} for r in found.restarts],
        "selected": found.selected,
        "cell_problems": found.solves,
        "seconds": round(found.seconds, 3),
    }


def _json_text(summary: dict[str, Any]) -> str:
    import json

    return json.dumps(_plain(summary), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _write(
    found: Fit,
    goodness: Goodness,
    case: Case,
    summary: dict[str, Any],
    output: Path | None,
    report: Path | None,
) -> list[Path]:
    written = []
    if output is not None:
        with io.replacing(output) as temporary:
            temporary.write_text(_json_text(summary) + "\n", encoding="utf-8")
        written.append(output)
    if report is not None:
        from pearlite.inversion._page import write_page

        write_page(
            found, report, unit=case.table.unit, title=f"Inversion of {case.table.source}",
            truth=case.truth, notes=tuple(case.notes), variogram=case.variogram,
            location_unit=case.table.location_unit, fits=goodness,
        )  # fmt: skip
        written.append(report)
    return written


def _show(found: Fit, goodness: Goodness, case: Case, written: list[Path]) -> None:
    """Print the estimates with their intervals, and whether the model fits."""
    console = terminal.console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for name in ("estimate", "error", f"{100 * found.level:g} % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    if case.truth is not None:
        table.add_column("truth", justify="right")
    for name, values in found.parameters.items():
        for k, value in enumerate(values):
            table.add_row(*_row(found, name, k, float(value), case.truth))
    console.print(table)
    for name, expected in found.relative_errors.items():
        text = f"{name}: {expected:.2g} % expected error"
        if case.truth is not None and name in case.truth:
            off = np.linalg.norm(found.parameters[name] - case.truth[name])
            text += f", in fact {100 * off / np.linalg.norm(case.truth[name]):.2g} %"
        if name in found.bound:
            text += f"; no estimate from such data has less than {found.bound[name]:.2g} %"
        console.print(text, markup=False)
    ends = sorted(r.loss for r in found.restarts)
    again = sum(loss < 1.5 * ends[0] for loss in ends)
    console.print(
        f"SW2² {found.loss:.3g}; {again} of {len(ends)} starts end near the best, "
        f"{terminal.thousands(found.solves)} cell problems, {found.seconds:.3g} s",
        style="dim", markup=False,
    )  # fmt: skip
    console.print(goodness.verdict, style="dim" if goodness.fits else "yellow", markup=False)
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)


def _row(found: Fit, name: str, k: int, value: float, truth: dict[str, Floats] | None) -> list[str]:
    label = f"{name}_{k + 1}" if len(found.parameters[name]) > 1 else name
    error = found.errors[name][k]
    low, high = found.intervals[name][k]
    row = [label, f"{value:.4g}"]
    row += [f"{error:.2g}", f"{low:.4g} to {high:.4g}"] if error > 0 else ["", "fixed"]
    if truth is not None:
        row.append(f"{truth[name][k]:.4g}" if name in truth else "")
    return row
