"""Density of the tensors of mosaics by summing over all numbers of grains, one by one."""

import itertools

import numpy as np
from scipy import stats


def numbers_of_grains(materials, sites):
    """-> (G, K), all ways to share the grains among the materials."""
    ways = itertools.product(range(sites + 1), repeat=materials - 1)
    return np.array([(*way, sites - sum(way)) for way in ways if sum(way) <= sites])


def density(coordinates, alpha, logs, surrogate):
    """Density at coordinates (N, 3), with the surrogate's law for given numbers of grains."""
    counts = numbers_of_grains(len(alpha), surrogate.sites)
    total = np.zeros(len(coordinates))
    for count in counts:
        chance = stats.dirichlet_multinomial.pmf(count, alpha, surrogate.sites)
        law = surrogate.law(count[None] / surrogate.sites, logs, counted=True)
        deviation = np.exp(law.log_variance[0] / 2)
        total += chance * stats.norm.pdf(coordinates, law.mean[0], deviation).prod(axis=1)
    return total
