"""`pearlite reconstruct`: read references, reconstruct, show and write the structure."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import io, reconstruction
from pearlite.cli import DONE, INTERRUPTED, terminal, volumes
from pearlite.cli.app import UsageError
from pearlite.io.errors import optional
from pearlite.io.grids import uniform
from pearlite.io.phases import listing
from pearlite.reconstruction._methods import NAMES
from pearlite.reconstruction._watch import Progress, Record

_ENDINGS = (".png", ".tif", ".tiff", ".npy", ".h5", ".hdf5", ".vti", ".mha", ".mhd", ".nrrd")
_MOST_PHASES = 32  # more grey values are a picture that has not been segmented
_REFRESH = 0.1  # seconds between two progress lines

Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class Order:
    """How to reconstruct: the options that do not depend on the files."""

    match: bool
    method: str
    shape: tuple[int, ...] | None
    seed: int
    threshold: float | None
    volume: bool | None  # None: what the files say
    normal: tuple[int, ...] | None  # the axis that each file's plane is normal to
    checkpoint: Path | None
    resume: Path | None
    threads: int | None


@dataclass(frozen=True)
class References:
    """What the files hold."""

    images: list[Labels]
    values: npt.NDArray[Any]  # the grey value of each label
    files: list[int]  # which one each image is from
    spacing: tuple[float, ...] | None  # of the first
    unit: str


def parse_order(
    match: bool,
    method: str,
    shape: str | None,
    seed: int,
    threshold: float | None,
    volume: bool | None,
    normal: str | None,
    checkpoint: Path | None,
    resume: Path | None,
    threads: int | None,
) -> Order:
    """Read the options, or raise a UsageError."""
    if method not in NAMES:
        raise UsageError(f"--method: {method!r} is none of {', '.join(NAMES)}")
    if method != "auto" and not match:
        raise UsageError("--method goes with --match; a sample has one method")
    sizes = None if shape is None else volumes.parse_shape(shape)
    axes = None if normal is None else _parse_normal(normal)
    if axes is not None and (match or volume):
        raise UsageError("--normal is for sections, from which --match and --volume make nothing")
    return Order(match, method, sizes, seed, threshold, volume, axes, checkpoint, resume, threads)


def _parse_normal(text: str) -> tuple[int, ...]:
    axes = tuple(text.split(","))
    if not axes or not set(axes) <= {"0", "1", "2"}:
        raise UsageError(f"--normal: {text!r} is not a list of axes 0, 1 and 2, one for each file")
    return tuple(map(int, axes))


def run(
    files: Sequence[str],
    order: Order,
    output: Path,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Do the whole command; return the exit code."""
    _check_targets(files, output, report)
    references = _read(files, order)
    with _progress_line(wanted=not quiet) as progress:
        result = _reconstruct(references, order, progress)
    _write(output, result.image, references)
    written = [output]
    if report is not None:
        result.report(report)
        written.append(report)
    found = _overlap(result, references.images)
    if as_json:
        _print_json(result, found, order)
    elif not quiet:
        _show(result, found, written)
    return INTERRUPTED if result.interrupted else DONE


def _check_targets(files: Sequence[str], output: Path, report: Path | None) -> None:
    """Refuse endings and places that would fail, before any work."""
    if output.suffix.lower() not in _ENDINGS:
        raise UsageError(
            f"{output}: unknown ending {output.suffix!r}; expected one of {', '.join(_ENDINGS)}"
        )
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{report}: unknown ending {report.suffix!r}; expected .html")
    io.image_format(output)
    if report is not None:
        optional("matplotlib", "plot", "a report")
    volumes.check_places(files, [path for path in (output, report) if path is not None])


def _read(files: Sequence[str], order: Order) -> References:
    """Return the references as labels, and what the first file says of its axes."""
    images: list[Labels] = []
    places: list[int] = []
    grids = [io.read_grid(file) for file in files]
    if order.normal is not None and len(order.normal) != len(files):
        raise UsageError(f"--normal: {len(order.normal)} axes for {len(files)} files")
    wanted = None if order.volume is None else 3 if order.volume else 2
    axes = volumes.common_dim(files, grids, 2 if order.normal is not None else wanted)
    for place, (file, grid) in enumerate(zip(files, grids, strict=True)):
        array = np.asarray(grid.images)
        if array.ndim < axes:
            raise UsageError(f"--volume: {file} has {array.ndim} axes; expected a stack of images")
        images += list(array.reshape(-1, *array.shape[-axes:]))
        places += [place] * (len(images) - len(places))
    if order.threshold is not None:
        images = [volumes.two_phases(image, order.threshold) for image in images]
    values = np.unique(np.concatenate([np.unique(image) for image in images]))
    if len(values) > _MOST_PHASES:
        raise UsageError(
            f"{files[0]} has {len(values)} grey values ({listing(values)}); reconstruction needs "
            "segmented images: give --threshold, or segment them before"
        )
    labels = [np.searchsorted(values, image).astype(np.uint8) for image in images]
    return References(labels, values, places, grids[0].sizes(axes), grids[0].unit)


def _reconstruct(
    references: References, order: Order, progress: Progress | None
) -> reconstruction.Result:
    images = references.images
    options: dict[str, Any] = {
        "seed": order.seed,
        "shape": _full_shape(order.shape, 3 if order.normal else images[0].ndim),
        "threads": order.threads,
        "progress": progress,
        "checkpoint": order.checkpoint,
        "resume": order.resume,
    }
    target: Any = images if len(images) > 1 else images[0]
    if order.normal is not None:
        target = {
            axis: [image for image, k in zip(images, references.files, strict=True)
                   if order.normal[k] == axis]
            for axis in sorted(set(order.normal))
        }  # fmt: skip
    result: reconstruction.Result
    if order.match:
        result = reconstruction.match(target, method=order.method, **options)
    else:
        result = reconstruction.sample(target, **options)
    return result


def _full_shape(shape: tuple[int, ...] | None, axes: int) -> tuple[int, ...] | None:
    """Return one number for each axis where one was given for all."""
    return shape * axes if shape is not None and len(shape) == 1 else shape


def _overlap(
    result: reconstruction.Result, references: list[Labels]
) -> reconstruction.Overlap | None:
    """Return the largest overlap with any of the references."""
    if references[0].ndim != result.image.ndim:
        return None
    found = [reconstruction.overlap(result.image, reference) for reference in references]
    return max(found, key=lambda overlap: overlap.best - overlap.chance)


def _write(path: Path, labels: Labels, references: References) -> None:
    """Write an image in the grey values of the references; the file appears whole or not at all."""
    ending, values = path.suffix.lower(), references.values
    pixels = values[labels]
    if pixels.dtype == np.bool_ or (ending != ".npy" and pixels.dtype.kind not in "u"):
        pixels = labels
    if ending == ".npy":
        with io.replacing(path) as temporary, open(temporary, "wb") as file:
            np.save(file, pixels)
        return
    if pixels.dtype.itemsize > 2:
        pixels = labels
    if ending == ".png" and int(pixels.max()) < len(values) and len(values) > 1:
        # Labels would be all but black; they are spread over the greys instead.
        pixels = (labels.astype(np.uint16) * 255 // (len(values) - 1)).astype(np.uint8)
    if ending == ".png" and pixels.ndim != 2:
        raise UsageError(f"{path}: a PNG holds no volume; write .tif or .npy")
    spacing = references.spacing or (1.0,)
    if len(spacing) != pixels.ndim:  # a volume from sections: of their pixels, if these are squares
        spacing = (spacing[0],) * pixels.ndim if uniform(spacing) else (1.0,) * pixels.ndim
    io.write_image(path, pixels, spacing=spacing, unit=references.unit)


@contextmanager
def _progress_line(wanted: bool) -> Iterator[Progress | None]:
    """Give a function that keeps one line of progress; without a terminal there is none."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    latest = 0.0

    def show(record: Record) -> None:
        nonlocal latest
        now = time.perf_counter()
        if now - latest >= _REFRESH:
            latest = now
            print(f"\r\x1b[2K{progress_text(record)}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def progress_text(record: Record) -> str:
    """Write a record in one line."""
    parts = [f"{record.evaluation:,} evaluations".replace(",", " "), f"loss {record.loss:.2e}"]
    if np.isfinite(record.rounded_loss):
        parts.append(f"rounded {record.rounded_loss:.2e}")
    if record.wrong >= 0:
        parts.append(f"{record.wrong:,} wrong counts".replace(",", " "))
    parts.append(f"{record.seconds:.1f} s")
    return "   ".join(parts)


def _summary(result: reconstruction.Result, found: reconstruction.Overlap | None) -> dict[str, Any]:
    """Return what there is to say, by name."""
    summary: dict[str, Any] = {
        "method": result.method,
        "shape": list(result.image.shape),
        "seed": result.seed,
        "exact": result.exact,
        "wrong_pixels": result.wrong_pixels,
        "loss": result.loss,
        "rounded_loss": result.rounded_loss,
        "evaluations": int(result.history.evaluation[-1]) if len(result.history) else 0,
        "seconds": round(result.seconds, 6),
        "interrupted": result.interrupted,
        "why": result.why,
    }
    if found is not None:
        summary |= {"overlap": found.best, "overlap_by_chance": found.chance}
    return summary


def _print_json(
    result: reconstruction.Result, found: reconstruction.Overlap | None, order: Order
) -> None:
    import json

    summary = {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in _summary(result, found).items()
    }
    print(json.dumps({"match": order.match, **summary}, indent=1))


def _show(
    result: reconstruction.Result, found: reconstruction.Overlap | None, written: Sequence[Path]
) -> None:
    """Print what was done in a few lines."""
    console = terminal.console()
    size = " × ".join(map(str, result.image.shape))
    console.print(f"{size} pixels in {result.seconds:.3g} s by {result.method}", markup=False)
    console.print(result.why, style="dim", markup=False)
    if result.method != "sample":  # whose two are of different things, and mean little to a reader
        console.print(f"loss {result.loss:.3g}, once rounded to labels {result.rounded_loss:.3g}")
    if result.wrong_pixels is not None:
        counts = "all integer S2 and S3 counts agree" if result.exact else "not exact"
        console.print(f"{terminal.thousands(result.wrong_pixels)} wrong pixels; {counts}")
    if found is not None:
        best = f"{found.best:.4f} of the pixels equal those of the reference where it fits best"
        console.print(f"{best}; by chance {found.chance:.4f}")
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
