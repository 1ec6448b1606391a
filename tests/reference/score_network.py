"""The score network in plain numpy, one image at a time, as its equations say."""

from functools import partial

import numpy as np


def convolve(x, weight, bias, padding="constant"):
    """3×3 or 1×1 convolution of (C, n0, n1), padded by zeros or, with "wrap", periodic."""
    half = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (half, half), (half, half)), padding)
    n0, n1 = x.shape[1:]
    out = np.zeros((len(weight), n0, n1)) + bias[:, None, None]
    for i, j in np.ndindex(weight.shape[2:]):
        out += np.einsum("oc,cxy->oxy", weight[:, :, i, j], padded[:, i : i + n0, j : j + n1])
    return out


def halve(x, weight, bias):
    """2×2 convolution of stride 2."""
    out = bias[:, None, None]
    for i, j in np.ndindex(2, 2):
        out = out + np.einsum("oc,cxy->oxy", weight[:, :, i, j], x[:, i::2, j::2])
    return out


def double(x, weight, bias):
    """Transposed 2×2 convolution of stride 2; weight is (in, out, 2, 2)."""
    out = np.zeros((weight.shape[1], 2 * x.shape[1], 2 * x.shape[2])) + bias[:, None, None]
    for i, j in np.ndindex(2, 2):
        out[:, i::2, j::2] += np.einsum("co,cxy->oxy", weight[:, :, i, j], x)
    return out


def instance_norm_plus(x, alpha, gamma, beta):
    mean, variance = x.mean(axis=(1, 2)), x.var(axis=(1, 2))
    shifted = (mean - mean.mean()) / np.sqrt(mean.var(ddof=1) + 1e-5)
    normal = (x - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    return gamma[:, None, None] * (normal + (alpha * shifted)[:, None, None]) + beta[:, None, None]


def raw(tensors, levels, x, padding="constant"):
    """F(x) of an image (C, n0, n1)."""
    padded = partial(convolve, padding=padding)

    def layer(name, x, operation=padded):
        own = {k.removeprefix(name + "."): np.float64(v) for k, v in tensors.items()
               if k.startswith(name + ".")}  # fmt: skip
        x = operation(x, own["weight"], own["bias"])
        if name == "out":
            return x
        x = instance_norm_plus(x, own["norm.alpha"], own["norm.gamma"], own["norm.beta"])
        return np.where(x > 0, x, own["slope"][:, None, None] * x)

    x = layer("lift", np.float64(x))
    skips = []
    for level in range(levels):
        for k in range(2 if level == 0 else 1):
            x = layer(f"encode.{level}.{k}", x)
        skips.append(x)
        x = layer(f"down.{level}", x, halve)
    for k in range(2):
        x = layer(f"bottom.{k}", x)
    for level in reversed(range(levels)):
        x = layer(f"merge.{level}", np.concatenate([layer(f"up.{level}", x, double), skips[level]]))
        for k in range(2 if level == 0 else 1):
            x = layer(f"decode.{level}.{k}", x)
    return layer("out", x)
