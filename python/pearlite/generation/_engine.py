"""The score network compiled: what generation evaluates, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _threads
from pearlite._errors import brief
from pearlite.generation import _layout
from pearlite.generation._model import Model

Floats = NDArray[np.float32]

_PADDINGS = ("zero", "periodic")
_LARGEST_IMAGE = 2**26  # pixels, of which each channel is held a few times
_LARGEST_VALUE = 1e15  # squares of what comes of it are still float32
_SIGMAS = (1e-30, 1e30)


class Engine:
    """A score network as compiled code, in float32.

    An image's score does not depend, to the last bit, on the batch it is in nor on the number of
    threads. Each thread takes an image; those that are left over, or a single one, are computed by
    all threads together.

    Parameters
    ----------
    model : Model
        Of images in two dimensions.
    threads : int, optional
        Number of threads; all cores that this process may use if None.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    3×3 convolutions are Winograd's F(4×4, 3×3) [1]_. The root mean square of the error is about
    2e-6 of the score's. A call keeps its memory for the next, about 16 · `channels` bytes a
    pixel and thread. An engine may be called from several threads at a time.

    References
    ----------
    .. [1] A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.

    Examples
    --------
    >>> engine = Engine(Model.random(phases=2, channels=8, levels=1))
    >>> image = np.zeros((5, 1, 32, 48), np.float32)  # (batch, inputs, n0, n1)
    >>> engine.score(image, 0.5, padding="periodic").shape
    (5, 1, 32, 48)
    """

    def __init__(self, model: Model, threads: int | None = None) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"model is a {type(model).__name__}; expected a Model")
        if model.dim != 2:
            raise ValueError(f"model is of {model.dim} dimensions; expected 2")
        self.model = model
        self.threads = _threads.count(threads)
        tensors = []
        for layer in model.layers:
            names = ("weight", "bias", *(() if layer == "out" else _layout.NORM))
            tensors.append([model.tensors[f"{layer}.{name}"] for name in names])
        self._network = _core.ScoreNetwork(model.inputs, model.channels, model.levels, tensors)

    def score(
        self,
        x: ArrayLike,
        sigma: ArrayLike,
        *,
        padding: str = "zero",
        out: Floats | None = None,
    ) -> Floats:
        r"""Return the score :math:`s(x, σ) = F(x)/σ` of noisy images.

        Parameters
        ----------
        x : (batch, inputs, n0, n1) float32 array
            Noisy images. n0 and n1 are multiples of 2^levels; `inputs` is 1 for two phases, else
            the number of phases.
        sigma : float or (batch,) array
            Noise level, of each image or of all.
        padding : {"zero", "periodic"}
            What 3×3 convolutions find beyond the edges: zeros, as in training, or the opposite
            edge. Scores of "periodic" are as periodic as the image.
        out : (batch, inputs, n0, n1) float32 array, optional
            Where to write the score; C-contiguous and apart from `x`.

        Returns
        -------
        score : (batch, inputs, n0, n1) float32 array
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            If an argument has no meaning; the message names it.
        """
        image = self._image(x)
        levels = _sigmas(sigma, len(image))
        _arrays.check_choice("padding", padding, _PADDINGS)
        score = np.empty_like(image) if out is None else _writable(out, image)
        if image.size:
            self._network.score(image, levels, padding == "periodic", self.threads, score)
        return score

    def _image(self, x: ArrayLike) -> Floats:
        """Return noisy images as the kernel takes them."""
        array: NDArray[Any] = _arrays.as_numpy("x", x)
        if array.dtype.newbyteorder("=") != np.float32:
            raise TypeError(f"x has dtype {array.dtype}; expected float32")
        inputs, multiple = self.model.inputs, self.model.multiple
        if array.ndim != 4 or array.shape[1] != inputs:
            raise ValueError(f"x has shape {array.shape}; expected (batch, {inputs}, n0, n1)")
        n0, n1 = array.shape[2:]
        if min(n0, n1) == 0 or n0 % multiple or n1 % multiple or n0 * n1 > _LARGEST_IMAGE:
            raise ValueError(
                f"x has shape {array.shape}; expected n0 and n1 that are multiples of {multiple}, "
                f"and at most {_LARGEST_IMAGE} pixels"
            )
        image = _arrays.packed(array.astype(np.float32, copy=False), array.shape)
        # (not a number is neither)
        if image.size and not (image.min() > -_LARGEST_VALUE and image.max() < _LARGEST_VALUE):
            raise ValueError(f"x has entries that are no numbers below {_LARGEST_VALUE:g}")
        return image


def _sigmas(sigma: ArrayLike, batch: int) -> Floats:
    """Return the noise level of each image."""
    array = _arrays.as_numpy("sigma", sigma)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"sigma has dtype {array.dtype}; expected numbers > 0")
    if array.shape not in ((), (batch,)):
        raise ValueError(f"sigma has shape {array.shape}; expected () or ({batch},)")
    with np.errstate(over="ignore"):
        values = np.broadcast_to(array, batch).astype(np.float32)
    low, high = _SIGMAS
    if not ((values > low) & (values < high)).all():
        got = brief(sigma)
        raise ValueError(f"sigma is {got}; expected numbers between {low:g} and {high:g}")
    return values


def _writable(out: Floats, image: Floats) -> Floats:
    """Return `out` if the kernel can write there."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}; expected a float32 array")
    if out.dtype != np.float32 or out.shape != image.shape:
        raise ValueError(
            f"out is {out.dtype} of shape {out.shape}; expected float32 of {image.shape}"
        )
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError("out is not contiguous and writable; expected an array that is")
    if np.may_share_memory(out, image):
        raise ValueError("out shares memory with x; expected an array of its own")
    return out
