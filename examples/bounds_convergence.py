"""How fast the two-sided bounds close, and how good their geometric mean is.

    python examples/bounds_convergence.py [--output bounds_convergence.png] [--images 6]

Each image is refined: its pixels are cut into m by m, which leaves the exact tensor as it is. The
relative error (Frobenius) of both bounds and of their geometric mean is measured against closed
forms or, for random images, against an extrapolation; the table shows it with its order in the
pixel size, the figure draws it. Geometries that are drawn anew at each size are measured as well:
what their pixels miss of a smooth boundary is an error that no bound of the image can see.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

import pearlite as pl

CONTRASTS = (10.0, 100.0)
SIDE = 32  # pixels along a side of a random image
CUTS = (1, 2, 4, 8)  # of its pixels; the next two cuts serve the extrapolation
SIZES = tuple(SIDE * cut for cut in CUTS)
INK = "#333333"
STYLE = {
    "upper": {"color": "#D55E00", "marker": "^", "label": "upper bound (variational)"},
    "lower": {"color": "#0072B2", "marker": "v", "label": "lower bound (dual)"},
    "estimate": {"color": "#009E73", "marker": "o", "label": "geometric mean (bracketed)"},
    "redrawn": {
        "color": "#777777",
        "marker": "s",
        "label": "geometric mean against the smooth geometry, drawn anew at each size",
    },
}
Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Family:
    """Images of one kind: `image(sample, n)` draws one, `exact(contrast)` is its tensor."""

    name: str
    note: str
    image: Callable[[int, int], Image]
    phases: Callable[[float], Array]
    exact: Callable[[float], Array] | None = None
    smooth: bool = False  # finer images show more of the geometry


def two_phases(contrast: float) -> Array:
    """Return the conductivities 1 and `contrast`."""
    return np.array([1.0, contrast])


def four_phases(contrast: float) -> Array:
    """Return four conductivities from 1 to `contrast`."""
    return contrast ** np.array([0.0, 1.0, 0.3, 0.6])


def tiles(pattern: list[list[int]]) -> Callable[[int, int], Image]:
    """Return a drawer of a pattern of square tiles."""
    tile = np.array(pattern, np.uint8)
    return lambda sample, n: np.kron(tile, np.ones((n // len(tile),) * 2, np.uint8))


def four_squares(contrast: float) -> Array:
    """Return the tensor of four squares, a conjecture of Mortola and Steffé.

    It was proven by G. W. Milton, J. Math. Phys. 42, 4873 (2001), and by R. V. Craster and
    Yu. V. Obnosov, SIAM J. Appl. Math. 61, 1839 (2001).
    """
    a, b, c, d = four_phases(contrast)  # around the corner: a, b in the first row, d, c below
    square = (a * b * c + a * b * d + a * c * d + b * c * d) / (a + b + c + d)
    ratio = (a + b) * (c + d) / ((a + d) * (b + c))
    return np.sqrt(square) * np.diag([np.sqrt(ratio), 1 / np.sqrt(ratio)])


def families() -> list[Family]:
    """Return what is studied."""
    return [
        Family(
            "checkerboard",
            "Dykhne: √σ",
            tiles([[0, 1], [1, 0]]),
            two_phases,
            lambda s: np.sqrt(s) * np.eye(2),
        ),
        Family(
            "square of 25 %",
            "Obnosov: √((1+3σ)/(3+σ))",
            tiles([[1, 0], [0, 0]]),
            two_phases,
            lambda s: np.sqrt((1 + 3 * s) / (3 + s)) * np.eye(2),
        ),
        Family(
            "four squares", "Mortola, Steffé", tiles([[0, 1], [3, 2]]), four_phases, four_squares
        ),
        Family("discs", f"{SIDE}² pixels, cut finer", discs, two_phases, smooth=True),
        Family("Voronoi grains", f"{SIDE}² pixels, cut finer", grains, two_phases, smooth=True),
        Family("independent pixels", f"{SIDE}² pixels, cut finer", noise, two_phases),
    ]


def discs(sample: int, n: int) -> Image:
    """Draw overlapping discs that fill 30 %."""
    return pl.microstructures.discs(
        1, (n, n), number=6, fraction=0.3, overlap=True, seed=1, sample=sample
    )[0]


def grains(sample: int, n: int) -> Image:
    """Draw 16 grains of two phases."""
    return pl.microstructures.voronoi(1, (n, n), sites=16, phases=2, seed=1, sample=sample)[0]


def noise(sample: int, n: int) -> Image:
    """Draw pixels of two phases, each on its own: a tenth of their corners are contacts."""
    return np.random.default_rng(sample).integers(2, size=(n, n), dtype=np.uint8)


def cut(image: Image, times: int) -> Image:
    """Cut each pixel into `times` by `times` of the same phase."""
    return np.kron(image, np.ones((times, times), np.uint8))


def bracket(image: Image, phases: Array) -> dict[str, Array]:
    """Return the bounds and their geometric mean, with hardly an error of the solver."""
    bounds = pl.bounds(image, phases=phases, rtol=1e-9, threads=1)
    return {"upper": bounds.upper, "lower": bounds.lower, "estimate": bounds.estimate}


def extrapolated(values: list[Array]) -> Array:
    """Return the limit of three values on ever halved pixels, by their own order."""
    first, second = values[1] - values[0], values[2] - values[1]
    shrink = np.linalg.norm(second) / np.linalg.norm(first)
    return values[2] + second * shrink / (1 - shrink)


def measure(family: Family, contrast: float, sample: int) -> dict[str, Array]:
    """Return the relative errors of one image at SIZES."""
    phases = family.phases(contrast)
    image = family.image(sample, SIDE)
    brackets = [bracket(cut(image, times), phases) for times in CUTS]
    if family.exact is not None:
        exact = family.exact(contrast)
    else:
        finest = bracket(cut(image, 2 * CUTS[-1]), phases)
        exact = extrapolated([b["estimate"] for b in (*brackets[-2:], finest)])
    errors = {name: relative([b[name] for b in brackets], exact) for name in brackets[0]}
    if family.smooth:
        finest = bracket(family.image(sample, 4 * SIZES[-1]), phases)
        drawn = [bracket(family.image(sample, n), phases)["estimate"] for n in SIZES]
        errors["redrawn"] = relative(drawn, finest["estimate"])
    return errors


def relative(values: list[Array], exact: Array) -> Array:
    """Return the Frobenius norms of the differences over that of `exact`."""
    return np.linalg.norm(np.array(values) - exact, axis=(1, 2)) / np.linalg.norm(exact)


def study(family: Family, contrast: float, images: int) -> dict[str, Array]:
    """Return the geometric means of the errors of some images."""
    samples = range(1 if family.exact is not None else images)
    errors = [measure(family, contrast, sample) for sample in samples]
    return {name: np.exp(np.mean([np.log(e[name]) for e in errors], axis=0)) for name in errors[0]}


def orders(errors: Array) -> Array:
    """Return the orders of convergence between sizes."""
    return np.log2(errors[:-1] / errors[1:])


def show(family: Family, contrast: float, errors: dict[str, Array]) -> None:
    """Print the rows of one family and contrast."""
    for name, values in errors.items():
        row = f"{family.name:<20}{contrast:>5g}  {name:<10}"
        row += "".join(f"{value:>10.1e}" for value in values)
        if values.max() > 1e-10:  # else it is the solver's error
            row += "   " + "".join(f"{order:>6.2f}" for order in orders(values))
        print(row, flush=True)


def draw(path: str, results: list[tuple[Family, dict[float, dict[str, Array]]]]) -> None:
    """Draw a panel for each family."""
    figure = Figure(figsize=(11, 7.4), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3, sharex=True, sharey="row")
    for panel, (family, errors) in zip(axes.flat, results, strict=True):
        draw_panel(panel, family, errors)
    for panel in axes[:, 0]:
        panel.set_ylabel("relative error of A*")
    for panel in axes[-1]:
        panel.set_xlabel("pixels along a side")
    axes[0, 0].set_ylim(1e-14, 1)
    axes[1, 0].set_ylim(1e-6, 1)
    handles, labels = axes[1, 0].get_legend_handles_labels()
    handles += [
        figure.axes[0].plot([], [], color=INK, linestyle=line)[0] for line in ("-", (0, (4, 2)))
    ]
    labels += [f"contrast σ = {contrast:g}" for contrast in CONTRASTS]
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=160)


def draw_panel(panel: Axes, family: Family, errors: dict[float, dict[str, Array]]) -> None:
    """Draw errors over sizes, with the image in a corner."""
    for contrast, line in zip(CONTRASTS, ("-", (0, (4, 2))), strict=True):
        for name, values in errors[contrast].items():
            style = dict(STYLE[name])
            if contrast != CONTRASTS[0]:
                style |= {"label": None, "markerfacecolor": "white"}
            panel.loglog(SIZES, values, linestyle=line, markersize=5, linewidth=1.4, **style)
    panel.set_xticks(SIZES)
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.minorticks_off()
    panel.grid(which="major", color="#e5e5e5", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(family.name, loc="left", fontsize=10.5, color=INK)
    panel.set_title(family.note, loc="right", fontsize=8.5, color="#777777")
    bottom = 0.04
    if family.exact:  # the mean runs below
        bottom = 0.3
        remark = {"ha": "right", "fontsize": 8.5, "color": STYLE["estimate"]["color"]}
        panel.text(SIZES[-1], 3e-11, "exact: the solver's error remains", **remark)
    inset = panel.inset_axes((0.03, bottom, 0.27, 0.27), anchor="SW")
    inset.imshow(family.image(0, SIDE), cmap="cividis", interpolation="nearest")
    inset.set(xticks=[], yticks=[])
    for spine in inset.spines.values():
        spine.set(color=INK, linewidth=0.6)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="bounds_convergence.png", help="the figure")
    parser.add_argument("--images", type=int, default=6, help="of each random family")
    options = parser.parse_args()
    sizes = "".join(f"{f'{n}²':>10}" for n in SIZES)
    print(f"{'relative errors at':<20}{'σ':>5}  {'':<10}{sizes}   orders")
    results = []
    for family in families():
        errors = {contrast: study(family, contrast, options.images) for contrast in CONTRASTS}
        for contrast in CONTRASTS:
            show(family, contrast, errors[contrast])
        results.append((family, errors))
    draw(options.output, results)


if __name__ == "__main__":
    main()
