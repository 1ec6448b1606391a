"""The figures of the experiments in `distributional_inversion.py`, numbered as the paper's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import inversion_cases as cases
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

import pearlite as pl
from pearlite.inversion._page import draw_histogram, draw_scatter, sorted_ways
from pearlite.plot import COLOURS, STYLE

Results = Sequence[tuple[cases.Case, Sequence[Any]]]
Painter = Callable[[Figure, Results], None]
NAMES = ("A11", "A22", "A12")


def draw(
    experiment: str, figures: Mapping[str, dict[int, Painter]], results: Results, folder: Path
) -> Iterator[Path]:
    """Draw the figures of an experiment; yield where they are. The paper has no figure 0."""
    for number, painter in figures[experiment].items():
        path = folder / (f"figure_{number:02d}.png" if number else f"{experiment}.png")
        with rc_context(STYLE), pl.io.replacing(path) as temporary:
            figure = Figure(layout="constrained", facecolor="white")
            FigureCanvasAgg(figure)
            painter(figure, results)
            figure.savefig(temporary, format="png", dpi=160)
        yield path


def law(figure: Figure, results: Results) -> None:
    """Draw data and fitted model of each case, in one dimension (of section 4.1)."""
    figure.set_size_inches(4.4 * len(results), 3.0)
    for axes, (case, outcomes) in zip(figure.subplots(1, len(results), squeeze=False)[0], results,
                                      strict=True):  # fmt: skip
        found = outcomes[0].fit
        draw_histogram(axes, found.data[:, 0], found.samples[:, 0])
        axes.set_title(case.title)
        axes.set_xlabel("A*")
        axes.legend(frameon=False)


def convergence(case: cases.Case, found: Any, panels: Sequence[Axes]) -> None:
    """Draw the loss and the way of each block, with the truth."""
    history = found.history
    panels[0].plot(history.losses, color=COLOURS[0])
    panels[0].set_yscale("log")
    panels[0].set_ylabel("SW2²")
    free = [name for name in case.truth if name not in found.model.layout.known]
    ways = sorted_ways(found)
    for axes, name in zip(panels[1:], free, strict=False):
        for k, colour in zip(range(ways[name].shape[1]), COLOURS * 3, strict=False):
            axes.plot(ways[name][:, k], color=colour, label=f"{name}_{k + 1}")
            axes.plot(len(ways[name]) * 1.03, found.parameters[name][k], "o", ms=4, color=colour)
            axes.axhline(case.truth[name][k], color=colour, ls="--", lw=0.8)
        axes.set_ylabel(name)
        axes.legend(frameon=False, fontsize=7, ncols=3, loc="lower right", bbox_to_anchor=(1, 1),
                    borderaxespad=0.1)  # fmt: skip
    for axes in panels:
        axes.set_xlabel("iteration")
        axes.spines[["top", "right"]].set_visible(False)
        for place in np.flatnonzero(np.diff(history.stages)) + 0.5:
            axes.axvline(place, color="#999999", ls=":", lw=0.8)


def figure_3(figure: Figure, results: Results) -> None:
    """Draw data, loss, α and a, in one dimension."""
    case, outcomes = results[0]
    found = outcomes[0].fit
    figure.set_size_inches(11.5, 2.7)
    data, *others = figure.subplots(1, 4)
    draw_histogram(data, found.data[:, 0], found.samples[:, 0])
    data.set_xlabel("A*")
    data.legend(frameon=False)
    convergence(case, found, others)


def figure_4(figure: Figure, results: Results) -> None:
    """Draw the error of each block against α₀, of all seeds, and the information bound."""
    figure.set_size_inches(7.2, 3.0)
    for axes, name in zip(figure.subplots(1, 2), ("alpha", "a"), strict=True):
        sizes = [case.truth["alpha"].sum() for case, _ in results]
        for size, (_, outcomes) in zip(sizes, results, strict=True):
            errors = [each.errors[name] for each in outcomes]
            axes.plot([size] * len(errors), errors, ".", color=COLOURS[0], ms=5)
        axes.plot(sizes, [np.median([e.errors[name] for e in outcomes]) for _, outcomes in results],
                  color=COLOURS[0], label="median")  # fmt: skip
        bounds = [
            np.median([e.bound.get(name, np.nan) for e in outcomes]) for _, outcomes in results
        ]
        axes.plot(sizes, bounds, "--", color=COLOURS[1], label="information bound")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("α₀")
        axes.set_ylabel(f"relative error of {name} (%)")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)


def clouds(figure: Figure, results: Results) -> None:
    """Draw histograms and scatter of the three components, data and model."""
    found = results[0][1][0].fit
    figure.set_size_inches(9.0, 5.4)
    panels = figure.subplots(2, 3)
    for k, axes in enumerate(panels[0]):
        draw_histogram(axes, found.data[:, k], found.samples[:, k])
        axes.set_xlabel(NAMES[k])
    panels[0, 0].legend(frameon=False)
    for axes, (i, j) in zip(panels[1], ((0, 1), (0, 2), (1, 2)), strict=True):
        draw_scatter(axes, found.data[:, [i, j]], found.samples[:, [i, j]])
        axes.set_xlabel(NAMES[i])
        axes.set_ylabel(NAMES[j])


def ways(figure: Figure, results: Results) -> None:
    """Draw loss and parameters along the way, of each case's first seed."""
    figure.set_size_inches(9.0, 2.7 * len(results))
    rows = figure.subplots(len(results), 3, squeeze=False)
    for row, (case, outcomes) in zip(rows, results, strict=True):
        convergence(case, outcomes[0].fit, row)
        row[0].set_title(case.title)


def sites(figure: Figure, results: Results) -> None:
    """Draw the error of each block against the number of independent sites, and the bound."""
    figure.set_size_inches(7.2, 3.0)
    names = list(results[0][1][0].errors)
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        found = sorted(
            (
                np.median([each.effective for each in outcomes]),
                [each.errors[name] for each in outcomes],
                np.median([each.bound.get(name, np.nan) for each in outcomes]),
            )
            for _, outcomes in results
        )
        worth = [number for number, _, _ in found]
        for number, errors, _ in found:
            axes.plot([number] * len(errors), errors, ".", color=COLOURS[0], ms=5)
        axes.plot(worth, [np.median(errors) for _, errors, _ in found], color=COLOURS[0],
                  label="median")  # fmt: skip
        axes.plot(worth, [bound for _, _, bound in found], "--", color=COLOURS[1],
                  label="information bound")  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(worth, [f"{number:.0f}" for number in worth])
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.set_xlabel("N_eff, independent sites")
        axes.set_ylabel(f"relative error of {name} (%)")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)


FIGURES: dict[str, dict[int, Painter]] = {
    "1d-uniform": {0: law},
    "1d-dirichlet": {3: figure_3},
    "1d-sweep": {4: figure_4},
    "2d-periodic": {6: clouds, 7: ways},
    "2d-locally-periodic": {10: clouds, 11: ways, 0: sites},
}
