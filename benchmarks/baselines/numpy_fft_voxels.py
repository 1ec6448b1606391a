"""Conjugate gradients on voxels preconditioned by FFT, in numpy and scipy.fft: the plain fast way.

As `numpy_fft`, with trilinear elements on cubes: these couple the ends of the diagonals of a
voxel and of its faces. float32 inside, A* as an energy of float64 sums.
"""

import itertools

import numpy as np
import scipy.fft

# One of each pair of opposite ones.
NEIGHBOURS = [
    offset
    for offset in itertools.product((-1, 0, 1), repeat=3)
    if np.abs(offset).sum() >= 2 and offset > (0, 0, 0)
]
SPATIAL = (-3, -2, -1)


def couplings(a):
    """Voxels (n0, n1, n2) -> conductance between a node and each of its NEIGHBOURS."""
    conductances = []
    for offset in NEIGHBOURS:
        ends = [(0, 1) if step == 0 else (0,) if step == 1 else (1,) for step in offset]
        shared = sum(np.roll(a, shift, SPATIAL) for shift in itertools.product(*ends))
        conductances.append(shared / a.dtype.type(12))
    return conductances


def stiffness(conductances, p):
    """Matrix times p (3, n0, n1, n2), as flows along couplings: exactly zero for constants."""
    out = np.zeros_like(p)
    for k, offset in zip(conductances, NEIGHBOURS, strict=True):
        flow = np.roll(p, [-step for step in offset], SPATIAL)
        flow -= p
        flow *= k
        out -= flow
        out += np.roll(flow, offset, SPATIAL)
    return out


def loads(a):
    """-∫ ∇φ·a e_i at every node, (3, n0, n1, n2)."""
    result = np.zeros((3, *a.shape), a.dtype)
    for below in itertools.product((0, 1), repeat=3):
        shifted = np.roll(a, below, SPATIAL)
        for axis in range(3):
            result[axis] += -shifted / 4 if below[axis] else shifted / 4
    return result


def green(shape, dtype):
    """Inverse symbol of the uniform cell, zero for the mean."""
    point = np.zeros((1, *shape))
    point[0, 0, 0, 0] = 1
    symbol = scipy.fft.rfftn(stiffness(couplings(np.ones(shape)), point)[0]).real
    symbol[0, 0, 0] = np.inf
    return (1 / symbol).astype(dtype)


def dot(x, y):
    """One float64 sum for each load, (3, 1, 1, 1)."""
    rows = np.einsum("iabc,iabc->iab", x, y)
    return rows.sum(axis=(1, 2), dtype=np.float64)[:, None, None, None]


def solve(conductances, right, inverse, rtol, fft):
    """Correctors of all loads, until the preconditioned residuals are `rtol` of the first ones.

    fft: forward and backward transforms of the last three axes
    """
    x, r, p, old, first = np.zeros_like(right), right.copy(), None, None, None
    while True:
        z = fft[1](fft[0](r) * inverse, right.shape[1:])
        rz = dot(r, z)
        first = rz if first is None else first
        if (rz <= rtol**2 * first).all():
            return x
        p = z if p is None else z + (rz / old).astype(r.dtype) * p
        q = stiffness(conductances, p)
        alpha = (rz / dot(p, q)).astype(r.dtype)
        x += alpha * p
        r -= alpha * q
        old = rz


def transforms(library, **options):
    return (
        lambda x: library.rfftn(x, axes=SPATIAL, **options),
        lambda x, shape: library.irfftn(x, shape, axes=SPATIAL, **options),
    )


def homogenize(conductivity, rtol, *, workers=1, library=scipy.fft):
    """(n0, n1, n2) voxels -> (3, 3). library: scipy.fft, or numpy.fft, which has no workers"""
    fft = transforms(scipy.fft, workers=workers) if library is scipy.fft else transforms(library)
    a = conductivity.astype(np.float32)
    conductances, right = couplings(a), loads(a)
    x = solve(conductances, right, green(a.shape, a.dtype), rtol, fft)
    x -= x.mean(axis=SPATIAL, keepdims=True)
    flat = x.reshape(3, -1).astype(np.float64)
    work = (stiffness(conductances, x) - 2.0 * right).reshape(3, -1)
    cross = flat @ work.T / a.size
    return a.mean(dtype=np.float64) * np.eye(3) + (cross + cross.T) / 2
