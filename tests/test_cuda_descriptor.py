"""Descriptors on the emulated card, beside the CPU's and the definition."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from reference import descriptor as reference

import pearlite as pl
from pearlite.correlation import _descriptor_card, _window

descriptor = pl.correlation.descriptor
FORMS = ("centred", "product", "logistic")
TYPES = [np.float32, np.float64]
# Vectors below, at and above a half of a warp and a tile (64 or 128); pixels below, at and above a
# panel (16), a warp and a slice (1024); vectors that reach around, and lines of one pixel.
CASES = [
    ((4, 4), (0, 1)),
    ((5, 3), (6, 2)),
    ((16, 17), (5, 5)),
    ((33, 32), (3, 2)),
    ((1, 70), (0, 64)),
    ((70, 2), (9, 0)),
    ((8, 8), (7, 8)),
    ((9, 10, 12), (2, 2, 1)),
    ((1, 5, 7), (1, 0, 3)),
]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def tolerance(dtype):
    return 3e-6 if dtype == np.float32 else 1e-13


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("shape", "radius"), CASES)
def test_statistics(dtype, form, shape, radius):
    field = np.random.default_rng(1).random(shape).astype(dtype)
    got = descriptor(cupy.asarray(field), radius=radius, levels=1, form=form)
    wanted = descriptor(field, radius=radius, levels=1, form=form)
    assert isinstance(got.gram, cupy.ndarray)
    assert got.gram.dtype == got.s2.dtype == dtype
    for name in ("gram", "s2"):
        values = getattr(got, name).get()
        np.testing.assert_allclose(values, getattr(wanted, name), atol=tolerance(dtype))
    gram = got.gram.get()[0]
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_allclose(got.fractions, wanted.fractions, atol=1e-15)
    np.testing.assert_array_equal(got.vectors, wanted.vectors)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("shape", "radius"), CASES)
def test_gradients(dtype, form, shape, radius):
    rng = np.random.default_rng(2)
    values = rng.random(shape).astype(dtype)
    vectors = reference.half_window(radius)
    of_gram = rng.standard_normal((len(vectors),) * 2).astype(dtype)  # need not be symmetric
    of_s2 = rng.standard_normal(len(vectors)).astype(dtype)
    sent = [cupy.asarray(a) for a in (values, of_gram, of_s2)]
    got = _descriptor_card.pull_back(sent[0], vectors, form, *sent[1:])
    wanted = _window.pull_back(values, vectors, form, of_gram, of_s2, 1)
    assert got.dtype == dtype
    error = np.abs(got.get() - wanted).max()
    assert error <= 3 * tolerance(dtype) * np.abs(wanted).max()


@pytest.mark.parametrize("form", FORMS)
def test_in_parts(monkeypatch, form):
    """Of pixels, in several launches, and of vectors."""
    monkeypatch.setattr(_descriptor_card, "_WANTED", 1)
    monkeypatch.setattr(_descriptor_card, "_MOST", 1)
    field = np.random.default_rng(3).random((47, 48))
    vectors = reference.half_window((5, 6))
    gram, s2 = _descriptor_card.correlate(cupy.asarray(field), vectors, form)
    assert [launch.grid for launch in cupy.machine.launches if launch.kernel == "gram"][-3:] == [
        (2, 2, 1)
    ] * 3
    wanted = _window.correlate(field, vectors, form, 1)
    np.testing.assert_allclose(gram.get(), wanted[0], atol=1e-13)
    np.testing.assert_allclose(s2.get(), wanted[1], atol=1e-13)
    of_gram, of_s2 = np.cos(np.arange(72 * 72.0)).reshape(72, 72), np.sin(np.arange(72.0))
    sent = [cupy.asarray(a) for a in (field, of_gram, of_s2)]
    got = _descriptor_card.pull_back(sent[0], vectors, form, *sent[1:])
    assert [launch.grid for launch in cupy.machine.launches if launch.kernel == "sums"][-2:] == [
        (36, 1, 1)
    ] * 2
    expected = _window.pull_back(field, vectors, form, of_gram, of_s2, 1)
    np.testing.assert_allclose(got.get(), expected, atol=1e-13)


@pytest.mark.parametrize("kind", ["uint8", "int64", "bool"])
def test_labels_and_levels(kind):
    labels = np.random.default_rng(4).integers(0, 2 if kind == "bool" else 4, (16, 24)).astype(kind)
    got = descriptor(cupy.asarray(labels), radius=2)
    wanted = descriptor(labels, radius=2)
    assert got.levels == wanted.levels > 1
    np.testing.assert_array_equal(got.fractions, wanted.fractions)
    np.testing.assert_array_equal(got.shape, wanted.shape)
    np.testing.assert_allclose(got.gram.get(), wanted.gram, atol=1e-14)
    np.testing.assert_allclose(got.s2.get(), wanted.s2, atol=1e-14)


def test_where_it_runs():
    with cupy.cuda.Device(1), cupy.cuda.Stream(77):
        field = cupy.asarray(np.random.default_rng(5).random((6, 7)))
    cupy.machine.launches.clear()
    with cupy.cuda.Stream(78):
        found = descriptor(field, radius=1, levels=1)
    assert found.gram.device.id == found.s2.device.id == 1
    assert {(k.kernel, k.device, k.stream) for k in cupy.machine.launches} == {
        (kernel, 1, 78) for kernel in ("gram", "mirror", "means")
    }


@pytest.mark.parametrize("form", FORMS)
def test_tensors_and_their_derivatives(form):
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(6).random((8, 6))
    cupy.machine.launches.clear()
    leaf = torch.from_numpy(values).requires_grad_()
    found = descriptor(leaf, radius=1, levels=2, form=form)
    assert found.gram.requires_grad
    (found.gram.square().sum() + found.s2.sum()).backward()
    assert {"gram", "sums", "pull"} <= {launch.kernel for launch in cupy.machine.launches}
    wanted = descriptor(values, radius=1, levels=2, form=form)
    np.testing.assert_allclose(found.gram.detach().numpy(), wanted.gram, atol=1e-14)

    def statistics(values):
        found = descriptor(values, radius=1, levels=2, form=form)
        return found.s2, found.gram

    assert torch.autograd.gradcheck(statistics, (leaf,), fast_mode=True)
    labels = torch.from_numpy(np.eye(8, dtype=np.uint8))
    assert descriptor(labels, radius=1, form="product").s2[0, 0] == 1 / 8


def test_what_is_refused():
    field = cupy.asarray(np.zeros((4, 4)))
    with pytest.raises(TypeError, match="field has dtype float16"):
        descriptor(field.astype(np.float16), radius=1)
    with pytest.raises(TypeError, match="field has dtype complex128"):
        descriptor(field.astype(complex), radius=1)
    with pytest.raises(ValueError, match="not finite"):
        descriptor(field + np.nan, radius=1)
    with pytest.raises(ValueError, match=r"field has shape \(4,\)"):
        descriptor(field[0], radius=1)
    with pytest.raises(ValueError, match="labels from -1"):
        descriptor(field.astype(np.int32) - 1, radius=1)
    with pytest.raises(ValueError, match="radius is 0"):
        descriptor(field, radius=0)
    with pytest.raises(ValueError, match="threads is 0"):
        descriptor(field, radius=1, threads=0)
    with cupy.cuda.Device(1):
        other = cupy.asarray(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="gram is on device 1"):
        _descriptor_card.pull_back(field, reference.half_window((1, 1)), "centred", other, other)
