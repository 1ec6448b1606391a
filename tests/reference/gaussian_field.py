"""Gaussian fields and phases by their definitions: sums over pixels, one number at a time."""

import itertools
import math

import numpy as np

from reference import langevin

STREAM = 1


def normals(shape, seed, sample, row):
    """Standard normal numbers (*shape) of a sample, in row l of its noise."""
    count = math.prod(shape)
    numbers = [
        langevin.normal(i, seed, sample, row, wide=False, stream=STREAM) for i in range(count)
    ]
    return np.array(numbers, dtype=np.float64).reshape(shape)


def waves(shape):
    """exp(2πi k·x/n) as a matrix (k, x) of pixels in their flat order."""
    matrix = np.ones((1, 1))
    for n in shape:
        one = np.exp(2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
        matrix = np.kron(matrix, one)
    return matrix


def image_factor(image, phases):
    """Factor B (1, N − 1, *shape) of one image: the transform of its phases, over √S."""
    back = waves(image.shape).conj() / math.sqrt(image.size)
    factor = np.stack([back @ (image == phase).ravel() for phase in range(1, phases)])
    factor[:, 0] = 0
    if phases == 2:
        factor = np.abs(factor)
    return factor.reshape(1, phases - 1, *image.shape)


def sample_pair(factor, means, seed, pair):
    """Samples 2 p and 2 p + 1 (2, N, *shape) of a factor B (R, N − 1, *shape)."""
    shape = factor.shape[2:]
    size = math.prod(shape)
    coloured = np.zeros((factor.shape[1], size), complex)
    for row, part in enumerate(factor):
        real, imaginary = (normals(shape, seed, 2 * pair + k, row).ravel() for k in (0, 1))
        coloured += (real + 1j * imaginary) * part.reshape(len(part), -1)
    fields = coloured @ waves(shape) / math.sqrt(size)
    both = np.stack([fields.real, fields.imag]) + np.asarray(means)[1:, np.newaxis]
    every = np.concatenate([1 - both.sum(axis=1, keepdims=True), both], axis=1)
    return every.reshape(2, -1, *shape)


def segment(fields, kernels, fractions):
    """Labels (*shape) from fields (N, *shape) and kernels (N, *shape) centred at index 0."""
    shape = fields.shape[1:]
    sizes = [round(float(v) * fields[0].size) for v in fractions]
    order = sorted(range(len(fields)), key=lambda k: fractions[k])
    labels = np.full(shape, order[-1])
    free = np.ones(shape, bool)
    for phase in order[:-1]:
        smooth = convolved(convolved(fields[phase], kernels[phase]), box(shape))
        places = sorted(zip(*np.nonzero(free), strict=True), key=lambda x: -smooth[x])
        for place in places[: sizes[phase]]:
            labels[place] = phase
            free[place] = False
    return labels


def box(shape):
    """Return a kernel of ones at the 3 × 3 (× 3) pixels around index 0."""
    kernel = np.zeros(shape)
    for place in itertools.product((-1, 0, 1), repeat=len(shape)):
        kernel[tuple(p % n for p, n in zip(place, shape, strict=True))] += 1
    return kernel


def convolved(field, kernel):
    """Σ_r kernel(r) field(x − r), periodic."""
    total = np.zeros(field.shape)
    for r in np.ndindex(kernel.shape):
        if kernel[r]:
            total += kernel[r] * np.roll(field, r, axis=tuple(range(field.ndim)))
    return total
