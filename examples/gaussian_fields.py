"""Gaussian fields of the two-point statistics of two and three phases, and of what lies between.

    python examples/gaussian_fields.py [--output gaussian_fields.png] [--seed 1]

The upper rows show a reference of 256² pixels, a continuous sample (of the last phase), two samples
cut into phases, and the autocorrelation of the last phase along an axis. The lowest row goes from
the statistics of precipitates to those of long grains. The table tells how far the statistics of
samples are from those wanted: of fields but for chance the same, of phases cut from them nearly so.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import pearlite as pl

SIDE = 256
COUNT = 32
REACH = 40  # pixels, of the plots
Labels = npt.NDArray[np.uint8]
GaussianField = pl.microstructures.GaussianField


def precipitates(seed: int) -> Labels:
    """Return rounded squares (1) in rows, some of them displaced, in a matrix (0)."""
    rng = np.random.default_rng(seed)
    pitch, count = 16, SIDE // 16
    grid = (np.indices((count, count)).reshape(2, -1).T + 0.5) * pitch + rng.normal(
        0, 1.6, (count**2, 2)
    )
    sizes = rng.uniform(4.0, 6.5, count**2)
    image = np.zeros((SIDE, SIDE), np.uint8)
    x = np.arange(SIDE)
    for (a, b), size in zip(grid, sizes, strict=True):
        dx, dy = ((x - c + SIDE / 2) % SIDE - SIDE / 2 for c in (a, b))
        image |= (np.abs(dx[:, None] / size) ** 4 + np.abs(dy[None] / size) ** 4 < 1).astype(
            np.uint8
        )
    return image


def coated_inclusions(seed: int) -> Labels:
    """Return overlapping discs (2) with a coating (1) in a matrix (0)."""
    draw = pl.microstructures.discs
    cores = draw(1, (SIDE, SIDE), number=130, fraction=0.3, overlap=True, seed=seed)[0] == 1
    near = cores
    for _ in range(4):
        near = near | np.any([np.roll(near, s, a) for a in (0, 1) for s in (-1, 1)], axis=0)
    coated: Labels = near.astype(np.uint8) + cores.astype(np.uint8)
    return coated


def layers(seed: int) -> Labels:
    """Return grains that are long in one direction."""
    noise = pl.microstructures.thresholded_noise(1, (4 * SIDE, SIDE), length=8, seed=seed)[0]
    return np.ascontiguousarray(noise[::4])


def report(name: str, field: GaussianField, labels: Labels) -> npt.NDArray[np.float64]:
    """Print a row of the table; return the mean S2 (n1,) of the last phase of labels."""
    fields = field.sample(COUNT, seed=1)[:, -1]
    last = field.phases - 1
    target = field.two_point()[last, last]
    of_fields = pl.correlation.two_point(fields).mean(axis=0)
    of_labels = pl.correlation.two_point(labels == last).mean(axis=0)
    errors = [float(np.sqrt(np.mean((s - target) ** 2))) for s in (of_fields, of_labels)]
    counts = [np.bincount(one.ravel(), minlength=field.phases) for one in labels]
    spread = int(np.ptp(counts, axis=0).max())
    fractions = (counts[0] / labels[0].size).round(4).tolist()
    print(
        f"{name:20s} S2 of fields {errors[0]:.4f}, of phases {errors[1]:.4f}; "
        f"fractions {fractions}, which differ by {spread} pixels"
    )
    mean: npt.NDArray[np.float64] = of_labels[0]
    return mean


def show(place: Axes, image: npt.NDArray[np.generic], title: str, phases: int | None) -> None:
    """Draw phases, or a field if there is no number of them."""
    options = {} if phases is None else {"vmin": 0, "vmax": phases - 1}
    colours = "cividis" if phases else "gray"
    place.imshow(image, cmap=colours, interpolation="nearest", **options)
    place.set_title(title, fontsize=9)
    place.set_axis_off()


def row(places: npt.NDArray[np.object_], name: str, reference: Labels, seed: int) -> None:
    """Draw a reference, its samples and their autocorrelations."""
    field = GaussianField.from_images(reference)
    labels = field.labels(COUNT, seed=seed)
    show(places[0], reference, f"{name}: reference", field.phases)
    show(places[1], field.sample(1, seed=seed)[0, -1], "a field, of the last phase", None)
    show(places[2], labels[0], "cut into phases", field.phases)
    show(places[3], labels[1], "another sample", field.phases)
    last = field.phases - 1
    found = report(name, field, labels)
    places[4].plot(field.two_point()[last, last, 0, :REACH], "k", label="reference and fields")
    places[4].plot(found[:REACH], "C1--", label="phases cut from them")
    places[4].set_xlabel("shift in pixels", fontsize=9)
    places[4].set_title("S2 of the last phase", fontsize=9)
    places[4].legend(fontsize=8, frameon=False)


def main() -> None:
    """Draw the figure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".png"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figure = Figure(figsize=(10.4, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(3, 5)
    row(places[0], "precipitates", precipitates(1), options.seed)
    row(places[1], "coated inclusions", coated_inclusions(2), options.seed)
    first = GaussianField.from_images(precipitates(1))
    second = GaussianField.from_images(layers(3))
    for place, t in zip(places[2], (0.0, 0.25, 0.5, 0.75, 1.0), strict=True):
        field = GaussianField.interpolate(first, second, t)
        labels = field.labels(COUNT, seed=options.seed)
        report(f"interpolated, t={t}", field, labels)
        show(place, labels[0], f"interpolated, t = {t}", 2)
    figure.savefig(options.output, dpi=140)


if __name__ == "__main__":
    main()
