"""The convergence of the paper's reconstruction of a checkerboard, and what centring does to it.

    python examples/papers/differentiable_reconstruction.py [--size 64] [--quick] [--output …png]

Figure 6 of P. Seibert, M. Ambati, A. Raßloff, M. Kästner, Comput. Mater. Sci. 196, 110455 (2021):
the loss of the field that Adam changes, and that of the labels it rounds to, which rises while the
field is grey and drops to zero once all labels are right. The same checkerboard is then found from
fewer numbers, its centred descriptor, in a fraction of the evaluations. Both see statistics only.

With 32² pixels it takes a few seconds; with 64², all 1985 vectors, some ten minutes on two cores.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import pearlite as pl
from pearlite.reconstruction import Result

SNAPSHOTS = (1, 100, 300, 600, 1000, 1400)
FIELD, LABELS = "#0072B2", "#D55E00"


def reconstruct(size: int, tiles: int, seed: int, evaluations: int) -> tuple[Result, Result]:
    """Return the paper's reconstruction of a checkerboard, and that from the centred descriptor."""
    image = pl.microstructures.checkerboard((size, size), tiles=tiles)
    radius = size // 2 - 1
    # Of descriptors, not of the image: a reconstruction from statistics alone.
    paper = pl.correlation.descriptor(image, radius=radius, levels=1, form="logistic")
    found = pl.reconstruction.match(
        paper, method="logistic", seed=seed, evaluations=evaluations, snapshots=SNAPSHOTS
    )
    centred = pl.correlation.descriptor(image, radius=min(radius, 12))
    return found, pl.reconstruction.match(centred, method="descriptor", seed=seed)


def draw(path: Path, paper: Result, centred: Result) -> None:
    """Draw both convergence curves, and what the labels of the paper's method look like."""
    figure = Figure(figsize=(9.0, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subfigures(2, 1, height_ratios=(3.1, 1))
    left, right = upper.subplots(1, 2, width_ratios=(3, 1.4))
    size, vectors = paper.image.shape[0], paper.details["vectors"]
    curve(left, paper, f"Logistic threshold, Adam: {size}² pixels, {vectors} vectors")
    left.set_ylabel("loss")
    curve(right, centred, f"Centred: {centred.details['vectors']} vectors")
    right.set_yscale("log")
    left.legend(frameon=False)
    snapshots = [*paper.details["snapshots"].items(), (len(paper.history), paper.image)]
    for axes, (evaluation, labels) in zip(
        lower.subplots(1, len(snapshots), squeeze=False)[0], snapshots, strict=True
    ):
        axes.imshow(labels, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"{evaluation}", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(path, dpi=130)


def curve(axes: Axes, result: Result, title: str) -> None:
    """Draw the loss of the field, and that of its labels where it was evaluated."""
    history = result.history
    known = np.isfinite(history.rounded_loss)
    axes.plot(history.evaluation, history.loss, color=FIELD, label="field")
    marker = "o" if known.sum() < 3 else None
    axes.plot(history.evaluation[known], history.rounded_loss[known], color=LABELS, marker=marker,
              label="labels that it rounds to")  # fmt: skip
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("evaluations")
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Reconstruct, draw and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="pixels along a side: 32, 64")
    parser.add_argument("--quick", action="store_true", help="16² pixels and few evaluations")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args()
    size = 16 if options.quick else options.size
    tiles = 4 if options.quick else 8
    paper, centred = reconstruct(size, tiles, seed=0, evaluations=3000 if options.quick else 8000)
    for result in (paper, centred):
        print(
            f"{result.method:10s} {result.details['vectors']:5d} vectors "
            f"{result.history.evaluation[-1]:5d} evaluations {result.seconds:8.2f} s  {result.why}"
        )
    draw(options.output, paper, centred)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
