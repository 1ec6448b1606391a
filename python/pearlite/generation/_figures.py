"""Pictures of ensembles beside a reference, in the colours of the paper's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pearlite.generation._comparison import Comparison
from pearlite.generation._ensemble import History
from pearlite.plot import COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_COLOURS = (COLOURS[1], COLOURS[0], *COLOURS[2:5])  # a reference is drawn in ink
_BANDS = (5, 95)  # percentiles
_BINS = 40  # of chord lengths
_NARROWEST = 0.002  # of the fractions shown


def colours(found: Comparison) -> dict[str, str]:
    """Return the colour of each ensemble; one alone has that of what is generated."""
    names = list(found.ensembles)
    palette = _COLOURS[1:] if len(names) == 1 else _COLOURS
    return dict(zip(names, palette, strict=False))


def image(figure: Figure, labels: NDArray[Any], phases: int) -> None:
    """Draw labels; of a volume its first plane."""
    axes = figure.add_subplot()
    picture(axes, labels, phases)


def picture(axes: Axes, labels: NDArray[Any], phases: int) -> None:
    """Draw labels into axes."""
    plane = labels if labels.ndim == 2 else labels[0]
    axes.imshow(plane, cmap="cividis", interpolation="nearest", vmin=0, vmax=max(1, phases - 1))
    axes.set_xticks([])
    axes.set_yticks([])


def history(figure: Figure, history: History) -> None:
    """Draw the deviation of volume fractions over the noise level."""
    axes = figure.add_subplot()
    axes.plot(history.sigma, history.deviation, ".-", color=_COLOURS[1], ms=4)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_ylim(bottom=0)
    _finish(axes, "noise level σ", "deviation", legend=False)


def fractions(figure: Figure, found: Comparison) -> None:
    """Draw the volume fractions of all images less the reference's, a row for each phase."""
    axes = figure.add_subplot()
    wanted = found.reference.fractions.mean(axis=0)
    names = list(found.ensembles)
    palette = colours(found)
    random = np.random.default_rng(0)
    for k, (name, part) in enumerate(found.ensembles.items()):
        for phase in range(len(wanted)):
            height = phase + 0.5 * (k + 1) / (len(names) + 1) - 0.25
            away = part.fractions[:, phase] - wanted[phase]
            axes.plot(
                away,
                height + random.uniform(-0.05, 0.05, len(away)),
                ".",
                ms=4,
                alpha=0.6,
                color=palette[name],
                label=name if phase == 0 else None,
            )
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(range(len(wanted)), [f"phase {p}" for p in range(len(wanted))])
    axes.set_ylim(len(wanted) - 0.5, -0.9)
    away = max(np.abs(x.fractions - wanted).max() for x in found.ensembles.values())
    reach = max(1.15 * float(away), _NARROWEST)
    axes.set_xlim(-reach, reach)
    axes.locator_params("x", nbins=6)
    _finish(axes, "fraction less the reference's", "")


def slices(figure: Figure | SubFigure, found: Comparison, phase: int, axis: int) -> None:
    """Draw S2 of a phase along an axis."""
    axes = figure.add_subplot()
    for name, part in found.ensembles.items():
        distance, values = _slice(part.two_point[:, phase], axis)
        colour = colours(found)[name]
        if len(values) > 1:
            low, high = np.percentile(values, _BANDS, axis=0)
            axes.fill_between(distance, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(distance, values.mean(axis=0), color=colour, label=name)
    distance, values = _slice(found.reference.two_point[:, phase], axis)
    axes.plot(distance, values.mean(axis=0), color=INK, lw=1.2, label="reference")
    _finish(axes, f"pixels along axis {axis}", f"S2 of phase {phase}")
    axes.set_xlim(0, distance[-1])


def _slice(maps: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return distances (R,) and maps (n, *window) along an axis from the zero vector: (n, R)."""
    middle = [n // 2 for n in maps.shape[1:]]
    index: list[Any] = [slice(None), *middle]
    index[1 + axis] = slice(middle[axis], None)
    values = maps[tuple(index)]
    return np.arange(values.shape[1]), values


def chords(figure: Figure | SubFigure, found: Comparison, phase: int, axis: int) -> None:
    """Draw the distribution of chord lengths of a phase along an axis."""
    axes = figure.add_subplot()
    parts = {**found.ensembles, "reference": found.reference}
    every = {name: part.chords.sum(axis=0)[phase, axis] for name, part in parts.items()}
    every = {name: counts / counts.sum() for name, counts in every.items() if counts.any()}
    longest = max((int(np.searchsorted(x.cumsum(), 0.995)) for x in every.values()), default=1)
    width = -(-longest // _BINS)  # of a bin: a single image has few long chords
    for name, shares in every.items():
        bins = np.add.reduceat(shares[1:], np.arange(0, len(shares) - 1, width)) / width
        colour = colours(found).get(name, INK)
        middles = (np.arange(len(bins)) + 0.5) * width + 0.5
        thick = 1.2 if colour == INK else 1.6
        axes.plot(middles, bins, color=colour, label=name, lw=thick)
    _finish(axes, f"chord length along axis {axis} (pixels)", "share")
    axes.set_xlim(0, 1.05 * longest + 1)
    axes.set_ylim(bottom=0)


def components(figure: Figure | SubFigure, found: Comparison, phase: int) -> None:
    """Draw the first principal components of three-point correlations, two and two."""
    result = found.components(phase)
    wanted = found.reference_scores(phase, result)
    pairs = [(0, 1), (2, 1)] if result.scores.shape[1] > 2 else [(0, min(1, len(result.scores)))]
    for axes, (x, y) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        first = 0
        for name, part in found.ensembles.items():
            scores = result.scores[first : first + len(part)]
            first += len(part)
            axes.plot(scores[:, x], scores[:, y], ".", ms=5, alpha=0.6, label=name,
                      color=colours(found)[name])  # fmt: skip
        axes.plot(wanted[:, x], wanted[:, y], "*", ms=11, color=INK, label="reference")
        share = result.explained_variance_ratio
        _finish(axes, f"component {x + 1} ({share[x]:.0%})", f"component {y + 1} ({share[y]:.0%})",
                legend=x == pairs[0][0])  # fmt: skip
        axes.ticklabel_format(style="sci", scilimits=(-2, 2), axis="both")


def _finish(axes: Axes, x: str, y: str, legend: bool = True) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(framealpha=0.7, edgecolor="none", fontsize=8)
