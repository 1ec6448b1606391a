import numpy as np
import pytest

import pearlite as pl

torch = pytest.importorskip("torch", reason="torch is not installed")

from pearlite import _descriptor_operators as operators  # noqa: E402

FORMS = ("centred", "product", "logistic")


def field(shape=(8, 6), dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("form", FORMS)
def test_same_as_numpy(form):
    values = field((12, 16))
    found = pl.correlation.descriptor(values, radius=2, form=form)
    plain = pl.correlation.descriptor(values.numpy(), radius=2, form=form)
    torch.testing.assert_close(found.gram, torch.from_numpy(plain.gram), rtol=0, atol=1e-15)
    torch.testing.assert_close(found.s2, torch.from_numpy(plain.s2), rtol=0, atol=1e-15)
    assert found.levels == plain.levels
    np.testing.assert_array_equal(found.fractions, plain.fractions)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(4, 6), (2, 2, 4)])
def test_gradients(form, shape):
    values = field(shape).requires_grad_()

    def statistics(values):
        found = pl.correlation.descriptor(values, radius=1, levels=1 + (len(shape) == 2), form=form)
        return found.s2, found.gram

    assert torch.autograd.gradcheck(statistics, (values,))


def test_operators():
    form = "logistic"
    values = field(dtype=torch.float32).requires_grad_()
    torch.library.opcheck(operators.correlate, (values, [1, 2], form, 1))
    count = 8
    cotangents = torch.ones(count, count), torch.ones(count)
    torch.library.opcheck(operators.pull_back, (values.detach(), [1, 2], form, *cotangents, 1))


def test_labels_and_bad_input():
    labels = torch.from_numpy(np.eye(8, dtype=np.uint8))
    found = pl.correlation.descriptor(labels, radius=1, form="product")
    assert found.gram.dtype == torch.float64
    assert found.s2[0, 0] == 1 / 8
    with pytest.raises(TypeError, match="float16"):
        pl.correlation.descriptor(labels.half(), radius=1)
    with pytest.raises(ValueError, match="not finite"):
        pl.correlation.descriptor(torch.full((4, 4), torch.nan), radius=1)
