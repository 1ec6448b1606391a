"""Microstructures from a Gaussian field, from a network, and from both: the paper's case studies.

    python examples/papers/local_global.py [--reference image.npy --train 40]
    python examples/papers/local_global.py [--reference image.npy --model model.safetensors]

A. E. Robertson, C. Kelly, M. Buzzy and S. R. Kalidindi, Acta Mater. 253 (2023) 118966, Sections 5.1
to 5.3: samples of the Gaussian field, of the field refined by the network, and of the network
alone, compared with the reference in volume fractions, two-point correlations, chord lengths and
three-point correlations; and, with --other, structures between two sets of statistics. What the
paper does not have is their effective conductivity, at contrasts of 10 and 100, beside that of the
reference.

Samples are as large as --size says, and have the mean statistics of the tiles of this size that the
reference is cut into. Without arguments the model and the reference are those that come with
pearlite: discs that it drew itself. 200 samples of 128² pixels take some minutes; --quick makes a
few small ones. --train learns from the reference first, for so many minutes.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

import pearlite as pl
from pearlite.generation import Comparison, Ensemble, Model
from pearlite.generation import _comparison as comparing
from pearlite.generation import _figures as figures
from pearlite.generation._page import spread, table
from pearlite.generation._reference import reference as kept_image
from pearlite.generation._reference import shipped

Labels = NDArray[np.uint8]
FIELD, HYBRID, ALONE = "Gaussian field", "hybrid", "network alone"
CONTRASTS = (10.0, 100.0)
STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # from one set of statistics to the other


def tiles(image: Labels, size: int) -> Labels:
    """Cut an image into those tiles (n, size, size) that fit side by side."""
    rows, columns = (n // size for n in image.shape)
    cut = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return cut.swapaxes(1, 2).reshape(-1, size, size)


def ensembles(
    model: Model, references: Labels, count: int, seed: int, threads: int | None
) -> tuple[dict[str, Labels], Ensemble]:
    """Return images (count, n, n) of each kind, and the hybrid's ensemble."""
    hybrid = pl.generation.generate(model, count, seed=seed, statistics=references, threads=threads)
    alone = pl.generation.generate(
        model, count, seed=seed, statistics=references, field=False, threads=threads
    )
    assert hybrid.fields is not None  # it started from them
    return {FIELD: hybrid.fields, HYBRID: hybrid.images, ALONE: alone.images}, hybrid


def compare(
    image: Labels, references: Labels, kinds: Mapping[str, Labels], phases: int
) -> Comparison:
    """Measure all kinds beside the tiles; chords are those of the whole reference."""
    wanted = comparing.joined(
        [comparing.measure(tile[None], phases=phases, seam=True) for tile in references]
    )
    whole = comparing.measure(image[None], phases=phases, seam=True)
    chords = whole.chords * (len(references) * references[0].size / image.size)
    wanted = comparing.Measured(wanted.fractions, wanted.two_point, chords, wanted.three_point)
    return Comparison(
        wanted, {name: comparing.measure(x, phases=phases) for name, x in kinds.items()}
    )


def conductivities(images: Labels, phases: int) -> NDArray[np.float64]:
    """Return tr A*/2 (contrasts, n), the conductivity of the phases growing in equal ratios."""
    return np.stack(
        [
            np.trace(
                pl.homogenize(images, phases=np.geomspace(1, contrast, phases)),
                axis1=-2,
                axis2=-1,
            )
            / 2
            for contrast in CONTRASTS
        ]
    )


def show(found: Comparison, effective: Mapping[str, NDArray[np.float64]]) -> None:
    """Print the table of the comparison, and conductivities."""
    columns = table(found)
    cells = [[name, *map(text, column)] for name, column in columns.items()]
    widths = [max(map(len, column)) for column in cells]
    for row in zip(*cells, strict=True):
        print("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip())
    print("\ntr A*/2" + "".join(f"{f'contrast {c:g}':>24s}" for c in CONTRASTS))
    for name, values in effective.items():
        print(f"{name:24s}" + "".join(f"{spread(row):>24s}" for row in values))


def text(value: object) -> str:
    """Write a cell of the table."""
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def draw(
    path: Path,
    reference: Labels,
    kinds: Mapping[str, Labels],
    found: Comparison,
    effective: Mapping[str, NDArray[np.float64]],
    between: Sequence[Labels],
) -> None:
    """Draw samples of each kind, their statistics and their conductivities."""
    phases = found.reference.fractions.shape[1]
    phase = 1 if phases == 2 else int(found.reference.fractions.mean(axis=0).argmin())
    figure = Figure(figsize=(11.0, 11.2 if between else 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    heights = (2.75, 2.6, 2.6, 2.0)[: 4 if between else 3]
    rows = figure.subfigures(len(heights), 1, height_ratios=heights)
    pictures(rows[0], {"reference": reference, **{n: x[0] for n, x in kinds.items()}}, phases)
    left, right = rows[1].subfigures(1, 2, width_ratios=(1, 1))
    figures.slices(left, found, phase, 1)
    figures.chords(right, found, phase, 1)
    left, right = rows[2].subfigures(1, 2, width_ratios=(1, 1))
    figures.components(left, found, phase)
    for axes, contrast, k in zip(right.subplots(1, 2), CONTRASTS, range(2), strict=True):
        histogram(axes, {name: values[k] for name, values in effective.items()}, found)
        axes.set_xlabel(f"tr A*/2, contrast {contrast:g}")
    if between:
        names = [f"{1 - t:.1f} + {t:.1f}" for t in STEPS]
        pictures(rows[3], dict(zip(names, between, strict=True)), phases)
    figure.savefig(path, dpi=110)


def pictures(figure: SubFigure, images: Mapping[str, Labels], phases: int) -> None:
    """Draw images side by side."""
    for axes, (name, labels) in zip(
        figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True
    ):
        figures.picture(axes, labels, phases)
        axes.set_title(name, fontsize=10)


def histogram(axes: Axes, values: Mapping[str, NDArray[np.float64]], found: Comparison) -> None:
    """Draw the distribution of each kind, and the reference's tiles as lines."""
    colours = figures.colours(found)
    every = np.concatenate(list(values.values()))
    bins = np.linspace(every.min(), every.max(), 31)
    for name, row in values.items():
        if name in colours:
            axes.hist(row, bins, color=colours[name], alpha=0.5, label=name)
        else:
            for k, value in enumerate(row):
                axes.axvline(value, color="#222222", lw=0.8, label=None if k else "reference")
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def interpolated(
    model: Model, references: Labels, other: Labels, seed: int, threads: int | None
) -> list[Labels]:
    """Return a structure for each step between two sets of statistics: Section 5.2."""
    field = pl.microstructures.GaussianField
    ends = [field.from_images(x, phases=model.phases) for x in (references, other)]
    return [
        pl.generation.generate(
            model, seed=seed, statistics=field.interpolate(*ends, t), threads=threads
        ).images[0]
        for t in STEPS
    ]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="what `pearlite train` wrote")
    parser.add_argument("--reference", type=Path, help="labels, .npy; the model's own by default")
    parser.add_argument("--train", type=float, metavar="MINUTES", help="on the reference, first")
    parser.add_argument("--other", type=Path, help="labels whose statistics to go to, .npy")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--quick", action="store_true", help="6 samples of 64² pixels")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args()
    if options.train is not None and (options.reference is None or options.model is not None):
        parser.error("--train needs --reference, and no --model")
    if options.quick:
        options.count, options.size = 6, 64
    return options


def model_of(options: argparse.Namespace) -> Model:
    """Read the model, or train it and keep it beside the figure."""
    if options.train is None:
        return shipped() if options.model is None else Model.load(options.model)
    model = pl.generation.train(
        np.load(options.reference),
        name=options.reference.stem,
        minutes=options.train,
        threads=options.threads,
    ).model
    path = options.output.with_suffix(".safetensors")
    model.save(path)
    print(f"wrote {path}, with a loss of {model.training['validation_loss']:.4f} in validation")
    return model


def main() -> None:
    """Generate, compare, draw and tell."""
    options = arguments()
    count, size = options.count, options.size
    model = model_of(options)
    image = kept_image(model) if options.reference is None else np.load(options.reference)
    if image is None:
        raise SystemExit("the model keeps no image of its own; give --reference")
    references = tiles(image, size)
    kinds, hybrid = ensembles(model, references, count, options.seed, options.threads)
    print(f"{count} samples of {size}² pixels, {len(hybrid.history)} evaluations of a sample\n")
    found = compare(image, references, kinds, model.phases)
    effective = {name: conductivities(x, model.phases) for name, x in kinds.items()}
    effective["reference"] = conductivities(references, model.phases)
    show(found, effective)
    between = []
    if options.other is not None:
        other = tiles(np.load(options.other), size)
        between = interpolated(model, references, other, options.seed, options.threads)
    draw(options.output, references[0], kinds, found, effective, between)
    print(f"\nwrote {options.output}")


if __name__ == "__main__":
    main()
