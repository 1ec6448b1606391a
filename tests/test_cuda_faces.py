"""Faces and neighbours of labelled cells on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from test_cuda_measures import SHAPES, TYPES, images

import pearlite as pl
from pearlite.laguerre import _faces_card


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def beside_the_cpu(labels, count, sites=None, **options):
    """Hold faces against the CPU's, areas but for rounding. -> those of the card"""
    there = None if sites is None else cupy.asarray(sites)
    got = pl.laguerre.face_areas(cupy.asarray(labels), count, sites=there, **options)
    wanted = pl.laguerre.face_areas(labels, count, sites=sites, **options)
    assert isinstance(got.pairs, cupy.ndarray)
    assert (got.pairs.dtype, got.areas.dtype) == (np.int32, np.float64)
    np.testing.assert_array_equal(got.pairs.get(), wanted.pairs)
    np.testing.assert_array_equal(got.starts, wanted.starts)
    scale = wanted.areas.max(initial=0)
    np.testing.assert_allclose(got.areas.get(), wanted.areas, rtol=0, atol=2e-15 * scale)
    assert (got.count, got.batch) == (wanted.count, wanted.batch)
    return got


def nested_equal(got, wanted):
    if isinstance(wanted, list):
        assert len(got) == len(wanted)
        for mine, theirs in zip(got, wanted, strict=True):
            nested_equal(mine, theirs)
    else:
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got.get(), wanted)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("periodic", [True, False])
def test_areas(shape, dtype, periodic):
    labels, count = images(shape, dtype)
    sites = np.random.default_rng(2).random((3, count, len(shape)))
    options = {"dim": len(shape), "periodic": periodic, "spacing": [0.5, 2, 0.7][: len(shape)]}
    beside_the_cpu(labels, count, estimate="pixels", **options)
    beside_the_cpu(labels, count, **options)
    beside_the_cpu(labels, count, sites, **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
def test_neighbours(shape, dtype):
    labels, count = images(shape, dtype)
    for periodic in (True, False):
        options = {"dim": len(shape), "periodic": periodic}
        got = pl.laguerre.neighbours(cupy.asarray(labels), count, **options)
        nested_equal(got, pl.laguerre.neighbours(labels, count, **options))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dimension", [2, 3])
def test_faces_of_a_tessellation_with_its_own_sites(dtype, dimension):
    rng = np.random.default_rng(3)
    shape = (40, 50, 30)[:dimension]
    sites = (rng.random((2, 15, dimension)) * 3 - 1).astype(dtype)
    sites[0, 0, 0] = -1e-20
    labels = pl.laguerre.assign(sites, shape=shape)
    beside_the_cpu(labels, 15, sites, dim=dimension)
    beside_the_cpu(labels, 15, sites[0], dim=dimension)
    beside_the_cpu(labels, 15, np.zeros((15, dimension), dtype), dim=dimension)


@pytest.mark.parametrize("places", [2**25, 3000])
def test_tables_grow_and_batches_are_done_in_parts(places, monkeypatch):
    """More contacts than cells lead one to expect, of more images than there is memory for."""
    monkeypatch.setattr(_faces_card, "_LEAST", 16)
    monkeypatch.setattr(_faces_card, "_FACES", {2: 1, 3: 1})
    monkeypatch.setattr(_faces_card, "_MOST_PLACES", places)
    labels = np.random.default_rng(0).integers(0, 40, (2, 3, 34, 40)).astype(np.uint8)
    labels[0, 1] = 7
    got = beside_the_cpu(labels, 40)
    one = got.of_image(1, 2)
    wanted = pl.laguerre.face_areas(labels[1, 2], 40)
    np.testing.assert_array_equal(one.pairs.get(), wanted.pairs)
    np.testing.assert_allclose(one.matrix().toarray(), wanted.matrix().toarray(), rtol=1e-14)
    np.testing.assert_array_equal(got.degrees().get(), pl.laguerre.face_areas(labels, 40).degrees())


@pytest.mark.parametrize("order", [1, 99])
def test_the_order_of_blocks_and_threads_changes_nothing(order, monkeypatch):
    labels, count = images((40, 300), np.uint8)
    wanted = pl.laguerre.face_areas(cupy.asarray(labels), count)
    monkeypatch.setattr(cupy.machine, "order", order)
    got = pl.laguerre.face_areas(cupy.asarray(labels), count)
    np.testing.assert_array_equal(got.pairs.get(), wanted.pairs.get())
    np.testing.assert_array_equal(got.areas.get(), wanted.areas.get())


def test_no_faces():
    for labels in (np.zeros((2, 5, 6), np.uint8), np.zeros((0, 5, 6), np.uint8)):
        got = beside_the_cpu(labels, 3)
        assert got.pairs.shape == (0, 2)
        np.testing.assert_array_equal(got.degrees().get(), np.zeros((len(labels), 3)))
        nested_equal(got.neighbours(), pl.laguerre.neighbours(labels, 3))


def test_devices():
    labels = np.eye(5, dtype=np.uint8)
    with cupy.cuda.Device(1):
        there = cupy.asarray(labels)
    faces = pl.laguerre.face_areas(there)
    assert {faces.pairs.device.id, faces.areas.device.id, faces.degrees().device.id} == {1}
    nested_equal(faces.neighbours(), pl.laguerre.neighbours(labels))
    with pytest.raises(ValueError, match="sites is on device 0; expected 1, that of labels"):
        pl.laguerre.face_areas(there, sites=cupy.zeros((2, 2)))


@pytest.mark.parametrize("emulated", [True, False])
def test_tensors(emulated, monkeypatch):
    torch = pytest.importorskip("torch")
    if not emulated:
        monkeypatch.delenv("PEARLITE_CUDA")
    labels, count = images((9, 33), np.int32)
    sites = np.random.default_rng(2).random((3, count, 2))
    own = torch.from_numpy(sites).requires_grad_()
    got = pl.laguerre.face_areas(torch.from_numpy(labels), count, sites=own)
    wanted = pl.laguerre.face_areas(labels, count, sites=sites)
    assert isinstance(got.pairs, torch.Tensor)
    np.testing.assert_array_equal(got.pairs.numpy(), wanted.pairs)
    np.testing.assert_allclose(got.areas.numpy(), wanted.areas, rtol=1e-13)
    assert torch.equal(got.degrees(), torch.from_numpy(wanted.degrees()))
    one = got.of_image(1)
    np.testing.assert_allclose(one.matrix().toarray(), wanted.of_image(1).matrix().toarray())
    lists = one.neighbours(), pl.laguerre.neighbours(torch.from_numpy(labels), count)[1]
    for mine, also, theirs in zip(*lists, wanted.of_image(1).neighbours(), strict=True):
        assert torch.equal(mine, torch.from_numpy(theirs))
        assert torch.equal(also, mine)


def test_what_is_refused():
    labels = cupy.asarray(np.eye(4, dtype=np.uint8))
    with pytest.raises(TypeError, match="sites is a ndarray; expected a cupy array"):
        pl.laguerre.face_areas(labels, sites=np.zeros((2, 2)))
    with pytest.raises(TypeError, match="labels is a ndarray; expected a cupy array"):
        pl.laguerre.face_areas(np.eye(4, dtype=np.uint8), sites=cupy.zeros((2, 2)))
    with pytest.raises(TypeError, match="sites has dtype int64; expected float32 or float64"):
        pl.laguerre.face_areas(labels, sites=cupy.zeros((2, 2), np.int64))
    with pytest.raises(ValueError, match=r"sites has shape \(3, 2\); expected \(..., 2, 2\)"):
        pl.laguerre.face_areas(labels, sites=cupy.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"sites has batch axes \(2,\); expected \(\), those of"):
        pl.laguerre.face_areas(labels, sites=cupy.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="estimate is 'planes'; expected 'plane' or 'pixels'"):
        pl.laguerre.face_areas(labels, estimate="planes")
    with pytest.raises(ValueError, match=r"labels\[0, 0\] is 1; expected a label from 0 to 0"):
        pl.laguerre.neighbours(labels, 1)
