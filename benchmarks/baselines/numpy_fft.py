"""Batched conjugate gradients preconditioned by FFT, in numpy and scipy.fft: the plain fast way.

The operator is the exact Q1 stiffness matrix of every pixel; the preconditioner inverts the same
matrix of a uniform cell, which the FFT diagonalizes. float32 inside, A* as an energy summed in
float64: an error e of the corrector then costs e², so float32 and a loose tolerance suffice.
"""

import numpy as np
import scipy.fft

NEIGHBOURS = ((1, 0), (0, 1), (1, 1), (-1, 1))


def couplings(a):
    """Scalar pixels (B, 1, n0, n1) -> conductance between a node and each of its NEIGHBOURS."""
    left, below = np.roll(a, 1, 2), np.roll(a, 1, 3)
    return (a + below) / 6, (a + left) / 6, a / 3, left / 3


def stiffness(conductances, p):
    """Matrix times p (B, 2, n0, n1), as flows along couplings: exactly zero for constants."""
    out = np.zeros_like(p)
    for k, (i, j) in zip(conductances, NEIGHBOURS, strict=True):
        flow = np.roll(p, (-i, -j), (2, 3))
        flow -= p
        flow *= k
        out -= flow
        out += np.roll(flow, (i, j), (2, 3))
    return out


def loads(a):
    """-Σ ∫ ∇φ·a e_i at every node, (B, 2, n0, n1)."""
    left, below = np.roll(a, 1, 2), np.roll(a, 1, 3)
    corner = np.roll(left, 1, 3)
    return np.concatenate([a + below - left - corner, a + left - below - corner], axis=1) / 2


def green(shape, dtype):
    """Inverse symbol of the uniform cell, zero for the mean, (n0, n1//2 + 1)."""
    c0 = np.cos(2 * np.pi * np.fft.fftfreq(shape[0]))[:, None]
    c1 = np.cos(2 * np.pi * np.fft.rfftfreq(shape[1]))
    symbol = (8 - 2 * c0 - 2 * c1 - 4 * c0 * c1) / 3
    symbol[0, 0] = np.inf
    return (1 / symbol).astype(dtype)


def dot(x, y):
    """One float64 sum for each cell and load, (B, 2, 1, 1)."""
    rows = np.einsum("bixy,bixy->bix", x, y)  # short float32 sums, then float64
    return rows.sum(axis=-1, dtype=np.float64)[..., None, None]


def effective(a, conductances, f, x):
    """⟨a⟩ I - f·X - X·f + X·K X, the energy of any X, (B, 2, 2)."""
    x = x - x.mean(axis=(2, 3), keepdims=True)  # a drift would cost digits below
    flat = x.reshape(*x.shape[:2], -1).astype(np.float64)
    work = (stiffness(conductances, x) - 2.0 * f).reshape(flat.shape)
    cross = np.einsum("bix,bjx->bij", flat, work) / flat.shape[-1]
    mean = a.mean((1, 2, 3), dtype=np.float64)[:, None, None] * np.eye(2)
    return mean + (cross + cross.transpose(0, 2, 1)) / 2


def solve(conductivity, rtol, workers):
    a = conductivity[:, None]
    conductances, f = couplings(a), loads(a)
    inverse = green(a.shape[2:], a.dtype)

    def precondition(r):
        hat = scipy.fft.rfft2(r, workers=workers)
        hat *= inverse
        return scipy.fft.irfft2(hat, s=a.shape[2:], workers=workers, overwrite_x=True)

    x, r = np.zeros_like(f), f.copy()
    p = z = precondition(r)
    rz = start = dot(r, z)
    while np.any(rz > rtol**2 * start):
        q = stiffness(conductances, p)
        alpha = (rz / np.maximum(dot(p, q), 1e-300)).astype(a.dtype)
        x += alpha * p
        r -= alpha * q
        z = precondition(r)
        rz, previous = dot(r, z), rz
        p = z + (rz / np.maximum(previous, 1e-300)).astype(a.dtype) * p
    return effective(a, conductances, f, x)


def homogenize(conductivity, rtol, *, dtype=np.float32, workers=2):
    """(B, n0, n1) scalar pixels -> (B, 2, 2)."""
    fields = np.asarray(conductivity, dtype=dtype)
    chunk = max(1, 2**16 // fields[0].size)  # a few arrays of this many pixels stay in cache
    parts = (fields[i : i + chunk] for i in range(0, len(fields), chunk))
    return np.concatenate([solve(part, rtol, workers) for part in parts])
