"""Launching on a card: what is missing, what is wrong, and what is passed."""

import json
import sys

import numpy as np
import pytest
from benchmarks import gpu_cases, gpu_check
from emulator import stand_in

from pearlite import _cuda


def test_without_cupy(monkeypatch):
    monkeypatch.delenv("PEARLITE_CUDA", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ModuleNotFoundError, match=r"pearlite\[cuda12\]"):
        _cuda.library()


def test_what_stands_in_is_named(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    assert _cuda.library() is stand_in
    monkeypatch.setenv("PEARLITE_CUDA", "yes")
    with pytest.raises(ValueError, match="PEARLITE_CUDA is 'yes'"):
        _cuda.library()


def test_numpy_is_refused_the_memory_of_a_card():
    array = stand_in.asarray(np.zeros(3))
    assert _cuda.is_array(np.zeros(2), array)
    assert not _cuda.is_array(np.zeros(2), None, "cupy")
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(array)


def test_structures_are_passed_by_value():
    value = _cuda.packed([1, -2], 2**64 - 1, 0.5, [3.0, float("inf")])
    assert value.size == 1
    assert value.nbytes == 48
    whole = np.frombuffer(value.tobytes(), np.int64)
    assert whole[:3].tolist() == [1, -2, -1]
    assert whole[3:].view(np.float64).tolist() == [0.5, 3.0, np.inf]


def test_launches_are_held_against_a_card_s_limits(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    out, sample = stand_in.zeros(3, np.float32), stand_in.zeros(1, np.uint64)
    good = [out, sample, np.int64(1), np.int64(3), np.uint64(1), np.uint32(1), np.uint32(0)]
    call = {"grid": (1, 1), "block": 256, "dtype": np.float32}

    def launch(arguments, **change):
        _cuda.launch("langevin", "normals", arguments, **(call | change))

    launch(good)
    launch(good, shared=64 * 1024)  # which a kernel has to ask for
    for change in ({"grid": (1, 65536)}, {"block": 1025}, {"shared": 99 * 1024 + 1}):
        with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
            launch(good, **change)
    with pytest.raises(RuntimeError, match="parameters of"):
        launch([*good[:-1], 0])  # eight bytes where four are expected
    with pytest.raises(RuntimeError, match="parameters of"):
        launch(good[:-1])
    with stand_in.cuda.Device(1), pytest.raises(ValueError, match="on device 0, not 1"):
        launch(good)
    with pytest.raises(RuntimeError, match="NOT_FOUND"):
        _cuda.launch("langevin", "normal", good, **call)


def test_cupy_has_what_stands_in_for_it():
    cupy = pytest.importorskip("cupy")
    own = {"machine", "device_and_stream", "Launch", "build"}
    public = {name for name in vars(stand_in) if not name.startswith("_")} - own
    modules = {
        "annotations",
        "time",
        "functools",
        "itertools",
        "operator",
        "deque",
        "Any",
        "NamedTuple",
    }
    assert [name for name in public - modules - {"np"} if not hasattr(cupy, name)] == []
    arrays = [name for name in vars(stand_in.ndarray) if not name.startswith("_")]
    assert [name for name in arrays if not hasattr(cupy.ndarray, name)] == []


def test_the_check_for_a_card(monkeypatch, tmp_path, capsys):
    """Its paths at small sizes; the times are the emulator's, and mean nothing."""
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    output = tmp_path / "report.json"
    assert gpu_check.main(["--small", "--runs", "2", "--output", str(output)]) == 0
    found = json.loads(output.read_text())
    assert found["device"] == "emulated"
    rows = found["rows"]
    assert len(rows) == 44
    assert {row["dtype"] for row in rows} == {"float32", "float64", "uint8"}
    assert all(row["passed"] and row["floor"] > 0 for row in rows)
    assert "FAILED" not in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [output]


def test_the_check_says_that_there_is_no_card(monkeypatch, capsys):
    monkeypatch.delenv("PEARLITE_CUDA", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert gpu_check.main([]) == 2
    assert "no card" in capsys.readouterr().err


def test_the_check_finds_a_wrong_result(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    case = gpu_cases.assign_case(np.float64, (8, 8), 5)
    assert gpu_check.error_of(case, stand_in) == 0
    wrong = case._replace(call=lambda sites: case.call(sites) * (2 if _cuda.is_array(sites) else 1))
    assert gpu_check.error_of(wrong, stand_in) > 0
