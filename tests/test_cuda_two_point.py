"""Two-point correlations on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl

two_point = pl.correlation.two_point
TYPES = [np.float32, np.float64]
SHAPES = [(1, 1), (2, 3), (16, 16), (17, 31), (300, 2), (4, 5, 6), (7, 8, 33)]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def compare(arrays, **options):
    """Of arrays by name, both ways."""
    sent = {k: cupy.asarray(v) for k, v in arrays.items()}
    got = two_point(**sent, **options)
    wanted = two_point(**arrays, **options)
    assert isinstance(got, cupy.ndarray)
    assert got.dtype == wanted.dtype
    if wanted.dtype.kind == "i":
        np.testing.assert_array_equal(got.get(), wanted)
    else:
        # Rounding is relative to the sums at no shift, and a mean divides it by the overlap.
        np.testing.assert_array_equal(np.isnan(got.get()), np.isnan(wanted))
        dim = options.get("dim", 2)
        known = arrays.get("mask", np.ones(arrays["field"].shape[-dim:], bool))
        where = {"dim": dim, "periodic": options.get("periodic", True)}
        overlap = two_point(known, counts=True, **where)
        if "phases" in options:
            overlap = np.expand_dims(overlap, (-1 - dim, -2 - dim))
        error = np.abs(np.nan_to_num(got.get()) - np.nan_to_num(wanted)) * overlap
        tolerance = 1e-6 if wanted.dtype == np.float32 else 1e-14
        largest = max(float((a.astype(float) ** 2).max(initial=0)) for a in arrays.values())
        assert error.max(initial=0) <= tolerance * largest * known[..., :].size


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
def test_fields(dtype, periodic, shape, masked):
    rng = np.random.default_rng(0)
    field, other = rng.normal(size=(2, 3, *shape)).astype(dtype)
    mask = {"mask": rng.random((3, *shape)) < 0.6} if masked else {}
    options = {"dim": len(shape), "periodic": periodic}
    compare({"field": field} | mask, **options)
    compare({"field": field, "other": other[:1]} | mask, **options)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "int64", "int8", "bool"])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("masked", [False, True])
def test_labels(kind, periodic, counts, masked):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2 if kind == "bool" else 4, (2, 9, 20)).astype(kind)
    other = rng.integers(0, 2 if kind == "bool" else 4, (9, 20)).astype(kind)
    mask = {"mask": rng.random((9, 20)) < 0.5} if masked else {}
    options = {"periodic": periodic, "counts": counts}
    phases = [0, 1] if kind == "bool" else [2, 0, 1, 3, 9]
    compare({"field": labels} | mask, phases=phases, **options)
    compare({"field": labels, "other": other} | mask, phases=phases, **options)
    if kind == "bool":
        compare({"field": labels} | mask, **options)


def test_items_in_parts(monkeypatch):
    monkeypatch.setattr("pearlite.correlation._card._AT_ONCE", 1)
    monkeypatch.setattr("pearlite.correlation._card._MOST_BLOCKS", 2)
    field = np.random.default_rng(0).normal(size=(3, 2, 30, 40))
    compare({"field": field})
    compare({"field": field[:0]})


def test_tensors_and_their_derivatives():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    field, other = (torch.from_numpy(a) for a in rng.normal(size=(2, 2, 6, 7)))
    mask = torch.from_numpy(rng.random((6, 7)) < 0.8)
    for options in ({}, {"periodic": False}, {"mask": mask}, {"mask": mask, "periodic": False}):
        leaves = [t.clone().requires_grad_() for t in (field, other)]
        cupy.machine.launches.clear()
        got = two_point(*leaves, **options)
        got.nan_to_num().square().sum().backward()
        assert {launch.kernel for launch in cupy.machine.launches} == {
            "expand", "products", "arrange",
        }  # fmt: skip
        plain = {k: v.numpy() if k == "mask" else v for k, v in options.items()}
        wanted = two_point(field.numpy(), other.numpy(), **plain)
        np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-13)
        # Σ S² has the derivative ⟨2 S, dS⟩, and S is linear in each field.
        change = torch.from_numpy(rng.normal(size=field.shape))
        along = two_point(change.numpy(), other.numpy(), **plain)
        slope = 2 * np.nansum(np.nan_to_num(wanted) * np.nan_to_num(along))
        np.testing.assert_allclose((leaves[0].grad * change).sum().item(), slope, rtol=1e-10)
    labels = torch.from_numpy(rng.integers(0, 3, (6, 7)))
    got = two_point(labels, phases=[0, 1, 2], counts=True)
    np.testing.assert_array_equal(
        got.numpy(), two_point(labels.numpy(), phases=[0, 1, 2], counts=True)
    )


def test_what_is_refused():
    field = cupy.asarray(np.zeros((4, 5)))
    with pytest.raises(TypeError, match="other is a ndarray; expected a cupy array"):
        two_point(field, field.get())
    with pytest.raises(TypeError, match="other has dtype float32"):
        two_point(field, field.astype(np.float32))
    with pytest.raises(TypeError, match="labels need phases"):
        two_point(field.astype(np.int32))
    with pytest.raises(TypeError, match="with counts=True"):
        two_point(field, counts=True)
    with pytest.raises(TypeError, match="expected integer labels"):
        two_point(field, phases=[0, 1])
    with pytest.raises(TypeError, match="mask has dtype float64"):
        two_point(field, mask=field)
    with pytest.raises(ValueError, match="mask has shape"):
        two_point(field, mask=cupy.zeros((4, 4), np.bool_))
    with pytest.raises(ValueError, match="other has shape"):
        two_point(field, field[:2])
    with pytest.raises(ValueError, match="dim is 4"):
        two_point(field, dim=4)
