"""A score that no training is needed for: pixels like the mean of their neighbours."""

import numpy as np


class ToyEngine:
    """What `Engine` is to a network, for images whose phases gather.

    The denoised image is the mean over 3 × 3 pixels, made steeper about 1/2 (or 1/P), so that
    phases gather. What lies beyond the border is nothing, or the opposite side.
    """

    def __init__(self, phases=2):
        self.level = 1 / phases
        self.calls = []  # shapes and noise levels

    def score(self, x, sigma, padding="zero"):
        """-> (B, C, *shape)"""
        self.calls.append((x.shape, sigma, padding))
        axes = x.ndim - 2
        mode = {"mode": "wrap"} if padding == "periodic" else {"mode": "constant"}
        mean = np.pad(x, [(0, 0), (0, 0), *[(1, 1)] * axes], **mode)
        for axis in range(2, x.ndim):
            n = mean.shape[axis] - 2
            parts = [np.take(mean, range(k, k + n), axis=axis) for k in range(3)]
            mean = (parts[0] + parts[1] + parts[2]) / np.float32(3)
        steep = np.clip(np.float32(self.level) + 4 * (mean - np.float32(self.level)), 0, 1)
        return (steep - x) / np.float32(sigma**2)
