"""Faster sliced Wasserstein distances under a program that uses POT, which stays as it is.

The program moves points to a target by descending POT's distance in torch. Replacing one function
of POT by a call of pearlite makes the same steps: both compute the quantile functions of
projections exactly, so that distances differ by rounding only.

    pip install POT torch
    python examples/embed_pot.py
"""

import argparse
import time
from contextlib import contextmanager

import numpy as np
import ot
import torch

import pearlite as pl


def program(points, target, projections, steps):
    """Code of a user of POT: nothing in here knows of pearlite."""
    points = points.clone().requires_grad_()
    for _ in range(steps):
        distance = ot.sliced_wasserstein_distance(points, target, projections=projections) ** 2
        (gradient,) = torch.autograd.grad(distance, points)
        with torch.no_grad():
            points -= 0.5 * len(points) * gradient
    final = ot.sliced_wasserstein_distance(points, target, projections=projections)
    return float(final.detach()), points.detach()


def sliced_wasserstein_distance(x, y, a=None, b=None, n_projections=50, p=2, projections=None,
                                seed=None, log=False):  # fmt: skip
    """Do what POT's function of this name does, for the arguments that the program uses."""
    if log or p not in (1, 2):
        raise NotImplementedError("only what the program needs")
    directions = n_projections if projections is None else projections.T.numpy()  # POT: (d, L)
    options = {"method": "random", "seed": seed or 0} if projections is None else {}
    return pl.inversion.sliced_wasserstein(
        x, y, weights=a, y_weights=b, directions=directions, order=p, root=True, **options
    )


@contextmanager
def faster():
    """Put ours in the place of POT's function."""
    original = ot.sliced_wasserstein_distance
    ot.sliced_wasserstein_distance = sliced_wasserstein_distance
    try:
        yield
    finally:
        ot.sliced_wasserstein_distance = original


def study(count, projections, steps):
    """-> final distances, the largest difference of points, processor seconds of both."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, count)
    ring = np.stack([np.cos(angles), np.sin(angles), 0.1 * rng.standard_normal(count)], axis=1)
    target, points = torch.tensor(ring), torch.tensor(rng.standard_normal((count, 3)))
    directions = rng.standard_normal((3, projections))
    directions = torch.tensor(directions / np.linalg.norm(directions, axis=0))
    found = []
    for context in (None, faster):
        began = time.process_time()
        if context is None:
            result = program(points, target, directions, steps)
        else:
            with context():
                result = program(points, target, directions, steps)
        found.append((*result, time.process_time() - began))
    (before, moved, slow), (after, ours, fast) = found
    return before, after, float((moved - ours).abs().max()), slow, fast


def main():
    """Show both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--projections", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    order = parser.parse_args()
    before, after, apart, slow, fast = study(order.points, order.projections, order.steps)
    print(f"{order.points} points, {order.projections} directions, {order.steps} steps")
    print(f"final distance: POT {before:.9f}, pearlite {after:.9f}; points differ by {apart:.1e}")
    print(f"processor time: POT {slow:.2f} s, pearlite {fast:.2f} s: {slow / fast:.1f} times less")


if __name__ == "__main__":
    main()
