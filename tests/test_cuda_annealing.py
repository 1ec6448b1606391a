"""Annealing on the emulated card: the chains that the CPU has, to the last label."""

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl
from pearlite.reconstruction import _chains

# Shifts below, at and above a warp and a block; one plane, even and odd numbers of them; lines of
# one pixel, which a step of 32 or 256 passes many times.
SHAPES = [
    (2, 1, 2), (1, 1, 9), (9, 1, 1), (4, 1, 13), (5, 1, 7), (8, 1, 8), (16, 1, 33), (3, 4, 5),
    (4, 3, 7), (6, 6, 6),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def problem(shape, phases, chains=3):
    """-> starts (chains, *shape), counts (P, *shape), the first label that has counts"""
    rng = np.random.default_rng(sum(shape) + phases)
    aim = (np.arange(np.prod(shape)) * phases // np.prod(shape)).astype(np.int32)
    starts = np.stack([rng.permutation(aim) for _ in range(chains)]).reshape(chains, *shape)
    first = 1 if phases == 2 else 0
    masks = np.stack([starts[-1] == first + i for i in range(phases - first)])
    return starts[:-1], pl.correlation.two_point(masks, dim=3, counts=True), first


@pytest.mark.parametrize("phases", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_chains(shape, phases):
    starts, counts, first = problem(shape, phases)
    card = _chains.OnCard(starts, counts, first)
    cpu = _chains.OnCpu(starts, counts, first, 1)
    np.testing.assert_array_equal(card.energy, cpu.energy)
    samples, moved = np.array([0, 5]), 0
    for k, scale in enumerate([10.0, 0.3, 1e-3]):  # most exchanges, some, those that help
        t = scale * (1 + cpu.energy) / np.sqrt(np.prod(shape))
        options = 0.97, 2**63 + 11, samples, 2**33 + 29 * k
        made = card.run(29, t, *options)
        assert made == cpu.run(29, t, *options)
        np.testing.assert_array_equal(card.labels(), cpu.labels())
        np.testing.assert_array_equal(card.energy, cpu.energy)
        assert [card.wrong(k) for k in (0, 1)] == [cpu.wrong(k) for k in (0, 1)]
        moved += np.count_nonzero(card.labels() != starts)
        if made < 29:
            break
    assert moved > 0 or card.energy.min() == 0


def test_labels_that_do_not_fit_a_block_s_memory(monkeypatch):
    monkeypatch.setattr(_chains, "_SHARED", _chains._VERDICTS + 6 * 35 - 1)
    starts, counts, first = problem((6, 1, 35), 2)
    card, cpu = _chains.OnCard(starts, counts, first), _chains.OnCpu(starts, counts, first, 1)
    cupy.machine.launches.clear()
    for chains in (card, cpu):
        chains.run(60, np.array([1e3, 1e2]), 0.9, 3, np.array([0, 1]), 0)
    assert cupy.machine.launches[0].shared == _chains._VERDICTS
    np.testing.assert_array_equal(card.labels(), cpu.labels())


def test_counts_beyond_16_bits():
    """Almost all of one kind, and a target of nothing."""
    start = np.zeros((1, 300, 1, 256), np.int32)
    start[:, :290] = 1
    counts = np.zeros((1, 300, 1, 256), np.int64)
    card, cpu = _chains.OnCard(start, counts, 1), _chains.OnCpu(start, counts, 1, 1)
    for chains in (card, cpu):
        chains.run(3, np.array([1e15]), 1.0, 1, np.array([0]), 0)
    assert np.abs(card._differences.get()).max() > 2**15
    np.testing.assert_array_equal(card.energy, cpu.energy)
    np.testing.assert_array_equal(card.labels(), cpu.labels())


def matched(target, **options):
    return pl.reconstruction.match(
        target, method="annealing", seed=5, cooling=0.999, evaluations=150, **options
    )


def test_the_same_reconstruction():
    image = pl.microstructures.checkerboard((6, 10), tiles=2)
    cupy.machine.launches.clear()
    with cupy.cuda.Device(1):
        target = cupy.asarray(image)
    got = matched(target, chains=2)
    wanted = matched(image, chains=2)
    assert isinstance(got.image, cupy.ndarray)
    assert got.image.device.id == 1
    assert {launch.device for launch in cupy.machine.launches} == {1}
    assert cupy.machine.launches[-1].grid == (2, 1, 1)
    np.testing.assert_array_equal(got.image.get(), wanted.image)
    np.testing.assert_array_equal(got.history.loss, wanted.history.loss)
    assert got.details == wanted.details


def test_tensors_and_reports(tmp_path):
    torch = pytest.importorskip("torch")
    image = pl.microstructures.checkerboard((6, 6), tiles=2)
    found = matched(torch.from_numpy(image))
    assert isinstance(found.image, torch.Tensor)
    np.testing.assert_array_equal(found.image.numpy(), matched(image).image)
    pytest.importorskip("matplotlib")
    found.report(tmp_path / "found.html")
    assert (tmp_path / "found.html").stat().st_size > 1000


def test_what_is_refused():
    image = pl.microstructures.checkerboard((8, 8), tiles=2)
    sent = cupy.asarray(image)
    for method in ("auto", "bispectrum", "phases", "descriptor", "logistic"):
        with pytest.raises(TypeError, match="target is on a card, where method="):
            pl.reconstruction.match(sent, method=method, seed=1)
    with pytest.raises(TypeError, match="target has dtype float64"):
        matched(sent.astype(np.float64))
    for chains in (0, 1.5, "2", None):
        with pytest.raises((TypeError, ValueError), match="chains is"):
            matched(image, chains=chains)
