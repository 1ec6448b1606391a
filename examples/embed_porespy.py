"""Faster tortuosities under a program that uses PoreSpy, which stays as it is.

The program makes porous media and tabulates their tortuosity along each axis by PoreSpy's
`tortuosity_fd`. That function is replaced by one that solves the same problem, fixed concentrations
on two faces and closed sides, by finite elements: the image between its mirror images, periodic.
One call of pearlite gives all axes, which the replacement remembers.

Results differ by how voxels are made equations. PoreSpy's finite volumes have an unknown in each
voxel, and two voxels that touch by an edge or corner do not conduct to each other: the diffusivity
comes out too small. Trilinear elements have theirs at the corners, and there voxels conduct across
edges and corners: too large. Both tend to the same as voxels get finer (`--refine`).

    pip install porespy openpnm pyamg
    python examples/embed_porespy.py
"""

import argparse
import logging
import time
from contextlib import contextmanager

import numpy as np
import porespy

import pearlite as pl


def program(images):
    """Code of a user of PoreSpy: -> the tortuosity along each axis of images (n, n0, n1, n2)."""
    return np.array(
        [
            [porespy.simulations.tortuosity_fd(image, axis=axis).tortuosity for axis in range(3)]
            for image in images
        ]
    )


class Tortuosity:
    """What takes the place of PoreSpy's function: it remembers the tensor of the last image."""

    def __init__(self):
        self.image, self.tensor = None, None

    def __call__(self, im, axis, solver=None, tol=None, ftol=1e-3):
        """Do what PoreSpy's function does; `im_conc` is not there."""
        inlets, outlets = (faces(im.shape, **{side: axis}) for side in ("inlet", "outlet"))
        kept = porespy.filters.trim_nonpercolating_paths(im, inlets=inlets, outlets=outlets)
        if not kept.any():
            raise Exception("No pores remain after trimming floating pores")
        if self.image is None or not np.array_equal(self.image, im):
            self.image = im.copy()
            # A flux is in units of 1e-3 of itself: ftol of PoreSpy's own solver.
            self.tensor = pl.homogenize(
                mirrored(im).astype(np.uint8), phases=[0.0, 1.0], dim=im.ndim, rtol=1e-4, threads=1
            )
        result = porespy.tools.Results()
        result.im = kept
        result.original_porosity = im.sum(dtype=np.int64) / im.size
        result.effective_porosity = kept.sum(dtype=np.int64) / im.size
        result.formation_factor = 1 / self.tensor[axis, axis]
        result.tortuosity = result.effective_porosity * result.formation_factor
        result.converged = True
        return result


def faces(shape, **side):
    """Return the voxels of a face, as PoreSpy marks them."""
    return porespy.generators.faces(shape, **side)


def mirrored(image):
    """Put an image between its mirror images: then flux is periodic, and closed at the faces."""
    for axis in range(image.ndim):
        image = np.concatenate([image, np.flip(image, axis)], axis)
    return image


@contextmanager
def faster():
    """Put ours in the place of PoreSpy's function."""
    original = porespy.simulations.tortuosity_fd
    porespy.simulations.tortuosity_fd = Tortuosity()
    try:
        yield
    finally:
        porespy.simulations.tortuosity_fd = original


def media(count, size, refine=1):
    """-> images (count, size, size, size) of pores, each voxel divided into refine³."""
    found = [
        porespy.generators.blobs([size] * 3, porosity=0.6, blobiness=0.5, seed=seed)
        for seed in range(count)
    ]
    return [image.repeat(refine, 0).repeat(refine, 1).repeat(refine, 2) for image in found]


def study(count, size, refine=1):
    """-> tortuosities (count, 3) by PoreSpy and by pearlite, processor seconds of both."""
    logging.getLogger("porespy").setLevel(logging.ERROR)  # it tells what it trims
    images = media(count, size, refine)
    began = time.process_time()
    before = program(images)
    slow = time.process_time() - began
    with faster():
        began = time.process_time()
        after = program(images)
        fast = time.process_time() - began
    return before, after, slow, fast


def main():
    """Show both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--refine", type=int, default=1, help="divide voxels along each axis")
    order = parser.parse_args()
    before, after, slow, fast = study(order.count, order.size, order.refine)
    print(f"{order.count} media of {order.size * order.refine}³ voxels, three axes each")
    for name, found in (("PoreSpy", before), ("pearlite", after)):
        shown = " ".join(f"{value:.3f}" for value in found[0])
        print(f"{name:9} tortuosity of the first {shown}, mean of all {found.mean():.4f}")
    print(f"pearlite / PoreSpy: {np.min(after / before):.3f} to {np.max(after / before):.3f}")
    print(f"processor time: PoreSpy {slow:.2f} s, pearlite {fast:.2f} s: {slow / fast:.1f} times")


if __name__ == "__main__":
    main()
