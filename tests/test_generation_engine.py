"""The compiled score network against its equations in plain numpy, and against itself."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reference import score_network as reference

from pearlite import _core
from pearlite.generation import Engine, Model

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
TOLERANCE = 1e-5  # largest error, of the score's root mean square


def lively_model(phases, channels, levels, seed=0):
    """A model none of whose numbers could be left out or mixed up unseen."""
    model = Model.random(phases=phases, channels=channels, levels=levels, seed=seed)
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, tensor in model.tensors.items():
        tensors[name] = tensor
        if name.rpartition(".")[2] in ("alpha", "gamma", "beta", "slope"):
            tensors[name] = tensor + 0.3 * rng.standard_normal(tensor.shape).astype(np.float32)
    return Model(tensors, phases, channels, levels)


def noisy(model, batch, shape, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((batch, model.inputs, *shape)) + rng.integers(0, 2, shape)
    return image.astype(np.float32)


def exact(model, image, sigma, padding):
    mode = {"zero": "constant", "periodic": "wrap"}[padding]
    raw = [reference.raw(model.tensors, model.levels, x, mode) for x in image]
    return np.stack(raw) / np.reshape(sigma, (-1, 1, 1, 1))


def error(score, expected):
    return np.abs(score - expected).max() / np.sqrt(np.mean(expected**2))


# phases, channels, levels, shape: sizes above, below and between the widths of registers and
# tiles; channels in one block and in several of different lengths.
CASES = [
    (2, 40, 1, (32, 64)),
    (2, 40, 1, (40, 40)),
    (2, 8, 1, (10, 14)),
    (2, 15, 1, (6, 130)),
    (2, 3, 1, (66, 2)),
    (2, 5, 3, (8, 296)),
    (3, 7, 2, (12, 76)),
    (3, 29, 3, (24, 40)),
    (5, 13, 1, (34, 18)),
]


@pytest.mark.parametrize("padding", ["zero", "periodic"])
@pytest.mark.parametrize(("phases", "channels", "levels", "shape"), CASES)
def test_against_the_equations(phases, channels, levels, shape, padding):
    model = lively_model(phases, channels, levels)
    image, sigma = noisy(model, 2, shape), [0.5, 3.0]
    score = Engine(model).score(image, sigma, padding=padding)
    assert score.dtype == np.float32
    for mine, expected in zip(score, exact(model, image, sigma, padding), strict=True):
        assert error(mine, expected) < TOLERANCE


@pytest.mark.parametrize("padding", ["zero", "periodic"])
def test_the_smallest_image(padding):
    """One pixel has no variance: the norm enlarges its rounding by 1/√1e-5."""
    model = lively_model(2, 2, 1)
    image = noisy(model, 1, (2, 2))
    expected = exact(model, image, 1.0, padding)
    assert error(Engine(model).score(image, 1.0, padding=padding), expected) < 316 * 2**-22


def test_a_constant_image():
    """All variance is at the edges. (A periodic one has none, and rounding is all there is.)"""
    model = lively_model(2, 12, 2)
    image = np.full((1, 1, 40, 72), 0.37, np.float32)
    expected = exact(model, image, 1.0, "zero")
    assert error(Engine(model).score(image, 1.0), expected) < TOLERANCE


def test_large_and_small_noise():
    model = lively_model(2, 12, 1)
    for scale in (1e-3, 20.0, 1e6):
        image = scale * noisy(model, 1, (24, 32))
        score = Engine(model).score(image, scale)
        assert error(score, exact(model, image, scale, "zero")) < TOLERANCE


@pytest.mark.parametrize(("levels", "shape"), [(1, (36, 44)), (2, (32, 48))])
def test_a_periodic_score_moves_with_its_image(levels, shape):
    model = lively_model(2, 16, levels)
    engine = Engine(model)
    image = noisy(model, 1, shape)
    score = engine.score(image, 1.0, padding="periodic")
    for move in [(2**levels, 0), (0, 3 * 2**levels), (-(2**levels), 5 * 2**levels)]:
        moved = engine.score(np.roll(image, move, (2, 3)), 1.0, padding="periodic")
        assert error(moved, np.roll(score, move, (2, 3))) < TOLERANCE
    zero = engine.score(image, 1.0)
    moved = engine.score(np.roll(image, move, (2, 3)), 1.0)
    assert error(moved, np.roll(zero, move, (2, 3))) > 1e-2


@pytest.mark.parametrize("padding", ["zero", "periodic"])
def test_neither_batch_nor_threads_change_a_bit(padding):
    model = lively_model(3, 20, 2)
    image = noisy(model, 5, (40, 72))
    sigma = np.linspace(0.1, 2, 5)
    alone = [
        Engine(model, threads=1).score(image[k : k + 1], sigma[k], padding=padding)
        for k in range(5)
    ]
    for threads in (1, 2, 3, 8):
        engine = Engine(model, threads=threads)
        for batch in (1, 2, 5):
            score = engine.score(image[:batch], sigma[:batch], padding=padding)
            assert_array_equal(score, np.concatenate(alone[:batch]))


def test_one_engine_in_many_threads_and_sizes():
    model = lively_model(2, 9, 1)
    engine = Engine(model, threads=2)
    images = [noisy(model, 1 + k % 3, (8 + 4 * k, 60 - 6 * k), k) for k in range(6)]
    expected = [engine.score(image, 0.7) for image in images]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            for score, own in zip(pool.map(lambda x: engine.score(x, 0.7), images), expected,
                                  strict=True):  # fmt: skip
                assert_array_equal(score, own)


def test_out_and_the_layouts_of_x():
    model = lively_model(3, 6, 1)
    engine = Engine(model)
    image = noisy(model, 2, (12, 16))
    out = np.empty_like(image)
    score = engine.score(image, 1)
    assert engine.score(image, 1, out=out) is out
    assert_array_equal(out, score)
    for same in (np.asfortranarray(image), image.astype(">f4"), image[::-1][::-1]):
        assert_array_equal(engine.score(same, np.array([1, 1])), score)
    assert engine.score(image[:0], 1).shape == (0, 3, 12, 16)


SCRIPT = """
import sys
import numpy as np
from pearlite import _core
from pearlite.generation import Engine, Model

model, source, target = sys.argv[1:]
engine = Engine(Model.load(model))
with np.load(source) as images:
    np.savez(target, **{f"{name}_{padding}": engine.score(image, 0.5, padding=padding)
                        for name, image in images.items() for padding in ("zero", "periodic")})
print(_core.instruction_set())
"""


def script(source, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["base", "x86-64-v3", "x86-64-v4"])
def test_instruction_sets(name, tmp_path):
    model = lively_model(2, 17, 2)
    model.save(tmp_path / "model.safetensors")
    images = {f"{n0}x{n1}": noisy(model, 1, (n0, n1)) for n0, n1 in [(12, 20), (40, 72), (4, 132)]}
    np.savez(tmp_path / "images.npz", **images)
    files = [tmp_path / name for name in ("model.safetensors", "images.npz", "scores.npz")]
    process = script(SCRIPT, *files, PEARLITE_ISA=name)
    assert process.returncode == 0, process.stderr
    if process.stdout.strip() != name:
        pytest.skip(f"this processor has no {name}: it ran {process.stdout.strip()}")
    with np.load(files[-1]) as scores:
        for key, image in images.items():
            for padding in ("zero", "periodic"):
                expected = exact(model, image, 0.5, padding)
                assert error(scores[f"{key}_{padding}"], expected) < TOLERANCE


@needs_torch
@pytest.mark.parametrize(("phases", "channels", "levels"), [(2, 40, 1), (3, 24, 3)])
def test_the_torch_module_gives_the_same(phases, channels, levels):
    import torch

    from pearlite.generation import ScoreNetwork

    model = lively_model(phases, channels, levels)
    image, sigma = noisy(model, 2, (40, 48)), np.array([0.3, 4], np.float32)
    with torch.no_grad():
        expected = ScoreNetwork.of(model)(torch.from_numpy(image), torch.from_numpy(sigma)).numpy()
    score = Engine(model).score(image, sigma)
    for mine, other in zip(score, expected, strict=True):
        assert error(mine, other) < TOLERANCE


WITHOUT_TORCH = """
import sys
import numpy as np
from pearlite.generation import Engine, Model
Engine(Model.random(phases=2, channels=4, levels=1)).score(np.zeros((1, 1, 8, 8), np.float32), 1)
print("torch" in sys.modules)
"""


def test_torch_is_not_imported():
    process = script(WITHOUT_TORCH)
    assert process.stdout == "False\n", process.stderr


LONG_CALL = """
import signal
import numpy as np
from pearlite.generation import Engine, Model
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = Engine(Model.random(phases=2, channels=48, levels=1), threads={threads})
image = np.zeros(({batch}, 1, {n}, {n}), np.float32)
print("calling", flush=True)
try:
    while True:
        engine.score(image, 1)
except KeyboardInterrupt:
    print("interrupted", engine.score(image[:, :, :8, :8][:1], 1).shape, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
@pytest.mark.parametrize(
    ("threads", "batch", "n"), [(1, 20000, 128), (2, 20000, 128), (2, 1, 1024)]
)
def test_ctrl_c_stops_a_long_call(threads, batch, n):
    source = LONG_CALL.format(threads=threads, batch=batch, n=n)
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "calling\n"
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert output == "interrupted (1, 1, 8, 8)\n", errors


GOOD = np.zeros((2, 1, 8, 12), np.float32)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (TypeError, {"x": GOOD.astype(float)}, "x has dtype float64"),
        (TypeError, {"x": GOOD.astype(np.uint8)}, "x has dtype uint8"),
        (ValueError, {"x": GOOD[0]}, r"x has shape \(1, 8, 12\); expected \(batch, 1, n0, n1\)"),
        (ValueError, {"x": np.repeat(GOOD, 3, 1)}, "x has shape"),
        (ValueError, {"x": GOOD[:, :, :7]}, "multiples of 4"),
        (ValueError, {"x": GOOD[..., :10]}, "multiples of 4"),
        (ValueError, {"x": GOOD[..., :0]}, "multiples of 4"),
        (ValueError, {"x": GOOD + np.float32(np.nan)}, "x has entries"),
        (ValueError, {"x": GOOD - np.float32(np.inf)}, "x has entries"),
        (ValueError, {"sigma": 0}, "sigma is 0"),
        (ValueError, {"sigma": [1, -1]}, "sigma is"),
        (ValueError, {"sigma": np.nan}, "sigma is nan"),
        (ValueError, {"sigma": [1, 2, 3]}, r"sigma has shape \(3,\); expected \(\) or \(2,\)"),
        (TypeError, {"sigma": "1"}, "sigma has dtype"),
        (ValueError, {"padding": "reflect"}, "padding is 'reflect'"),
        (ValueError, {"padding": None}, "padding is None"),
        (TypeError, {"out": GOOD.tolist()}, "out is a list"),
        (ValueError, {"out": np.zeros((2, 1, 8, 8), np.float32)}, "out is float32 of shape"),
        (ValueError, {"out": np.zeros(GOOD.shape)}, "out is float64"),
        (ValueError, {"out": np.asfortranarray(np.ones_like(GOOD))}, "out is not contiguous"),
        (ValueError, {"out": GOOD}, "out shares memory"),
    ],
)
def test_wrong_arguments(kind, arguments, message):
    engine = Engine(Model.random(phases=2, channels=4, levels=2))
    with pytest.raises(kind, match=message):
        engine.score(**({"x": GOOD, "sigma": 1.0} | arguments))


def test_wrong_models_and_threads():
    model = Model.random(phases=2, channels=4, levels=1)
    with pytest.raises(TypeError, match="model is a dict"):
        Engine(dict(model.tensors))
    with pytest.raises(ValueError, match="model is of 3 dimensions"):
        Engine(Model.random(phases=2, channels=4, levels=1, dim=3))
    with pytest.raises(ValueError, match="threads is 0"):
        Engine(model, threads=0)


def test_the_binding_refuses_what_does_not_fit():
    model = Model.random(phases=2, channels=4, levels=1)
    network = Engine(model)._network
    ones = np.ones(1, np.float32)
    for image, score in [(GOOD[..., :7], GOOD), (GOOD[:, :, 0], GOOD), (GOOD, GOOD[:1].copy())]:
        with pytest.raises((ValueError, TypeError)):
            network.score(np.ascontiguousarray(image), np.repeat(ones, 2), True, 1, score)
    with pytest.raises(ValueError, match="tensors"):
        _core.ScoreNetwork(1, 4, 1, [])
