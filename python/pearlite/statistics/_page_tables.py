"""The numbers and tables of the page that `Characterization.report` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pearlite.statistics._characterize import Characterization

Doubles = NDArray[np.float64]


def facts(found: Characterization, count: int) -> dict[str, object]:
    """Return the numbers that stand first."""
    facts: dict[str, object] = {} if count == 1 else {"images": count}
    for name, values in zip(found.phases, flat(found.fractions, 1, found).T, strict=True):
        if len(facts) < 6:
            facts[f"fraction of phase {name}"] = _with_spread(values)
    if len(found.phases) == 2:
        facts["surface per volume"] = _with_spread(flat(found.surface, 1, found)[:, 0])
    for name, around in zip(found.phases, np.moveaxis(found.percolates, -2, 0), strict=True):
        if len(facts) < 8:
            facts[f"phase {name} percolates"] = _axes_of(around.reshape(-1, found.dim))
    return facts


def _axes_of(around: NDArray[np.bool_]) -> str:
    """Tell along which axes; around: (count, dim)."""
    if len(around) > 1:
        return ", ".join(f"{share:.0%}" for share in around.mean(axis=0))
    axes = [str(axis) for axis in range(around.shape[1]) if around[0, axis]]
    if len(axes) == around.shape[1]:
        return "all ways"
    return f"along axis {', '.join(axes)}" if axes else "no way"


def phase_table(found: Characterization) -> dict[str, list[Any]]:
    """Tabulate means over the images."""

    def mean(values: NDArray[Any]) -> list[str]:
        rows = flat(values, 1, found).T
        return [_with_spread(row.astype(np.float64)) for row in rows]

    table: dict[str, list[Any]] = {
        "phase": list(found.phases),
        "fraction": mean(found.fractions),
        "surface": mean(found.surface),
    }
    for axis in range(found.dim):
        table[f"mean chord {axis}"] = mean(found.chords.mean[..., axis])
    table["components"] = mean(found.clusters)
    table["largest"] = mean(found.largest_cluster)
    around = found.percolates.reshape(-1, len(found.phases), found.dim)
    table["percolates"] = [_axes_of(around[:, k]) for k in range(len(found.phases))]
    return table


def table_caption(found: Characterization, count: int) -> str:
    """Say what the columns of the table of phases are."""
    unit = "pixels" if (found.spacing == 1).all() else "the unit of the spacing"
    mean = "Means over the images ± standard deviation of one. " if count > 1 else ""
    return (
        f"{mean}Surface per volume; mean chord length along each axis; number of connected "
        f"components, and share of the phase that the largest has. Lengths in {unit}."
    )


def interface_table(found: Characterization) -> dict[str, list[Any]]:
    """Tabulate the mean area of interfaces by the phases at both sides."""
    mean = flat(found.interfaces, 2, found).mean(axis=0)
    table: dict[str, list[Any]] = {"phase": list(found.phases)}
    for place, name in enumerate(found.phases):
        table[str(name)] = [
            None if row == place else float(mean[row, place]) for row in range(len(found.phases))
        ]
    return table


def _with_spread(values: Doubles) -> str:
    good = values[np.isfinite(values)]
    if not len(good):
        return "–"
    if len(values) == 1:
        return f"{good[0]:.4g}"
    spread = good.std(ddof=1) if len(good) > 1 else 0.0
    return f"{good.mean():.4g} ± {spread:.2g}"


def number_of_images(found: Characterization) -> int:
    """Return how many images there are."""
    return found.fractions.size // len(found.phases)


def flat(values: NDArray[Any], axes: int, found: Characterization) -> NDArray[Any]:
    """Return (count, ...) with the `axes` last axes."""
    return values.reshape(number_of_images(found), *values.shape[values.ndim - axes :])
