import numpy as np
import pytest

import pearlite as pl

torch = pytest.importorskip("torch")
step = pl.langevin.step


def pair(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(*shape, generator=generator, dtype=dtype) / 2 + 0.4 for _ in range(2)]


OPTIONS = {
    "seed": 2**64 - 3,
    "step": 2**32 - 1,
    "sample": 7,
    "sigma_volume": 0.05,
    "padding": 2,
    "clamp": 3.0,
}


def fractions(channels):
    return 0.4 if channels == 1 else np.full(channels, 1 / channels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 1, 12, 14), (2, 3, 12, 14), (2, 2, 7, 8, 9)])
def test_tensors_in_any_memory_format(dtype, shape):
    x, score = pair(*shape, dtype=dtype)
    last = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    array, slope = x.numpy().copy(), score.numpy()
    options = OPTIONS | {"volume_fraction": fractions(shape[1])}
    counts = step(array, slope, 0.3, **options)
    for first in (torch.contiguous_format, last):
        for second in (torch.contiguous_format, last):
            y = x.clone(memory_format=first)
            place = y.data_ptr()
            found = step(y, score.contiguous(memory_format=second), 0.3, **options)
            assert y.data_ptr() == place
            assert torch.equal(found, torch.from_numpy(counts))
            assert torch.equal(y, torch.from_numpy(array))
    assert torch.equal(pl.langevin.phase_counts(y, padding=2), found)


def test_views_are_changed_in_place():
    whole = torch.zeros(2, 1, 20, 20)
    step(whole[:, :, 3:9, ::2], torch.zeros(2, 1, 6, 10), 0.5, seed=1, step=0)
    expected = torch.zeros(2, 1, 20, 20)
    numbers = pl.langevin.normal((1, 6, 10), seed=1, sample=[0, 1], dtype=np.float32)
    expected[:, :, 3:9, ::2] = torch.from_numpy(numbers)
    assert torch.equal(whole, expected)


def test_values_of_each_image_as_tensors():
    x, score = pair(3, 1, 8, 9)
    y = x.clone()
    step(
        x, score, torch.tensor([0.1, 0.2, 0.3]), seed=1, step=1, sample=torch.tensor([4, 5, 6]),
        volume_fraction=torch.tensor([0.2, 0.3, 0.4], dtype=torch.float64), sigma_volume=[0.1] * 3,
    )  # fmt: skip
    step(
        y, score, np.array([0.1, 0.2, 0.3], np.float32), seed=1, step=1, sample=4,
        volume_fraction=[0.2, 0.3, 0.4], sigma_volume=0.1,
    )  # fmt: skip
    assert torch.equal(x, y)


def test_operator():
    x, score = pair(2, 1, 6, 7)
    number = torch.tensor(0.1, dtype=torch.float64)
    torch.library.opcheck(
        torch.ops.pearlite.langevin_step.default,
        (x, score, number, number, number, torch.tensor(3), -5, 2, [1, 1], [-3.0, 3.0], 1.0, None),
    )
    torch.library.opcheck(torch.ops.pearlite.phase_counts.default, (x, [0, 0], None))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile's own
def test_compile():
    def advance(x):
        y = x * 1.0
        counts = step(y, -y, 0.1, seed=1, step=2, padding=1, volume_fraction=0.3, sigma_volume=0.1)
        return y + 1, counts

    x, _ = pair(2, 1, 6, 7)
    compiled = torch.compile(advance, fullgraph=True, backend="aot_eager")
    for got, wanted in zip(compiled(x), advance(x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_inference_mode():
    with torch.inference_mode():
        x, score = pair(2, 1, 6, 7)
        y = x.clone()
        step(y, score, 0.1, seed=1, step=2)
    array = x.numpy().copy()
    step(array, score.numpy(), 0.1, seed=1, step=2)
    np.testing.assert_array_equal(y.numpy(), array)


def test_what_is_refused():
    x, score = pair(1, 1, 4, 5)
    options = {"seed": 0, "step": 0}
    with pytest.raises(ValueError, match="score requires a gradient"):
        step(x, score.requires_grad_(), 0.1, **options)
    with torch.no_grad():
        step(x, score, 0.1, **options)  # what a sampler does
    with pytest.raises(ValueError, match="x requires a gradient"):
        step(x.clone().requires_grad_(), score.detach(), 0.1, **options)
    with pytest.raises(TypeError, match="x is a ndarray"):
        step(x.numpy(), score.detach(), 0.1, **options)
    with pytest.raises(TypeError, match="score has dtype"):
        step(x, score.detach().double(), 0.1, **options)
    with pytest.raises(TypeError, match="dtype"):
        step(x.half(), score.detach(), 0.1, **options)
    with pytest.raises(ValueError, match="x has strides"):
        step(torch.zeros(5).expand(1, 1, 4, 5), score.detach(), 0.1, **options)
