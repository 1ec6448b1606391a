"""A fused Langevin step of a batch of images beside the same in torch and numpy.

    make bench ARGS="-k langevin"

All make x + α (s + v) + √(2 α) z, clamped, v the term of the volume fraction of the segmented
image; the padded case repeats the image's border too. Noise aside all must agree; with noise, ours
has to be the formula of our own normal numbers. "torch, in place" is what someone writes who has
measured: one buffer of noise that is drawn into, and no other temporaries. Calls take turns, and
the median of each counts; results.csv has milliseconds of the whole batch.
"""

import numpy as np
import pytest
from recorder import record
from turns import seconds

import pearlite as pl
from pearlite import _threads

torch = pytest.importorskip("torch", reason="torch is not installed")

THREADS = sorted({1, _threads.available()})
ALPHA, FRACTION, SIGMA, CLAMP = 1e-3, 0.4, 2e-3, 3.0
# images, phases, pixels along an axis, padding
CASES = {
    "200x1x256-float32": (200, 2, 256, 0),
    "50x1x256-padded": (50, 2, 256, 16),
    "50x3x256-channels-last": (50, 3, 256, 0),
}


def images(count, phases, n, padding):
    """-> x and a score (B, C, n + 2 padding, n + 2 padding); channels last where there are many."""
    channels = 1 if phases == 2 else phases
    generator = torch.Generator().manual_seed(1)
    shape = (count, channels, n + 2 * padding, n + 2 * padding)
    pair = [torch.randn(shape, generator=generator) for _ in range(2)]
    pair[0] = pair[0] * 0.3 + 1 / phases
    if channels > 1:
        pair = [x.contiguous(memory_format=torch.channels_last) for x in pair]
    return pair


def shares(x, phases):
    """-> (B, C): fractions of the segmented image, as the method has them."""
    if phases == 2:
        return (x > 0.5).float().mean(dim=(2, 3))
    certain = torch.cat([x, 1 - x.sum(dim=1, keepdim=True)], dim=1).argmax(dim=1)
    counts = torch.stack([(certain == k).sum(dim=(1, 2)) for k in range(phases)], dim=1)
    return counts / counts.sum(dim=1, keepdim=True)


def wanted(phases):
    return FRACTION if phases == 2 else [0.3, 0.3, 0.4]


def pull(x, phases):
    """-> (B, C, 1, 1): α v."""
    pixels = x.shape[2] * x.shape[3]
    apart = shares(x, phases) - torch.tensor(wanted(phases))
    return (-ALPHA / (pixels * SIGMA**2) * apart)[:, :, None, None]


def eager(x, score, phases, padding, noise=1.0):
    """-> the step as its formula reads."""
    inner = slice(padding, x.shape[-1] - padding)
    x, score = x[..., inner, inner], score[..., inner, inner]
    x = x + ALPHA * score + pull(x, phases) + noise * (2 * ALPHA) ** 0.5 * torch.randn_like(x)
    x = x.clamp(-CLAMP, CLAMP)
    around = [padding] * 4
    return torch.nn.functional.pad(x, around, mode="circular") if padding else x


def in_place(x, score, phases, buffer):
    """Make the step in x."""
    shift = pull(x, phases)
    buffer.normal_()
    x.add_(score, alpha=ALPHA).add_(buffer, alpha=(2 * ALPHA) ** 0.5).add_(shift)
    return x.clamp_(-CLAMP, CLAMP)


def numpy_step(x, score, rng):
    """-> the step of two phases without padding."""
    apart = (x > 0.5).mean(axis=(2, 3), keepdims=True) - FRACTION
    shift = np.float32(ALPHA) * (score - apart / np.float32(x[0, 0].size * SIGMA**2))
    noise = rng.standard_normal(x.shape, np.float32) * np.float32((2 * ALPHA) ** 0.5)
    return np.clip(x + shift.astype(np.float32) + noise, -CLAMP, CLAMP)


def ours(x, score, phases, padding, threads, noise=1.0):
    return pl.langevin.step(
        x, score, ALPHA, seed=1, step=2, volume_fraction=wanted(phases), sigma_volume=SIGMA,
        clamp=CLAMP, padding=padding, noise=noise, threads=threads,
    )  # fmt: skip


def assert_correct(x, score, phases, padding):
    """The step without noise is torch's, and noise is that of `pl.langevin.normal`."""
    x, score = x[:4], score[:4]
    quiet, noisy = x.clone(), x.clone()
    ours(quiet, score, phases, padding, 1, noise=0.0)
    ours(noisy, score, phases, padding, 1)
    expected = eager(x, score, phases, padding, noise=0.0)
    assert (quiet - expected).abs().max() < 1e-5
    inner = slice(padding, x.shape[-1] - padding)
    x, score, noisy = (t[..., inner, inner] for t in (x, score, noisy))
    drawn = pl.langevin.normal(x.shape[1:], seed=1, step=2, sample=range(4), dtype=np.float32)
    expected = x + ALPHA * score + pull(x, phases) + (2 * ALPHA) ** 0.5 * torch.from_numpy(drawn)
    assert (noisy - expected.clamp(-CLAMP, CLAMP)).abs().max() < 1e-5
    assert abs(drawn.mean()) < 5 / drawn.size**0.5
    assert abs(drawn.std() - 1) < 5 / drawn.size**0.5


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("case", CASES)
def test_langevin_step(benchmark, case, threads):
    _, phases, _, padding = CASES[case]
    x, score = images(*CASES[case])
    assert_correct(x, score, phases, padding)
    benchmark.pedantic(lambda: ours(x, score, phases, padding, threads), rounds=3)
    if not benchmark.stats:
        return
    calls = {
        "pearlite": lambda: ours(x, score, phases, padding, threads),
        "torch": lambda: eager(x, score, phases, padding),
        "torch.randn alone": lambda: torch.randn_like(x),
    }
    if not padding:
        buffer = torch.empty_like(x)
        calls["torch, in place"] = lambda: in_place(x, score, phases, buffer)
    if phases == 2 and not padding and threads == 1:
        rng = np.random.default_rng(1)
        calls["numpy"] = lambda: numpy_step(x.numpy(), score.numpy(), rng)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        report(case, threads, seconds(calls, rounds=7))
    finally:
        torch.set_num_threads(before)


def report(case, threads, times):
    count, phases, n, padding = CASES[case]
    for name, taken in times.items():
        ratio = taken / times["pearlite"]
        print(f"{case} {threads} threads {name}: {1e3 * taken:.1f} ms, {ratio:.1f}")
        version = pl.__version__ if name == "pearlite" else np.__version__
        record(group="langevin", solver=name,
               version=torch.__version__ if name.startswith("torch") else version,
               input="float32", shape=f"{count}x{n}x{n}+{padding}", phases=phases,
               threads=threads, cells=1, ms_per_cell=1e3 * taken)  # fmt: skip
