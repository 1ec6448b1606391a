"""A law of one's own: discs of unknown sizes, found from measured conductivities.

A plate of conductivity 1 holds discs of conductivity 20 in periodic cells. Their radii are
log-normal: r = m exp(s z) with standard normal z. From 300 measured tensors (A11, A22, A12) follow
the median radius m and the spread s, with no image of the plate.

A model gives its parameters, its random numbers, its samples and where to start. It gives no
derivatives here; the fit then takes central differences with the same random numbers, which needs
samples that move smoothly: discs are drawn with grey edges.

    python examples/inversion_custom_model.py
"""

import argparse

import numpy as np

import pearlite as pl
from pearlite.inversion import Block, Model


class Discs(Model):
    """Cells of discs whose radii are log-normal, in units of the cell's side."""

    blocks = (Block("radius", 1, "positive"), Block("spread", 1, "positive"))
    difference_step = 0.02

    def __init__(self, pixels=32, discs=8):
        self.pixels, self.discs = pixels, discs

    def draw(self, count, seed):
        """Draw centres (count, discs, 2) and normal numbers (count, discs)."""
        rng = np.random.default_rng(seed)
        return rng.random((count, self.discs, 2)), rng.standard_normal((count, self.discs))

    def simulate(self, parameters, numbers, *, epsilon=None, jacobian=False):
        """Return (A11, A22, A12) of each cell, and no Jacobian."""
        centres, normals = numbers
        radii = parameters["radius"] * np.exp(parameters["spread"] * normals)  # (count, discs)
        middle = (np.arange(self.pixels) + 0.5) / self.pixels
        gaps = np.abs(centres[..., None] - middle)  # (count, discs, 2, pixels)
        squares = np.minimum(gaps, 1 - gaps) ** 2
        distance = np.sqrt(squares[:, :, 0, :, None] + squares[:, :, 1, None, :])
        cover = (radii[..., None, None] - distance) * self.pixels + 0.5  # grey over one pixel
        field = 20 ** np.clip(cover.max(axis=1), 0, 1)
        tensor = pl.homogenize(field, rtol=1e-5)
        return np.stack([tensor[:, 0, 0], tensor[:, 1, 1], tensor[:, 0, 1]], axis=1), None

    def start(self, data, rng):
        """Draw parameters to start from."""
        radius, spread = rng.uniform(0.02, 0.15), rng.uniform(0.05, 0.5)
        return {"radius": np.array([radius]), "spread": np.array([spread])}


def main():
    """Make data of a finer mesh, say what they will tell, and find the law."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300, help="number of measurements")
    parser.add_argument("--pixels", type=int, default=32, help="pixels of the model's cells")
    arguments = parser.parse_args()
    truth = {"radius": np.array([0.08]), "spread": np.array([0.3])}
    fine = Discs(2 * arguments.pixels)
    data = pl.inversion.sample(fine, truth, arguments.count, seed=7)

    model = Discs(arguments.pixels)
    report = pl.inversion.identifiability(model, truth, arguments.count, samples=3000)
    print(report.summary(), end="\n\n")
    found = pl.inversion.fit(model, data, restarts=2, samples=1000)
    print(found.summary())
    print(f"truth: radius {truth['radius'][0]}, spread {truth['spread'][0]}")


if __name__ == "__main__":
    main()
