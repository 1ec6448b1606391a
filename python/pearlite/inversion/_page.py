"""The page of a fit: estimates, data and model, the loss and the way of the parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pearlite._report import Report
from pearlite.inversion._resample import Goodness, goodness
from pearlite.inversion._variogram import Variogram
from pearlite.inversion.measurements import TENSOR
from pearlite.plot import COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pearlite.inversion._result import Fit

Floats = NDArray[np.float64]
_DATA, _MODEL = INK, COLOURS[1]
_RESAMPLES = 49  # of the test whether the model fits
_POINTS = 2000  # of a cloud, at most
_NAMED = 5  # ways that have room for their names above
_PAIRS = ((0, 1), (0, 2), (1, 2))


def write_page(
    fit: Fit,
    path: str | os.PathLike[str],
    *,
    unit: str | None = None,
    title: str = "Inversion",
    truth: Mapping[str, Floats] | None = None,
    notes: tuple[str, ...] = (),
    variogram: Variogram | None = None,
    location_unit: str | None = None,
    fits: Goodness | None = None,
) -> None:
    """Write the page of a fit.

    `truth` are the parameters behind made data, `notes` sentences on the data, and `variogram` what
    was found of their correlation; `fits` is the goodness of the fit,
    which is found where it is not given.
    """
    page = Report(title, _lead(fit, unit))
    for note in notes:
        page.paragraph(note)
    page.paragraph((fits or goodness(fit, _RESAMPLES)).verdict)
    page.facts(_facts(fit))
    page.table(_estimates(fit, truth), _estimates_caption(fit, unit))
    page.heading("Data and model")
    _clouds(page, fit, unit)
    page.heading("The way there")
    _ways(page, fit, truth)
    page.table(_restarts(fit), "All starts; the selected one has the lowest mean loss at its end.")
    if variogram is not None:
        page.heading("How far measurements are alike")
        page.figure(
            lambda f: _draw_variogram(f, variogram, location_unit),
            _variogram_caption(variogram, location_unit),
        )
    page.write(path)


def _lead(fit: Fit, unit: str | None) -> str:
    name = type(getattr(fit.model, "model", fit.model)).__name__
    components = ", ".join(_components(fit))
    stated = f" in {unit}" if unit else "; no unit is stated"
    return f"{name}, {len(fit.data)} measurements of {components}{stated}."


def _components(fit: Fit) -> tuple[str, ...]:
    return TENSOR if fit.data.shape[1] == 3 else ("A",)


def _facts(fit: Fit) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name, value in fit.relative_errors.items():
        facts[f"expected error of {name}"] = f"{value:.2g} %"
        if name in fit.bound:
            facts[f"bound on it, {name}"] = f"{fit.bound[name]:.2g} %"
    facts["loss SW2²"] = f"{fit.loss:.3g}"
    if fit.solves:
        facts["cell problems"] = f"{fit.solves:,}".replace(",", " ")
    facts["seconds"] = f"{fit.seconds:.3g}"
    return facts


def _estimates(fit: Fit, truth: Mapping[str, Floats] | None) -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = {"parameter": [], "estimate": [], "error": [], "from": [],
                                   "to": []}  # fmt: skip
    if truth is not None:
        table["truth"] = []
    for block in fit.model.layout.blocks:
        for k in range(block.size):
            error = float(fit.errors[block.name][k])
            low, high = fit.intervals[block.name][k]
            fixed = error == 0
            table["parameter"].append(f"{block.name}_{k + 1}" if block.size > 1 else block.name)
            table["estimate"].append(float(fit.parameters[block.name][k]))
            table["error"].append(None if fixed else float(f"{error:.2g}"))
            table["from"].append(None if fixed else float(low))
            table["to"].append(None if fixed else float(high))
            if truth is not None:
                known = truth.get(block.name)
                table["truth"].append(None if known is None else float(known[k]))
    return table


def _estimates_caption(fit: Fit, unit: str | None) -> str:
    how = f"refined by {fit.refinement}" if fit.refinement else "of the least sliced distance"
    in_unit = f"; a in {unit}" if unit else "; a in the unit of the data"
    return (
        f"Estimates {how}, their standard errors, and intervals that hold the truth with "
        f"{100 * fit.level:g} % probability{in_unit}."
    )


def _clouds(page: Report, fit: Fit, unit: str | None) -> None:
    names = _components(fit)
    measured = [k for k in range(len(names)) if np.isfinite(fit.data[:, k]).any()]
    for k in measured:
        page.figure(_histogram_drawer(fit, k, names[k], unit), f"{names[k]}: data and model.")
    for i, j in _PAIRS:
        if i in measured and j in measured:
            caption = f"{names[j]} against {names[i]}: data and as many samples of the model."
            page.figure(_scatter_drawer(fit, i, j, names, unit), caption)


def _histogram_drawer(fit: Fit, k: int, name: str, unit: str | None) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        draw_histogram(axes, fit.data[:, k], fit.samples[:, k])
        axes.set_xlabel(_label(name, unit))
        axes.legend(frameon=False)

    return draw


def draw_histogram(axes: Axes, data: Floats, samples: Floats) -> None:
    """Draw the densities of data, which may have NaN, and of samples of a model."""
    data = data[np.isfinite(data)]
    both = np.concatenate([data, samples])
    low, high = np.quantile(both, [0.002, 0.998])
    count = int(np.clip(2 * len(data) ** (1 / 3), 12, 60))
    bins = np.linspace(low, high, count + 1).tolist()
    axes.hist(np.clip(data, low, high), bins, density=True, color=_DATA, alpha=0.25, label="data")
    axes.hist(
        np.clip(samples, low, high), bins, density=True, histtype="step", color=_MODEL, lw=1.5,
        label="model",
    )  # fmt: skip
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _scatter_drawer(
    fit: Fit, i: int, j: int, names: tuple[str, ...], unit: str | None
) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        draw_scatter(axes, fit.data[:, [i, j]], fit.samples[:, [i, j]])
        axes.set_xlabel(_label(names[i], unit))
        axes.set_ylabel(_label(names[j], unit))
        axes.legend(frameon=False, markerscale=2)

    return draw


def draw_scatter(axes: Axes, data: Floats, samples: Floats) -> None:
    """Draw the clouds of data (N, 2), which may have NaN, and of as many samples of a model."""
    data = data[np.isfinite(data).all(axis=1)]
    data = data[:: -(-len(data) // _POINTS)] if len(data) else data
    chosen = np.linspace(0, len(samples) - 1, max(len(data), 2)).astype(int)
    axes.plot(*data.T, ".", ms=3.5, mew=0, color=_DATA, alpha=0.6, label="data")
    axes.plot(*samples[chosen].T, ".", ms=3.5, mew=0, color=_MODEL, alpha=0.6, label="model")
    axes.spines[["top", "right"]].set_visible(False)


def _label(name: str, unit: str | None) -> str:
    return f"{name} ({unit})" if unit else name


def _ways(page: Report, fit: Fit, truth: Mapping[str, Floats] | None) -> None:
    stages = np.flatnonzero(np.diff(fit.history.stages)) + 1
    page.figure(
        lambda f: _draw_loss(f, fit, stages),
        "The loss of the selected start. Dotted lines part the stages of the fit; the last is the "
        "polish with more samples.",
    )
    for block in fit.model.layout.blocks:
        if block.name in fit.model.layout.known or block.name not in fit.history.parameters:
            continue
        page.figure(
            _path_drawer(fit, block.name, block.constraint, stages, truth),
            f"The way of {block.name}; bars at the end are the estimate with its interval"
            + (", dashed lines the truth." if truth and block.name in truth else "."),
        )


def _draw_loss(figure: Figure, fit: Fit, stages: NDArray[Any]) -> None:
    axes = figure.add_subplot()
    axes.plot(fit.history.losses, ".-", ms=4, lw=1, color=COLOURS[0])
    if np.min(fit.history.losses) > 0:
        axes.set_yscale("log")
    _finish_way(axes, stages)
    axes.set_ylabel("SW2²")


def _path_drawer(
    fit: Fit, name: str, constraint: str, stages: NDArray[Any], truth: Mapping[str, Floats] | None
) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        way = sorted_ways(fit)[name]  # (I, size)
        end = fit.parameters[name]
        for k in range(way.shape[1]):
            colour = COLOURS[k % len(COLOURS)]
            label = f"{name}_{k + 1}"
            axes.plot(way[:, k], ".-", ms=3, lw=1, color=colour, label=label)
            low, high = fit.intervals[name][k]
            at = len(way) - 1 + 0.04 * len(way)
            axes.errorbar(at, end[k], [[max(end[k] - low, 0)], [max(high - end[k], 0)]], fmt="o",
                          ms=4, lw=1.2, capsize=2, color=colour)  # fmt: skip
            if truth is not None and name in truth:
                axes.axhline(truth[name][k], color=colour, ls="--", lw=0.8)
        if constraint == "positive" and way.min() > 0 and way.max() > 10 * way.min():
            axes.set_yscale("log")
        _finish_way(axes, stages)
        axes.set_ylabel(name)
        if 1 < way.shape[1] <= _NAMED:
            axes.legend(frameon=False, fontsize="small", ncols=way.shape[1], loc="lower right",
                        bbox_to_anchor=(1, 1), borderaxespad=0.1)  # fmt: skip

    return draw


def sorted_ways(fit: Fit) -> dict[str, Floats]:
    """Return the ways (I, size) of all blocks, the materials numbered as they are at the end."""
    ways, stages = dict(fit.history.parameters), fit.history.stages
    order, blocks = fit.model.order, {block.name: block for block in fit.model.layout.blocks}
    before = int(np.searchsorted(stages, stages[-1]))  # the polish is sorted already
    if order not in ways or before == 0:
        return ways
    rank = np.argsort(ways[order][before - 1], kind="stable")
    for name, way in ways.items():
        block = blocks.get(name)
        if block is not None and block.materials and way.shape[1] == len(rank):
            turned = way[:before, rank]
            turned = turned - turned[:, :1] if block.gauge else turned
            ways[name] = np.concatenate([turned, way[before:]])
    return ways


def _finish_way(axes: Axes, stages: NDArray[Any]) -> None:
    for place in stages:
        axes.axvline(place - 0.5, color="#999999", ls=":", lw=0.8)
    axes.set_xlabel("iteration")
    axes.locator_params(axis="x", integer=True)
    axes.spines[["top", "right"]].set_visible(False)


def _restarts(fit: Fit) -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = {
        "start": [
            f"{k + 1}{' (selected)' if k == fit.selected else ''}" for k in range(len(fit.restarts))
        ],
        "loss": [float(f"{r.loss:.3g}") for r in fit.restarts],
        "iterations": [r.iterations for r in fit.restarts],
        "cell problems": [r.solves for r in fit.restarts],
    }
    for block in fit.model.layout.blocks:
        if block.name not in fit.model.layout.known:
            table[f"{block.name} at the end"] = [
                ", ".join(f"{value:.3g}" for value in r.end[block.name]) for r in fit.restarts
            ]
    return table


def _draw_variogram(figure: Figure, found: Variogram, unit: str | None) -> None:
    axes = figure.add_subplot()
    axes.plot(found.distance, found.value, "o", ms=4, color=_DATA, label="pairs of sites")
    fine = np.linspace(0, found.distance[-1], 200)[1:]
    axes.plot(fine, found(fine), color=_MODEL, label=found.shape if found.range else "constant")
    if found.range:
        axes.axvline(found.range, color="#999999", ls=":", lw=0.8)
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.set_xlabel(_label("distance", unit))
    axes.set_ylabel("γ over the variance")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)


def _variogram_caption(found: Variogram, unit: str | None) -> str:
    if not found.range:
        return "The variogram: no correlation is seen."
    stated = f" {unit}" if unit else ""
    return (
        f"The variogram: half the mean squared difference of two measurements, against their "
        f"distance. Range {found.range:.3g}{stated}, nugget {found.nugget / found.sill:.0%} of the "
        "sill."
    )
