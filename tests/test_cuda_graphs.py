"""Launches that are repeated: captured into graphs of CUDA, or one by one where that fails."""

import threading

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl
from pearlite import _corrector_tiles, _cuda

PLANE, SPACE = (17, 20), (9, 6, 11)


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    monkeypatch.delenv("PEARLITE_CUDA_GRAPHS", raising=False)
    monkeypatch.setattr(_corrector_tiles, "_FEWEST_PIXELS", -(10**9))
    _cuda._done(cupy).clear()
    assert not cupy.machine.captures


def solved(shape, dtype=np.float64):
    """-> the solution of two cells, what was launched for it, and the launches of its graphs"""
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((2, *shape)) < 0.5, 1.0, 50.0).astype(dtype)
    cupy.machine.launches.clear()
    cupy.machine.graphs.clear()
    found = pl.solve_correctors(cupy.asarray(cells), dim=len(shape))
    parts = [part.get() for part in (found.effective, found.correctors, found.iterations)]
    assert not cupy.machine.captures
    return parts, list(cupy.machine.launches), list(cupy.machine.graphs)


def same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [PLANE, SPACE])
def test_graphs_change_no_bit(shape, dtype, monkeypatch):
    """All launches are the same ones in the same order, and all iterations graphs but the first."""
    found, launches, graphs = solved(shape, dtype)
    monkeypatch.setenv("PEARLITE_CUDA_GRAPHS", "0")
    alone, one_by_one, none = solved(shape, dtype)
    same(found, alone)
    assert launches == one_by_one
    assert not none
    assert len(set(graphs)) == 1  # of as many launches each
    once = "advance_tiles" if shape == PLANE else "turn"
    iterations = [launch.kernel for launch in launches].count(once)
    assert len(graphs) == iterations - 1 > 0
    monkeypatch.delenv("PEARLITE_CUDA_GRAPHS")
    found, launches, graphs = solved(shape, dtype)  # with all code loaded: the first one too
    same(found, alone)
    assert launches == one_by_one
    assert len(graphs) == iterations


@pytest.mark.parametrize("shape", [PLANE, SPACE])
@pytest.mark.parametrize("what", ["begin_capture", "end_capture", "launch"])
def test_where_capture_fails_launches_go_on_one_by_one(shape, what, monkeypatch):
    wanted, launches, _ = solved(shape)

    def refuse(*args):
        raise RuntimeError("cudaErrorNotSupported")

    if what == "launch":  # within the capture, which is to end all the same
        monkeypatch.setattr(cupy, "_argument", refused_while_capturing(cupy._argument))
    elif what == "end_capture":
        end = cupy._Stream.end_capture
        monkeypatch.setattr(cupy._Stream, what, lambda self: refuse(end(self)))
    else:
        monkeypatch.setattr(cupy._Stream, what, refuse)
    found, again, graphs = solved(shape)
    same(found, wanted)
    assert again == launches
    assert not graphs


def refused_while_capturing(function):
    def checked(value):
        cupy._not_while_capturing()
        return function(value)

    return checked


def test_streams_and_devices():
    """A graph is launched where its launches would have been, in the default stream too."""
    for device in (0, 1):
        with cupy.cuda.Device(device), cupy.cuda.Stream() as stream:
            _, launches, graphs = solved(PLANE)
        assert {(at.device, at.stream) for at in launches} == {(device, stream.ptr)}
        assert graphs
    _, launches, graphs = solved(PLANE)
    assert {at.stream for at in launches} == {0}
    assert graphs


def filling(array, value):
    """-> what launches a kernel that fills a field with normal numbers of a sample"""
    sample = cupy.asarray(np.array([value], np.uint64))
    arguments = (
        array, sample, np.int64(1), np.int64(array.size), np.uint64(1), np.uint32(1), np.uint32(0)
    )  # fmt: skip
    return _cuda.prepared(
        "langevin", "normals", arguments, grid=(1, 1), block=256, dtype=array.dtype
    )


def test_calls():
    arrays = [cupy.zeros(5), cupy.zeros(7)]
    cupy.machine.graphs.clear()
    repeated = _cuda.Repeated([filling(array, k) for k, array in enumerate(arrays)])
    for graphs in ([], [2], [2, 2]):
        for array in arrays:
            array.fill(0)
        repeated()
        assert list(cupy.machine.graphs) == graphs
        for k, array in enumerate(arrays):
            wanted = pl.langevin.normal((array.size,), seed=1, sample=k, step=1)
            np.testing.assert_array_equal(array.get(), wanted)


def test_what_no_graph_can_have_is_not_captured():
    """Allocations and copies to the host: the launches are done one by one then."""
    array, taken = cupy.zeros(5), []
    for other in (lambda: cupy.zeros(3), array.get):
        cupy.machine.graphs.clear()
        taken.clear()
        more = _cuda.Launch(("other",), lambda of=other: taken.append(of()))
        repeated = _cuda.Repeated([filling(array, 0), more])
        for _ in range(3):
            repeated()
        assert len(taken) == 3
        assert not cupy.machine.graphs


def test_threads_capture_in_streams_of_their_own():
    found = []

    def look():
        found.append(_cuda._capture_stream(cupy, 0, threading.get_ident()).ptr)

    look()
    look()
    other = threading.Thread(target=look)
    other.start()
    other.join()
    assert found[0] == found[1] != found[2]


def test_the_stand_in_refuses_what_a_card_does():
    with pytest.raises(RuntimeError, match="default"):
        cupy.cuda.get_current_stream().begin_capture()
    with pytest.raises(RuntimeError, match="Implicit"):
        cupy.cuda.Stream().begin_capture()
    array = cupy.zeros(4)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        for refused in (array.get, lambda: cupy.empty(3), stream.begin_capture):
            with pytest.raises(RuntimeError, match="Capture"):
                refused()
        graph = stream.end_capture()
    graph.launch()
    assert cupy.machine.graphs[-1] == 0


def test_the_switch_is_checked(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA_GRAPHS", "no")
    with pytest.raises(ValueError, match="PEARLITE_CUDA_GRAPHS is 'no'; expected '0', '1' or"):
        solved(PLANE)
