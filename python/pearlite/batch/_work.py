"""What is done with each chunk of images, and which cells it cannot be done with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite import corrector
from pearlite.batch._parts import Columns
from pearlite.batch._sources import Source
from pearlite.io.errors import FileError
from pearlite.io.phases import PhaseMap

Images: TypeAlias = npt.NDArray[Any]

OK, INVALID, NOT_CONVERGED = 0, 1, 2
STATUS = ("ok", "invalid", "not converged")
_MOST_REASONS = 100  # kept of a chunk


class Work(Protocol):
    """What is done with images; an object of it travels to other processes."""

    @property
    def main(self) -> str:
        """Name of the result that a file of a single array holds."""

    @property
    def dim(self) -> int:
        """Number of axes of an image."""

    def describe(self) -> dict[str, Any]:
        """Tell this work from another, for JSON."""

    def fitted(self, source: Source) -> Work:
        """Return the same work, matched with the images."""

    def prepare(self, images: Images) -> Prepared:
        """Do what can be done while other images are being worked on."""

    def run(self, prepared: Prepared) -> Columns:
        """Results (n, ...) by name, for n images."""


@dataclass(frozen=True)
class Prepared:
    """Images as the kernels take them, and which of them are none."""

    images: Images  # (n, *shape)
    bad: npt.NDArray[np.bool_]  # (n,)
    reasons: tuple[str, ...] = ()  # of the first of them


def with_status(results: Columns, prepared: Prepared, main: str) -> Columns:
    """Add the state of each cell, and the reasons of the first that failed."""
    values = results[main]
    lost = np.isnan(values.reshape(len(values), -1)[:, 0])  # infinite where conductors percolate
    status = np.where(lost, NOT_CONVERGED, OK).astype(np.uint8)
    status[prepared.bad] = INVALID
    for result in results.values():
        if result.dtype.kind == "f":
            result[prepared.bad] = np.nan
    return {
        **results,
        "status": status,
        "_failed": np.flatnonzero(prepared.bad)[:_MOST_REASONS],
        "_reason": np.array(prepared.reasons, dtype=np.str_),
    }


@dataclass(frozen=True)
class Homogenization:
    """Effective conductivities, as `pearlite.homogenize` computes them."""

    phases: PhaseMap | None
    dim: int
    spacing: tuple[float, ...] | None
    rtol: float
    threads: int | None
    main: str = "effective"

    def describe(self) -> dict[str, Any]:
        """Return what the tensors depend on."""
        phases = self.phases
        return {
            "operation": "homogenize",
            "dim": self.dim,
            "spacing": None if self.spacing is None else list(self.spacing),
            "rtol": self.rtol,
            "phases": None if phases is None else phases.conductivities.tolist(),
            "values": None if phases is None or phases.values is None else phases.values.tolist(),
        }

    def fitted(self, source: Source) -> Homogenization:
        """Say which values the phases have and how large a pixel is, where the caller did not."""
        phases = self.phases
        if phases is None and source.dtype.kind != "f":
            raise FileError(
                f"{source.name}: holds integers; say what they conduct, such as phases=[1, 10] or "
                "{0: 1, 255: 10}"
            )
        if phases is not None and phases.values is None:
            labels = np.arange(len(phases.conductivities), dtype=np.float64)
            phases = PhaseMap(phases.conductivities, labels)
        return replace(self, phases=phases, spacing=self.spacing or _spacing(source, self.dim))

    def prepare(self, images: Images) -> Prepared:
        """Turn images into labels, or conductivities, and find those that hold other values."""
        if self.phases is None:
            wrong = ~(images >= 0)
            bad = any_pixel(wrong)
            reasons = first_bad(images, wrong, bad, "a conductivity >= 0")
            return Prepared(without(images, bad, 1), bad, reasons)
        assert self.phases.values is not None, "fitted() comes first"
        if _are_labels(images, self.phases.values):
            return Prepared(images, np.zeros(len(images), np.bool_))
        wrong = ~np.isin(images, self.phases.values)
        bad = any_pixel(wrong)
        expected = f"one of {', '.join(f'{value:g}' for value in self.phases.values[:8])}"
        reasons = first_bad(images, wrong, bad, expected)
        known = without(images, bad, self.phases.values[0])
        return Prepared(self.phases.labels(known), bad, reasons)

    def run(self, prepared: Prepared) -> Columns:
        """Solve."""
        conductivities = None if self.phases is None else self.phases.conductivities
        effective = corrector.homogenize(
            prepared.images,
            phases=conductivities,
            dim=self.dim,
            tensor=conductivities is not None and conductivities.ndim == 3,
            spacing=self.spacing,
            rtol=self.rtol,
            threads=self.threads,
            on_failure="nan",
        )
        return with_status({self.main: effective.astype(np.float64)}, prepared, self.main)


def _spacing(source: Source, dim: int) -> tuple[float, ...] | None:
    """Return the sizes of a pixel that a file tells, as `pearlite.io.read_grid` finds them."""
    told = source.attributes.get("spacing", source.attributes.get("element_size_um"))
    if not isinstance(told, list) or len(told) != dim:
        return None
    return tuple(float(size) for size in told)


def _are_labels(images: Images, values: npt.NDArray[np.float64]) -> bool:
    """Tell whether all pixels are phase numbers already, which most data sets hold."""
    if images.dtype.kind not in "u" or images.dtype.itemsize > 2:
        return False
    return np.array_equal(values, np.arange(len(values))) and images.max() < len(values)


def any_pixel(pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which images have such a pixel."""
    return np.asarray(pixels.reshape(len(pixels), -1).any(axis=1), np.bool_)


def without(images: Images, bad: npt.NDArray[np.bool_], value: float) -> Images:
    """Put an image of one value in the place of each bad one."""
    if not bad.any():
        return images
    images = images.copy()
    images[bad] = value
    return images


def first_bad(
    images: Images, wrong: npt.NDArray[np.bool_], bad: npt.NDArray[np.bool_], expected: str
) -> tuple[str, ...]:
    """Say of each bad image, of the first ones, which pixel is the first that is wrong."""
    reasons = []
    for k in np.flatnonzero(bad)[:_MOST_REASONS]:
        pixel = np.unravel_index(int(wrong[k].argmax()), wrong[k].shape)
        place = ", ".join(str(int(i)) for i in pixel)
        reasons.append(f"pixel ({place}) is {images[k][pixel]}; expected {expected}")
    return tuple(reasons)


def chunks(
    count: int, grain: int, pixels: int, wanted: int | None, shared: bool = False
) -> list[tuple[int, int]]:
    """Cut a batch into ranges of images that fit the source's own pieces.

    A scheduler that is `shared` by many processes keeps up with some hundred ranges a second, so
    that they are larger where there are many.
    """
    size = wanted
    if size is None:
        about = max(1, _CHUNK_PIXELS // pixels)
        if shared:
            about = min(max(about, count // _MANY_CHUNKS), _LARGEST_SHARED * about)
        size = max(1, about // grain) * grain if grain <= about else about
    return [(start, min(start + size, count)) for start in range(0, count, size)]


_CHUNK_PIXELS = 1 << 22  # 1,024 cells of 64²
_MANY_CHUNKS = 4096  # for a thousand processes
_LARGEST_SHARED = 8  # times as large as without a scheduler
