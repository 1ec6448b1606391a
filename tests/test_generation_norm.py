"""The compiled norm with PReLU against its formula in float64."""

import numpy as np
import pytest

from pearlite import _core

torch = pytest.importorskip("torch", reason="torch is not installed")
from pearlite.generation import _norm  # noqa: E402


def arguments(batch, channels, shape, dtype, seed=0):
    """x and α, γ, β, slope, none of them near their first values."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, *shape, generator=random, dtype=torch.float64)
    x = 1.5 * x + 3 * torch.randn(1, channels, *(1,) * len(shape), generator=random).double()
    rest = [torch.randn(channels, generator=random, dtype=torch.float64) for _ in range(4)]
    return [t.to(dtype).requires_grad_() for t in (x, *rest)]


CASES = [(3, 5, (6, 8)), (1, 2, (2, 3)), (2, 40, (16, 12)), (2, 33, (9, 31)), (2, 4, (3, 4, 5))]


@pytest.mark.parametrize(("batch", "channels", "shape"), CASES)
def test_values_and_gradients(batch, channels, shape):
    single = arguments(batch, channels, shape, torch.float32)
    double = [t.detach().double().requires_grad_() for t in single]
    found, expected = _norm.norm_prelu(*single), _norm.formula(*double)
    assert found.dtype == torch.float32
    assert found.detach().numpy() == pytest.approx(expected.detach().numpy(), abs=2e-5, rel=2e-5)
    cotangent = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    found.backward(cotangent)
    expected.backward(cotangent.double())
    for ours, theirs in zip(single, double, strict=True):
        scale = float(theirs.grad.abs().max())
        assert ours.grad.numpy() == pytest.approx(theirs.grad.numpy(), abs=3e-5 * scale)


def test_any_layout_of_memory():
    x, *rest = (t.detach() for t in arguments(2, 6, (8, 10), torch.float32))
    expected = _norm.norm_prelu(x, *rest)
    for layout in (x.to(memory_format=torch.channels_last), x.transpose(2, 3).contiguous().mT):
        assert torch.equal(_norm.norm_prelu(layout, *rest), expected)


def test_large_means_do_not_cancel():
    """Variances are sums about the mean: a mean of a thousand deviations costs three digits."""
    x, *rest = (t.detach() for t in arguments(2, 6, (32, 32), torch.float32))
    found = _norm.norm_prelu(x + 1000, *rest)
    expected = _norm.formula((x + 1000).double(), *(t.double() for t in rest))
    assert found.numpy() == pytest.approx(expected.numpy(), abs=2e-3)


def test_threads_change_nothing():
    x = np.random.default_rng(0).standard_normal((5, 12, 7)).astype(np.float32)
    parameters = np.random.default_rng(1).standard_normal((4, 7)).astype(np.float32)
    results = []
    for threads in (1, 3):
        y, dx = np.empty_like(x), np.empty_like(x)
        moments, gradients = np.empty((5, 2, 7), np.float32), np.empty((5, 4, 7), np.float32)
        _core.norm_forward(x, parameters, y, moments, threads)
        _core.norm_backward(x, parameters, moments, np.ones_like(x), dx, gradients, threads)
        results.append((y, moments, dx, gradients))
    for first, second in zip(*results, strict=True):
        assert np.array_equal(first, second)


def test_wrong_sizes_are_refused():
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match="parameters: wrong shape"):
        _core.norm_forward(x, np.zeros((4, 3), np.float32), x.copy(), x, 1)
