"""`pearlite train`: read references, train a network, compare it with them, write the model."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import io
from pearlite.cli import DONE, INTERRUPTED, terminal
from pearlite.cli.app import UsageError
from pearlite.cli.volumes import check_places, two_phases
from pearlite.generation._acceptance import Acceptance, accept
from pearlite.generation._patches import reference_images
from pearlite.generation._schedule import Schedule
from pearlite.io.errors import optional
from pearlite.io.phases import listing

_MOST_PHASES = 16  # more grey values are a picture that has not been segmented
_FEWEST_SAMPLES = 4

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Order:
    """How to train: the options that do not depend on the files."""

    schedule: str
    changes: dict[str, int | str]
    minutes: float | None
    name: str
    seed: int
    threshold: float | None
    resume: bool
    samples: int
    threads: int | None


def parse_order(
    schedule: str,
    changes: Mapping[str, int | str | None],
    minutes: float | None,
    name: str,
    seed: int,
    threshold: float | None,
    resume: bool,
    samples: int,
    threads: int | None,
) -> Order:
    """Read the options, or raise a UsageError."""
    if schedule not in ("quick", "paper"):
        raise UsageError(f"--schedule: {schedule!r} is neither quick nor paper")
    given = {key: value for key, value in changes.items() if value is not None}
    if minutes is not None and not 0 < minutes < np.inf:
        raise UsageError(f"--minutes: {minutes:g} is not a number > 0")
    if minutes is not None and "iterations" in given:
        raise UsageError("--minutes and --iterations: give one of them")
    if samples != 0 and samples < _FEWEST_SAMPLES:
        raise UsageError(f"--samples: {samples} is neither 0 nor at least {_FEWEST_SAMPLES}")
    return Order(schedule, given, minutes, name, seed, threshold, resume, samples, threads)


def run(files: Sequence[str], order: Order, output: Path, as_json: bool, quiet: bool) -> int:
    """Do the whole command; return the exit code."""
    checkpoint = output.with_suffix(".checkpoint")
    _check_target(output, checkpoint, order.resume)
    labels, values = _read(files, order.threshold)
    optional("torch", "torch", "training")
    schedule = _schedule(order, int(values.size))
    _keep_memory()
    from pearlite.generation._training import train

    with _progress_bar(wanted=not (quiet or as_json)) as progress:
        result = train(
            labels,
            schedule=schedule,
            name=order.name,
            seed=order.seed,
            minutes=order.minutes,
            threads=order.threads,
            progress=progress,
            checkpoint=checkpoint,
            resume=checkpoint if order.resume else None,
        )
    done = result.model.training["iterations"]
    if result.interrupted:
        if not quiet:
            print(
                f"stopped after {done} of {result.schedule.iterations} steps; "
                f"the same command with --resume goes on from {checkpoint}",
                file=sys.stderr,
            )
        return INTERRUPTED
    model = replace(result.model, training={**result.model.training, "values": values.tolist()})
    model.save(output)
    with suppress(OSError):
        checkpoint.unlink()
    found: Acceptance | None = None
    if order.samples:
        found = accept(model, labels, count=order.samples, threads=order.threads)
    if as_json:
        _print_json(result, found, output)
    elif not quiet:
        _show(result, found, output)
    return DONE


def _check_target(output: Path, checkpoint: Path, resume: bool) -> None:
    """Refuse endings and places that would fail, before any work."""
    if output.suffix.lower() != ".safetensors":
        raise UsageError(f"{output}: unknown ending {output.suffix!r}; expected .safetensors")
    check_places([], [output])
    if resume and not checkpoint.exists():
        raise UsageError(f"--resume: there is no {checkpoint}")
    if checkpoint.exists() and not resume:
        raise UsageError(
            f"{checkpoint} is there, of a training that was stopped: --resume goes on with it, "
            "or remove it"
        )


def _read(files: Sequence[str], threshold: float | None) -> tuple[Labels, npt.NDArray[Any]]:
    """Return the references (m, n0, n1) as labels, and the grey value of each label."""
    images: list[npt.NDArray[Any]] = []
    for file in files:
        array = np.asarray(io.read_images(file))
        images += list(array.reshape(-1, *array.shape[-2:]))
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        one, two = sorted(sizes)[:2]
        raise UsageError(f"{files[0]} …: images of {one} and {two} pixels; expected one size")
    stack = np.stack(images)
    if threshold is not None:
        stack = two_phases(stack, threshold)
    values = io.distinct_values([stack])
    if len(values) > _MOST_PHASES:
        raise UsageError(
            f"{files[0]} has {len(values)} grey values ({listing(values)}); training needs "
            "segmented images: give --threshold, or segment them before"
        )
    if len(values) == 1:
        raise UsageError(f"{files[0]} has one phase only, {listing(values)}; expected at least two")
    return reference_images(np.searchsorted(values, stack).astype(np.uint8)), values


def _schedule(order: Order, phases: int) -> Schedule:
    """Return the schedule with the changes that were asked for."""
    whole = Schedule.paper(phases) if order.schedule == "paper" else Schedule.quick(phases)
    try:
        return replace(whole, **order.changes)  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(f"--{error}") from error


def _keep_memory() -> None:
    """Let the C library keep what torch frees: a seventh of a step went into fetching it anew."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for option, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 1 << 26)):
            mallopt(option, value)  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD


@contextmanager
def _progress_bar(wanted: bool) -> Iterator[Callable[[Any], None] | None]:
    """Give a function that keeps a bar with the loss; without a terminal there is none."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("training"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=None, loss="")

        def show(record: Any) -> None:
            unseen = record.validation_loss  # NaN before the first hundredth of the steps
            told = f", unseen {unseen:.4f}" if np.isfinite(unseen) else ""
            bar.update(
                task,
                completed=record.iteration,
                total=record.iterations,
                loss=f"loss {record.loss:.4f}{told}",
            )

        yield show


def _print_json(result: Any, found: Acceptance | None, output: Path) -> None:
    import json

    def plain(value: object) -> object:
        return value.tolist() if isinstance(value, np.ndarray) else value

    summary = {"model": str(output), **result.model.training}
    if found is not None:
        numbers = {key: plain(value) for key, value in asdict(found).items()}
        summary["acceptance"] = {"accepted": found.accepted, **numbers}
    text = json.dumps(summary, indent=1)
    print(text.replace("NaN", "null"))


def _show(result: Any, found: Acceptance | None, output: Path) -> None:
    """Print what was done in a few lines and a table."""
    console = terminal.console()
    model, record = result.model, result.model.training
    best, last = record["best_iteration"], record["iterations"]
    console.print(
        f"{terminal.thousands(last)} steps of {record['batch']} patches in "
        f"{terminal.thousands(result.seconds)} s: loss {record['loss']:.4f}, "
        f"validation {record['validation_loss']:.4f}"
        + (f"; kept is the average at step {terminal.thousands(best)}" if best < last else "")
    )
    if found is not None:
        console.print(acceptance_table(found))
        console.print("accepted" if found.accepted else "not accepted: train longer", style="bold")
    console.print(
        f"wrote {output}, {terminal.thousands(model.parameters)} parameters",
        soft_wrap=True,
        markup=False,
    )


def acceptance_table(found: Acceptance) -> Any:
    """Tabulate the acceptance."""
    from rich.table import Table

    table = Table(
        title=f"{found.count} patches of samples without conditions",
        title_justify="left",
        title_style="bold",
        caption="Differences: of chord lengths in total variation, of the components of two-point "
        "statistics by Kolmogorov and Smirnov. Natural: those of other patches of the reference.",
        caption_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for column in ("", "samples", "reference", "difference", "natural"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for k, share in enumerate(found.fractions):
        table.add_row(
            f"fraction of phase {k}",
            f"{share:.4f} ± {found.fractions_std[k]:.3f}",
            f"{found.fractions_reference[k]:.4f} ± {found.fractions_std_reference[k]:.3f}",
            f"{abs(share - found.fractions_reference[k]):.4f}",
        )
    for k, length in enumerate(found.chords):
        table.add_row(
            f"chords of phase {k}, pixels",
            f"{length:.2f}",
            f"{found.chords_reference[k]:.2f}",
            f"{found.chords_variation[k]:.3f}",
            f"{found.chords_natural[k]:.3f}",
        )
    for k, apart in enumerate(found.components):
        natural = f"{found.components_natural[k]:.3f}"
        table.add_row(f"component {k + 1}", "", "", f"{apart:.3f}", natural)
    return table
