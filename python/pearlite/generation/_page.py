"""The page of an ensemble: its statistics beside those of the reference."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite._report import Report
from pearlite.generation import _figures
from pearlite.generation._comparison import Comparison
from pearlite.generation._ensemble import Ensemble

_SHOWN = 3  # samples
_MEASURED = 200

_DEFINITIONS = (
    "The two-point correlation S2(r) is the probability that two points a vector r apart both lie "
    "in the phase.",
    "A chord is a run of pixels of one phase between two interfaces on a line along an axis; those "
    "that the border of the reference cuts do not count.",
    "Three-point correlations ⟨m(x) m(x + e) m(x + s)⟩, e one pixel along each axis and s any "
    "vector in a window, see corners and roughness, which chords do not. Their principal "
    "components are those of all samples together; the reference takes no part in them.",
    "Errors of S2 are root mean squares over the vectors of the same window; errors of chord "
    "lengths are total variations, 0 for equal distributions and 1 for disjoint ones.",
)


def write(ensemble: Ensemble, path: str | os.PathLike[str]) -> None:
    """Write the page of an ensemble."""
    page(ensemble).write(path)


def page(ensemble: Ensemble) -> Report:
    """Put the page together."""
    result = Report("Generated microstructures", _lead(ensemble))
    result.facts(_facts(ensemble))
    _pictures(result, ensemble)
    if len(ensemble) and ensemble.references:
        _compare(result, ensemble, ensemble.comparison(images=_MEASURED))
    result.heading("The way there")
    result.figure(
        partial(_figures.history, history=ensemble.history),
        "Largest deviation of a volume fraction from the one asked for, before it is corrected; "
        "root mean square over the images, at each noise level.",
        size=(7.2, 2.8),
        wide=True,
    )
    result.heading("Definitions")
    for text in _DEFINITIONS:
        result.paragraph(text)
    return result


def _lead(ensemble: Ensemble) -> str:
    size = " × ".join(map(str, ensemble.shape))
    count = len(ensemble)
    model = f" with the model {ensemble.model}" if ensemble.model else ""
    begun = "Gaussian fields" if ensemble.fields is not None else "white noise"
    ended = "; Ctrl-C ended it" if ensemble.interrupted else ""
    return f"{count} image{'s' * (count != 1)} of {size} pixels from {begun}{model}{ended}."


def _facts(ensemble: Ensemble) -> dict[str, object]:
    facts: dict[str, object] = {
        "method": ensemble.method,
        "evaluations": len(ensemble.history),
        "seed": ensemble.seed,
        "seconds": f"{ensemble.history.seconds:.3g}",
    }
    for phase, fraction in enumerate(ensemble.fractions[:4]):
        facts[f"fraction of phase {phase}"] = float(fraction)
    return facts


def _pictures(page: Report, ensemble: Ensemble) -> None:
    page.heading("Structures")
    show = partial(_figures.image, phases=ensemble.phases)
    if ensemble.references:
        page.figure(partial(show, labels=ensemble.references[0]), "The reference.", size=(4, 4))
    for k in range(min(_SHOWN, len(ensemble))):
        if ensemble.fields is not None and k < 2:
            page.figure(
                partial(show, labels=ensemble.fields[k]),
                f"The Gaussian field of image {k}.",
                size=(4, 4),
            )
        page.figure(partial(show, labels=ensemble.images[k]), f"Image {k}.", size=(4, 4))


def _compare(page: Report, ensemble: Ensemble, found: Comparison) -> None:
    page.heading("Volume fractions and errors")
    page.table(table(found), "Means over the images ± standard deviation of one; lengths in pixels")
    if len(ensemble) > 1:
        page.figure(
            partial(_figures.fractions, found=found),
            "Volume fractions of the images.",
            size=(7.2, 1.0 + 0.6 * ensemble.phases),
            wide=True,
        )
    page.heading("Two-point correlations")
    for phase in range(1, ensemble.phases) if ensemble.phases == 2 else range(ensemble.phases):
        for axis in range(len(ensemble.shape)):
            page.figure(
                partial(_figures.slices, found=found, phase=phase, axis=axis),
                f"S2 of phase {phase} along axis {axis}; bands hold nine tenths of the images.",
            )
    page.heading("Chord lengths")
    for phase in range(ensemble.phases):
        for axis in range(len(ensemble.shape)):
            page.figure(
                partial(_figures.chords, found=found, phase=phase, axis=axis),
                f"Chord lengths of phase {phase} along axis {axis}.",
            )
    if len(ensemble) > 2:
        page.heading("Three-point correlations")
        for phase in range(1, ensemble.phases) if ensemble.phases == 2 else range(ensemble.phases):
            page.figure(
                partial(_figures.components, found=found, phase=phase),
                f"The first principal components of phase {phase}; each point is an image.",
                size=(7.2, 3.2),
                wide=True,
            )


def table(found: Comparison) -> dict[str, list[Any]]:
    """Tabulate a comparison: a row for each phase of the reference and of each ensemble."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("", "phase", "fraction", "S2 error of an image", "of the mean",
                     "chord length", "error of chords", "distance of the reference")
    }  # fmt: skip
    phases = found.reference.fractions.shape[1]
    distances = [found.component_distances(p) if _enough(found) else {} for p in range(phases)]
    for name, part in {"reference": found.reference, **found.ensembles}.items():
        reference = part is found.reference
        for phase in range(phases):
            errors = None if reference else found.two_point_errors(name)[:, phase]
            row = [
                name,
                phase,
                spread(part.fractions[:, phase]),
                "–" if errors is None else spread(errors),
                None if reference else float(found.mean_two_point_errors(name)[phase]),
                spread(np.nanmean(part.mean_chords[:, phase], axis=-1)),
                "–" if reference else _listed(found.chord_errors(name)[phase]),
                None if reference else distances[phase].get(name),
            ]
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    return columns


def _enough(found: Comparison) -> bool:
    return sum(map(len, found.ensembles.values())) > 3


def _listed(values: NDArray[Any]) -> str:
    return ", ".join("–" if np.isnan(value) else f"{value:.3f}" for value in values)


def spread(values: NDArray[Any]) -> str:
    """Write mean ± standard deviation."""
    good = values[np.isfinite(values)]
    if not len(good):
        return "–"
    if len(good) == 1:
        return f"{good[0]:.4g}"
    return f"{good.mean():.4g} ± {good.std(ddof=1):.2g}"
