"""The page that `Characterization.report` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pearlite._report import Report
from pearlite.plot import COLOURS
from pearlite.statistics._connected import components
from pearlite.statistics._page_tables import (
    facts,
    flat,
    interface_table,
    number_of_images,
    phase_table,
    table_caption,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pearlite.statistics._characterize import Characterization

Doubles = NDArray[np.float64]

_DASHES = ("-", "--", ":")  # of the axes
_MOST_CURVES = len(COLOURS)  # phases
_MOST_MAPS = 4

_DEFINITIONS = (
    "The two-point correlation S2(r) is the probability that two points a vector r apart both lie "
    "in the phase; it begins at the volume fraction φ and, without long-range order, ends at φ².",
    "The two-point cluster function C2(r) asks in addition that both lie in one connected "
    "component.",
    "Averages over directions have bins one pixel wide; each vector counts the same.",
    "The lineal path function L(r) is the probability that a whole segment lies in the phase.",
    "A chord is a run of pixels of one phase between two interfaces on a line along an axis; its "
    "length is its number of pixels times their size.",
    "Surface areas (in two dimensions, lengths of boundary per area) are means over lines in 4 "
    "directions, 13 in three dimensions, by the formula of Cauchy and Crofton.",
)


def page(found: Characterization, title: str) -> Report:
    """Put together the page of one microstructure, or of an ensemble."""
    count = number_of_images(found)
    result = Report(title, _lead(found, count))
    result.facts(facts(found, count))
    result.figure(
        lambda f: _draw_structure(f, found), _of_first(_in_slice("The phases", found), count)
    )
    for place in _mapped(found):
        caption = f"Two-point correlation of phase {found.phases[place]} by the vector r"
        caption = f"{caption}, of which component 0 is 0." if found.dim == 3 else f"{caption}."
        result.figure(_map_drawer(found, place), caption)
    result.heading("Phases")
    result.table(phase_table(found), table_caption(found, count))
    if len(found.phases) > 2:
        result.table(interface_table(found), "Area of interfaces per volume, by phases")
    result.heading("Correlations and lengths")
    spread = "; bands are one standard deviation of an image" if count > 1 else ""
    result.figure(
        lambda f: _draw_radial(f, found),
        "Mean over directions: S2 (lines), the cluster function C2 (dashed), and φ², the limit "
        f"without order (dotted){spread}.",
    )
    result.figure(
        lambda f: _draw_profiles(f, found), "S2 less φ² along each axis: where these differ, the "
        "structure is anisotropic.",
    )  # fmt: skip
    result.figure(lambda f: _draw_paths(f, found), "Lineal path functions along each axis.")
    result.figure(
        lambda f: _draw_chords(f, found), f"Chord lengths along each axis{_of_all(count)}."
    )
    result.heading("Connected components")
    for place in _mapped(found, every=True):
        name = found.phases[place]
        caption = _in_slice(f"Components of phase {name}, the largest dark", found)
        caption = _of_first(caption, count)
        result.figure(_component_drawer(found, place), caption)
    result.heading("Definitions")
    for text in _DEFINITIONS:
        result.paragraph(text)
    return result


def _lead(found: Characterization, count: int) -> str:
    size = " × ".join(map(str, found.shape))
    what = "pixels" if found.dim == 2 else "voxels"
    images = f"{count} images of {size}" if count != 1 else size
    kind = "periodic" if found.periodic else "not periodic"
    return f"{images} {what}, {kind}; components share {found.connectivity}."


# Pictures ----------------------------------------------------------------------------------------


def _draw_structure(figure: Figure, found: Characterization) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    axes = figure.add_subplot()
    image = np.minimum(_slice(found, flat(found.images, found.dim, found)[0]), len(found.phases))
    soft = [_lightened(_colour(k), 0.25) for k in range(len(found.phases))]
    colours = ListedColormap([*soft, (1.0, 1.0, 1.0)])
    axes.imshow(image, cmap=colours, vmin=-0.5, vmax=len(soft) + 0.5, **_place(found))
    names = found.phases[:_MOST_CURVES]
    patches = [Patch(color=soft[k], label=f"phase {name}") for k, name in enumerate(names)]
    _legend_beside(axes, handles=patches)
    _label_picture(axes, found)


def _map_drawer(found: Characterization, place: int) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        mean = flat(found.two_point, found.dim + 2, found).mean(axis=0)[place, place]
        if found.periodic:
            mean = np.fft.fftshift(mean)
        middle = np.array(mean.shape) // 2
        length = _reach(found)
        reach = [
            min(n // 2, round(length / h)) for n, h in zip(found.shape, found.spacing, strict=True)
        ]
        box = tuple(slice(max(m - r, 0), m + r + 1) for m, r in zip(middle, reach, strict=True))
        window = _slice(found, mean[box])
        heights = [
            ((np.arange(n)[box[k]] - middle[k])[[0, -1]] + [-0.5, 0.5]) * found.spacing[k]
            for k, n in enumerate(mean.shape)
        ]
        (top, bottom), (left, right) = heights[-2:]
        picture = axes.imshow(
            window, cmap="viridis", extent=(left, right, bottom, top), interpolation="nearest"
        )
        figure.colorbar(picture, ax=axes, shrink=0.8, label="S2")
        axes.set_xlabel(f"r along axis {found.dim - 1}{_unit(found)}")
        axes.set_ylabel(f"r along axis {found.dim - 2}{_unit(found)}")

    return draw


def _draw_radial(figure: Figure, found: Characterization) -> None:
    axes = figure.add_subplot()
    radial = flat(found.radial.values, 3, found)
    clusters = flat(found.cluster_radial.values, 2, found)
    distance = found.radial.distance
    for place, name in _curves(found):
        colour = _colour(place)
        values = radial[:, place, place]
        axes.plot(distance, values.mean(axis=0), color=colour, label=f"phase {name}")
        _band(axes, distance, values, colour)
        axes.plot(distance, clusters[:, place].mean(axis=0), "--", color=colour, lw=1)
        limit = float((flat(found.fractions, 1, found)[:, place] ** 2).mean())
        axes.axhline(limit, ls=":", color=colour, lw=1)
    _finish(axes, f"|r|{_unit(found)}", "probability")
    axes.set_xlim(0, min(distance[-1], _reach(found)))
    axes.set_ylim(bottom=0)


def _draw_profiles(figure: Figure, found: Characterization) -> None:
    axes = figure.add_subplot()
    for place, name in _curves(found):
        square = (flat(found.fractions, 1, found)[:, place] ** 2).mean()
        for axis, profile in enumerate(found.profiles):
            values = flat(profile.values, 3, found)[:, place, place].mean(axis=0) - square
            axes.plot(
                profile.distance,
                values,
                _DASHES[axis],
                color=_colour(place),
                label=f"phase {name}, axis {axis}",
            )
        if len(found.phases) == 2:
            break  # the other phase has the same
    axes.axhline(0, color="#999999", lw=0.6)
    _finish(axes, f"r{_unit(found)}", "S2 − φ²")
    reach = min(profile.distance[-1] for profile in found.profiles)
    axes.set_xlim(0, min(reach, _reach(found)))


def _draw_paths(figure: Figure, found: Characterization) -> None:
    axes = figure.add_subplot()
    values = flat(found.lineal_path.values, 3, found).mean(axis=0)
    smallest = 1.0
    for place, name in _curves(found):
        for axis in range(found.dim):
            curve = values[place, axis]
            good = curve > 1e-5
            if good.any():
                smallest = min(smallest, float(curve[good].min()))
                axes.plot(
                    found.lineal_path.distance[axis][good],
                    curve[good],
                    _DASHES[axis],
                    color=_colour(place),
                    label=f"phase {name}, axis {axis}",
                )
    axes.set_yscale("log")
    axes.set_ylim(max(smallest / 1.5, 1e-5), 1.2)
    _finish(axes, f"length{_unit(found)}", "L")


def _draw_chords(figure: Figure, found: Characterization) -> None:
    axes = figure.add_subplot()
    chords = found.chords.pooled()
    longest = 0.0
    for place, name in _curves(found):
        for axis in range(found.dim):
            shares, lengths = chords.distribution[place, axis], chords.lengths[axis]
            if np.isnan(shares).all():
                continue  # closed lines only, or none
            axes.plot(
                lengths[1:],
                shares[1:] / chords.step[axis],
                _DASHES[axis],
                drawstyle="steps-mid",
                color=_colour(place),
                lw=1,
                label=f"phase {name}, axis {axis}",
            )
            shown = np.searchsorted(shares.cumsum(), 0.995)
            longest = max(longest, float(lengths[min(shown, len(lengths) - 1)]))
    if longest:
        axes.set_xlim(0, 1.05 * longest)
    _finish(axes, f"chord length{_unit(found)}", "density")
    axes.set_ylim(bottom=0)


def _component_drawer(found: Characterization, place: int) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        first = flat(found.images, found.dim, found)[0]
        labels, count = components(
            first == place,
            connectivity=found.connectivity,
            periodic=found.periodic,
            dim=found.dim,
        )
        sizes = np.bincount(labels.ravel(), minlength=2)
        shown = _slice(found, labels)
        # The largest has the phase's colour, the others take turns in two lighter ones.
        light = [_lightened(_colour(place), share) for share in (0.55, 0.7)]
        picture = np.array(light)[shown % 2]
        picture[shown == 0] = 1
        picture[shown == 1 + sizes[1:].argmax()] = _lightened(_colour(place), 0)
        axes = figure.add_subplot()
        axes.imshow(picture, **_place(found))
        number = int(count)
        axes.set_title(f"phase {found.phases[place]}: {number} component{'s' * (number != 1)}")
        _label_picture(axes, found)

    return draw


# What they share ---------------------------------------------------------------------------------


def _of_first(text: str, count: int) -> str:
    return f"{text}; the first of {count} images." if count > 1 else f"{text}."


def _in_slice(text: str, found: Characterization) -> str:
    return text if found.dim == 2 else f"{text}, in the middle slice normal to axis 0"


def _of_all(count: int) -> str:
    return f", of all {count} images" if count > 1 else ""


def _mapped(found: Characterization, every: bool = False) -> list[int]:
    """Return the phases to draw a map of: of two the second alone, unless `every` one matters."""
    if len(found.phases) == 2 and not every:
        return [1]
    return list(range(min(len(found.phases), _MOST_MAPS)))


def _curves(found: Characterization) -> Iterator[tuple[int, int]]:
    yield from enumerate(found.phases[:_MOST_CURVES])


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _lightened(colour: str, white: float) -> tuple[float, float, float]:
    """Return red, green and blue, mixed with a share of white."""
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return tuple(white + (1 - white) * part for part in (red, green, blue))  # type: ignore[return-value]


def _reach(found: Characterization) -> float:
    """Return up to which distance correlations are drawn: four times as far as they reach."""
    mean = flat(found.radial.values, 3, found).mean(axis=0)
    own = mean[np.arange(len(mean)), np.arange(len(mean))]  # (P, B)
    excess = np.abs(own - own[:, :1] ** 2) / np.maximum(own[:, :1] * (1 - own[:, :1]), 1e-12)
    distance = found.radial.distance
    last = int(np.flatnonzero((excess > 0.1).any(axis=0)).max(initial=0))
    return float(min(max(4 * distance[last], 16 * found.spacing.min()), distance[-1]))


def _slice(found: Characterization, volume: NDArray[Any]) -> NDArray[Any]:
    """Return an image, or the middle slice of a volume normal to axis 0."""
    return volume if found.dim == 2 else volume[len(volume) // 2]


def _place(found: Characterization) -> dict[str, Any]:
    height, width = np.array(found.shape[-2:]) * found.spacing[-2:]
    return {"extent": (0, width, height, 0), "interpolation": "nearest"}


def _unit(found: Characterization) -> str:
    return " (pixels)" if (found.spacing == 1).all() else ""


def _label_picture(axes: Axes, found: Characterization) -> None:
    axes.set_xlabel(f"axis {found.dim - 1}{_unit(found)}")
    axes.set_ylabel(f"axis {found.dim - 2}{_unit(found)}")


def _legend_beside(axes: Axes, **options: Any) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        frameon=False,
        borderaxespad=0.2,
        **options,
    )


def _band(axes: Axes, distance: Doubles, values: Doubles, colour: str) -> None:
    """Shade one standard deviation about the mean of values (count, B)."""
    if len(values) < 2:
        return
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    axes.fill_between(distance, mean - spread, mean + spread, color=colour, alpha=0.2, lw=0)


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
