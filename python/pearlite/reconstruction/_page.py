"""The page of a reconstruction: original and result, their correlations, and the way there."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pearlite._report import Report
from pearlite.reconstruction._counts import correlation
from pearlite.reconstruction._overlap import Overlap, overlap
from pearlite.reconstruction._result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAPS = "viridis"
_REACH = 40  # pixels of a correlation map about the zero vector


def write(result: Result, path: str | os.PathLike[str]) -> None:
    """Write the page of a result."""
    exact = "exact" if result.exact else "not exact"
    lead = f"method {result.method}, seed {result.seed}"
    page = Report("Reconstruction", lead)
    page.paragraph(result.why)
    found = overlap(result.image, result.references[0]) if _comparable(result) else None
    page.facts(_facts(result, found, exact))
    if found is not None:
        page.heading("Original and result")
        _pictures(page, result, found)
    else:
        page.heading("Result")
        page.figure(lambda f: _image(f, _slice(result.image)), "The result.", size=(4, 4))
    if len(result.history) > 1:
        page.heading("The way there")
        page.figure(
            lambda f: _curve(f, result),
            "The loss of the field, and that of the labels that it rounds to, where evaluated.",
            size=(7.2, 3.2),
            wide=True,
        )
    page.write(path)


def _comparable(result: Result) -> bool:
    return bool(result.references) and result.references[0].ndim == result.image.ndim


def _facts(result: Result, found: Overlap | None, exact: str) -> dict[str, object]:
    """Return the values that matter most."""
    facts: dict[str, object] = {
        "shape": " × ".join(map(str, result.image.shape)),
        "seconds": f"{result.seconds:.3g}",
    }
    if result.method != "sample":  # whose losses are of different things
        facts["loss"] = f"{result.loss:.3g}"
        facts["rounded loss"] = f"{result.rounded_loss:.3g}"
        facts["integer S2 and S3 counts"] = exact
    if result.wrong_pixels is not None:
        facts["wrong pixels"] = result.wrong_pixels
    if found is not None:
        facts["overlap, best registered"] = f"{found.best:.4f}"
        facts["overlap by chance"] = f"{found.chance:.4f}"
    if result.interrupted:
        facts["ended"] = "by Ctrl-C"
    return facts


def _pictures(page: Report, result: Result, found: Overlap) -> None:
    """Show the images and the correlations of the phase of the largest label in each."""
    original, image = result.references[0], result.image
    page.figure(lambda f: _image(f, _slice(original)), "The original.", size=(4, 4))
    page.figure(lambda f: _image(f, _slice(image)), "The result.", size=(4, 4))
    same = original.shape == image.shape
    if same and found.best > found.chance + 0.5 * (1 - found.chance):
        laid = np.roll(np.flip(image) if found.reflected else image, found.shift,
                       tuple(range(image.ndim)))  # fmt: skip
        turned = "reflected at a point and " if found.reflected else ""
        differ = (laid != original).astype(np.uint8)
        if differ.any():
            page.figure(
                lambda f: _image(f, _slice(differ), binary=True),
                f"Where they differ, the result {turned}moved to where it fits best.",
                size=(4, 4),
            )
        else:
            page.paragraph(f"No pixel differs once the result is {turned}moved.")
    phase = int(original.max())
    maps = [two_point_map(x == phase) for x in (original, image)]
    page.heading("Two-point correlations")
    names = ("the original", "the result")
    low, high = float(maps[0].min()), float(maps[0].max())
    for name, values in zip(names, maps, strict=True):
        page.figure(
            partial(_map, values=_middle(values), low=low, high=high),
            f"S2 of phase {phase} in {name}; the zero vector is in the middle.",
            size=(4.4, 3.6),
        )
    if same:
        error = maps[1] - maps[0]
        rms, largest = float(np.sqrt(np.mean(error**2))), float(np.abs(error).max())
        bound = largest or 1.0
        page.figure(
            lambda f: _map(f, _middle(error), -bound, bound, "RdBu_r"),
            f"Their difference: {rms:.2g} in the root mean square, {largest:.2g} at most.",
            size=(4.4, 3.6),
        )


def two_point_map(mask: NDArray[Any]) -> NDArray[np.float64]:
    """Return the periodic two-point correlation of a mask, zero shift in the middle."""
    centred: NDArray[np.float64] = np.fft.fftshift(correlation([mask])) / mask.size
    return centred


def _middle(values: NDArray[Any]) -> NDArray[Any]:
    """Cut a map, zero vector in the middle, to where correlations are not flat yet."""
    plane = _slice(values, central=True)
    return plane[tuple(slice(max(0, n // 2 - _REACH), n // 2 + _REACH + 1) for n in plane.shape)]


def _slice(values: NDArray[Any], central: bool = False) -> NDArray[Any]:
    """Return a plane: of a volume its first one, or that through the middle."""
    if values.ndim == 2:
        return values
    plane: NDArray[Any] = values[len(values) // 2 if central else 0]
    return plane


def _image(figure: "Figure", labels: NDArray[Any], binary: bool = False) -> None:
    axes = figure.add_subplot()
    axes.imshow(labels, cmap="Greys" if binary else "cividis", interpolation="nearest", vmin=0,
                vmax=max(1, int(labels.max())))  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])


def _map(
    figure: "Figure", values: NDArray[Any], low: float, high: float, colours: str = _MAPS
) -> None:
    axes = figure.add_subplot()
    n0, n1 = values.shape
    extent = (-(n1 // 2) - 0.5, n1 - n1 // 2 - 0.5, n0 - n0 // 2 - 0.5, -(n0 // 2) - 0.5)
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, extent=extent)
    axes.set_xlabel("pixels")
    figure.colorbar(shown, ax=axes, shrink=0.85)


def _curve(figure: "Figure", result: Result) -> None:
    axes = figure.add_subplot()
    history = result.history
    evaluated = np.isfinite(history.rounded_loss)
    axes.plot(history.evaluation, history.loss, label="loss")
    axes.plot(history.evaluation[evaluated], history.rounded_loss[evaluated], "o-", ms=3,
              label="rounded loss")  # fmt: skip
    positive = np.r_[history.loss, history.rounded_loss[evaluated]]
    positive = positive[positive > 0]
    if len(positive):
        axes.set_yscale("symlog", linthresh=max(float(positive.min()), 1e-9))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("evaluations")
    axes.legend()
