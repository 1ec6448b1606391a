"""Normal numbers: their integers, the transform, and what they are as a sequence."""

import os
import subprocess
import sys

import numpy as np
import pytest
from reference import langevin as reference
from scipy import stats

import pearlite as pl
from pearlite import _core

normal = pl.langevin.normal
TYPES = [np.float32, np.float64]

# Known answers that D. E. Shaw Research publishes with Random123 (kat_vectors, philox4x32 10).
KNOWN = [
    ("00000000 00000000 00000000 00000000 00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def hexadecimal(text):
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint32)


@pytest.mark.parametrize(("given", "expected"), KNOWN)
def test_philox_known_answers(given, expected):
    counter, key = np.split(hexadecimal(given), [4])
    words = hexadecimal(expected)
    np.testing.assert_array_equal(_core.philox(counter[None], key[None])[0], words)
    assert reference.philox(counter.tolist(), key.tolist()) == tuple(words.tolist())


@pytest.mark.parametrize("key", [(0, 0, 0), (2**64 - 1, 2**48 - 1, 2**32 - 1), (5, 2**40 + 1, 3)])
@pytest.mark.parametrize("dtype", TYPES)
def test_numbers_are_those_of_the_definition(key, dtype):
    seed, sample, step = key
    wide = dtype == np.float64
    got = normal(333, seed=seed, sample=sample, step=step, dtype=dtype)
    exact = np.array([reference.normal(i, seed, sample, step, wide=wide) for i in range(333)])
    # Logarithm, root, cosine and product each round, and the angle does.
    assert np.abs(got / exact - 1).max() < 4 * np.finfo(dtype).eps


def test_precisions_agree():
    """Both have the same u and θ, which float32 has 31 and 30 bits of."""
    single, double = (normal(10**6, seed=3, dtype=dtype) for dtype in TYPES)
    error = np.abs(single - double)
    assert np.median(error / np.abs(double)) < np.finfo(np.float32).eps
    assert np.quantile(error, 0.999) < 1e-6
    # The last bit of u moves √(−2 ln u) most where it is close to 0, and in the tails.
    assert error[np.abs(double) < 4.5].max() < np.sqrt(2 * 2.0**-31)


@pytest.mark.parametrize("dtype", TYPES)
def test_numbers_depend_on_their_place_alone(dtype):
    """Not on shape, batch, threads, and where pieces of work end."""
    whole = normal(200_001, seed=11, sample=5, step=2, dtype=dtype)
    assert whole.dtype == dtype
    for count in (1, 63, 64, 65, 4096, 65_537):
        part = normal(count, seed=11, sample=5, step=2, dtype=dtype, threads=1)
        np.testing.assert_array_equal(part, whole[:count])
    batch = normal((3, 7, 11), seed=11, sample=[[9, 5], [5, 2**47]], step=2, dtype=dtype, threads=3)
    assert batch.shape == (2, 2, 3, 7, 11)
    np.testing.assert_array_equal(batch[0, 1].ravel(), whole[:231])
    np.testing.assert_array_equal(batch[1, 0], batch[0, 1])


SCRIPT = """
import sys
import numpy as np
import pearlite as pl
from pearlite import _core

draws = {d: pl.langevin.normal(30_000, seed=1, sample=2, step=3, dtype=d) for d in ("f4", "f8")}
np.savez(sys.argv[1], **draws)
print(_core.instruction_set())
"""


def on(name, path):
    """-> the instruction set that ran, {dtype: numbers}"""
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)], env={**os.environ, "PEARLITE_ISA": name},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    with np.load(path) as file:
        return process.stdout.strip(), dict(file)


def test_instruction_sets_agree(tmp_path):
    found = {}
    for name in ("base", "x86-64-v3", "x86-64-v4"):
        used, numbers = on(name, tmp_path / "numbers.npz")
        if used == name:
            found[name] = numbers
    if len(found) < 2:
        pytest.skip("this processor has one instruction set")
    for dtype in ("f4", "f8"):
        base = found["base"][dtype]
        for numbers in found.values():
            spacing = np.spacing(np.abs(base))
            assert np.max(np.abs(numbers[dtype] - base) / spacing) <= 4
            assert np.mean(numbers[dtype] == base) > 0.5
    fused = [found[name] for name in found if name != "base"]
    for dtype in ("f4", "f8"):  # the same operations, rounded alike
        for numbers in fused:
            np.testing.assert_array_equal(numbers[dtype], fused[0][dtype])


# As a sequence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
def test_distribution(dtype):
    z = normal(2_000_000, seed=17, dtype=dtype).astype(np.float64)
    n = z.size
    # Moments 1 to 6 and their standard errors.
    for k, moment in enumerate([0, 1, 0, 3, 0, 15], start=1):
        variance = float(stats.norm.moment(2 * k)) - moment**2
        assert abs(np.mean(z**k) - moment) < 4 * np.sqrt(variance / n)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    # Squares of pairs are of the radius alone: exponential.
    pairs = z[: n // 64 * 64].reshape(-1, 2, 2, 16)
    assert stats.kstest((pairs**2).sum(axis=2).ravel() / 2, "expon").pvalue > 1e-3


def test_tails():
    """Numbers beyond 3, 4 and 5 are as many as they should be, on both sides."""
    z = normal(2**22, seed=23, sample=range(8), dtype=np.float32)
    for limit in (3.0, 4.0, 5.0):
        expected = z.size * stats.norm.sf(limit)
        for count in ((z > limit).sum(), (z < -limit).sum()):
            assert abs(count - expected) < 4 * np.sqrt(expected)
    assert 5.3 < np.abs(z).max() < 6.6


def correlation(a, b):
    """Return the correlation of two sets, in units of its standard error."""
    return np.mean(a * b) * np.sqrt(a.size)


def test_independence():
    """Of samples, steps, seeds and pixels; also of their squares."""
    n = 200_000
    base = normal(n + 256, seed=1, sample=1, step=1)
    others = {
        "seed": normal(n, seed=2, sample=1, step=1),
        "high bits of the seed": normal(n, seed=1 + 2**32, sample=1, step=1),
        "sample": normal(n, seed=1, sample=2, step=1),
        "high bits of the sample": normal(n, seed=1, sample=1 + 2**32, step=1),
        "step": normal(n, seed=1, sample=1, step=2),
    }
    # Neighbours, words of a block, blocks and tiles.
    others |= {
        f"shift {k}": base[k : n + k] for k in (1, 2, 3, 15, 16, 17, 32, 48, 63, 64, 65, 128)
    }
    for name, other in others.items():
        for power in (1, 2, 3):
            first, second = (stats.zscore(v**power) for v in (base[:n], other))
            assert abs(correlation(first, second)) < 4.5, name


def test_many_steps_and_samples_are_independent():
    """One pixel of a field over keys that differ by one is normal white noise as well."""
    steps = np.array([normal(1, seed=4, step=k)[0] for k in range(4000)])
    samples = normal(1, seed=4, sample=range(20_000)).ravel()
    for z in (steps, samples):
        assert stats.kstest(z, "norm").pvalue > 1e-3
        assert abs(correlation(z[1:], z[:-1])) < 4


# Arguments ---------------------------------------------------------------------------------------


def test_zero_numbers():
    assert normal((0, 3), seed=1).shape == (0, 3)
    assert normal((), seed=1).shape == ()
    assert normal((2,), seed=1, sample=np.zeros((0, 2), int)).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"seed": -1}, ValueError),
        ({"seed": 2**64}, ValueError),
        ({"seed": 1.0}, TypeError),
        ({"sample": -1}, ValueError),
        ({"sample": 2**48}, ValueError),
        ({"sample": [0.5]}, TypeError),
        ({"step": 2**32}, ValueError),
        ({"dtype": np.float16}, TypeError),
        ({"dtype": "rubbish"}, TypeError),
        ({"dtype": None}, TypeError),
        ({"shape": (2, -1)}, ValueError),
        ({"shape": "12"}, TypeError),
        ({"shape": 2.0}, TypeError),
        ({"shape": (2**20, 2**20)}, ValueError),
        ({"threads": 0}, ValueError),
    ],
)
def test_arguments(arguments, error):
    (name,) = arguments
    with pytest.raises(error, match=name):
        normal(**({"shape": 3, "seed": 0} | arguments))
