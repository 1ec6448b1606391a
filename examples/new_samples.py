"""Make new structures from references, and lay them side by side.

    python examples/new_samples.py [--output new_samples.png] [--folder micrographs] [--seed 1]

The upper row shows references of 256² pixels, the lower one what `pl.reconstruction.sample` makes
of them: periodic, with exactly their fractions, and copies of none. Grain boundaries, thin and
connected, take four times the default effort. The last column is a section of a solid of 96³ pixels
made of the first level set. A folder of labels (.npy) adds a column each. The
table tells how far S2 and chord lengths are from the reference's, beside its natural scatter, which
is that between its halves, and how much of a reference a sample covers beside what chance would.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import pearlite as pl
from pearlite.reconstruction import Result

SIDE = 256
SOLID = 96
EFFORT = {"grain boundaries": 4.0}
Labels = npt.NDArray[np.uint8]


def grain_boundaries(seed: int) -> Labels:
    """Return the boundaries, two or three pixels wide, of a Voronoi mosaic."""
    grains = pl.microstructures.voronoi(1, (SIDE, SIDE), sites=70, phases=250, seed=seed)[0]
    boundary = np.zeros(grains.shape, bool)
    for axis in (0, 1):
        for shift in (-1, 1):
            boundary |= grains != np.roll(grains, shift, axis)
    return (~boundary).astype(np.uint8)


def coated_inclusions(seed: int) -> Labels:
    """Return overlapping discs (2) with a coating (1) in a matrix (0)."""
    cores = pl.microstructures.discs(
        1, (SIDE, SIDE), number=160, fraction=0.3, overlap=True, seed=seed
    )[0]
    near = cores == 1
    for _ in range(2):
        near = near | np.any([np.roll(near, s, a) for a in (0, 1) for s in (-1, 1)], axis=0)
    coated: Labels = near.astype(np.uint8) + (cores == 1).astype(np.uint8)
    return coated


def references(folder: Path | None) -> dict[str, Labels]:
    """Return the references by name."""
    draw = pl.microstructures.thresholded_noise
    found = {
        "level set": draw(1, (SIDE, SIDE), length=3.5, fractions=(0.6, 0.4), seed=3)[0],
        "grain boundaries": grain_boundaries(5),
        "coated inclusions": coated_inclusions(2),
    }
    if folder is not None:
        found |= {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    return found


def report(name: str, result: Result, reference: Labels, seconds: float) -> None:
    """Print a row of the table."""
    found = result.details["comparison"]
    chords = ", ".join(
        f"{e:.3f} ({n:.3f})" for e, n in zip(found.chord_error, found.chord_natural, strict=True)
    )
    copied = ""
    if result.image.ndim == reference.ndim:
        laid = pl.reconstruction.overlap(result.image, reference)
        copied = f"overlap {laid.best:.3f} (chance {laid.chance:.3f})"
    print(f"{name:18s} S2 {found.s2_error:.4f} ({found.s2_natural:.4f})  chords {chords:45s}"
          f" {copied}  {seconds:.1f} s")  # fmt: skip


def draw(path: Path, columns: list[tuple[str, Labels, str, Labels]]) -> None:
    """Draw references above samples."""
    figure = Figure(figsize=(3 * len(columns), 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(columns), squeeze=False)
    for column, (name, reference, note, image) in zip(axes.T, columns, strict=True):
        for place, title, labels in zip(
            column, (f"{name}: reference", note), (reference, image), strict=True
        ):
            place.imshow(labels, cmap="cividis", interpolation="nearest", vmin=0)
            place.set_title(title, fontsize=10)
            place.set_axis_off()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Make the samples, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".png"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    columns = []
    for name, reference in references(options.folder).items():
        began = time.perf_counter()
        effort = EFFORT.get(name, 1.0)
        result = pl.reconstruction.sample(reference, seed=options.seed, effort=effort)
        report(name, result, reference, time.perf_counter() - began)
        columns.append((name, reference, "a sample", result.image))
    name, reference = "level set", columns[0][1]
    began = time.perf_counter()
    solid = pl.reconstruction.sample(reference, shape=(SOLID,) * 3, seed=options.seed)
    report(f"{name}, solid", solid, reference, time.perf_counter() - began)
    corner = reference[:SOLID, :SOLID]
    columns.append((f"{name} (part)", corner, f"section of {SOLID}³", solid.image[:, SOLID // 2]))
    draw(options.output, columns)


if __name__ == "__main__":
    main()
