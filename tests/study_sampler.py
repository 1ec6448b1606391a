"""Acceptance study of the samplers: few evaluations against the paper's, with bootstrap intervals.

    python tests/study_sampler.py model.safetensors [--reference image.npy] [--folder results]

Samples of each setting and seed are kept in the folder, so that the study can go on where it was
stopped and settings can be added. Judged are volume fractions, two-point correlations within 20
pixels and chord lengths, against tiles of the reference, whose mean statistics the Gaussian fields
have. Intervals are percentiles of a bootstrap over the images.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pearlite as pl
from pearlite.generation import Model, _reference
from pearlite.generation._comparison import joined, measure

RADIUS = 20
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Setting:
    """How to sample; see `pearlite.generation.generate`."""

    name: str
    method: str
    evaluations: int | None = None
    field: bool = True
    conditioned: bool = True
    padding: str = "periodic"


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("annealed", "annealed"),
        Setting("annealed, halo", "annealed", padding="halo"),
        Setting("fast 60", "fast", 60),
        Setting("fast 40", "fast", 40),
        Setting("fast 40, halo", "fast", 40, padding="halo"),
        Setting("fast 30", "fast", 30),
        Setting("fast 20", "fast", 20),
        Setting("fast 10", "fast", 10),
    )
}
# Appendix B of the paper: with and without the field and the condition on volume fractions.
ABLATION = {
    f"{method}: network{', field' * field}{', fractions' * conditioned}": Setting(
        f"{method}: network{', field' * field}{', fractions' * conditioned}",
        method, None if method == "annealed" else 40 if field else 80, field, conditioned,
    )
    for method in ("annealed", "fast")
    for field in (False, True)
    for conditioned in (False, True)
}  # fmt: skip


def tiles(image, size):
    """-> (n, size, size): what fits side by side."""
    rows, columns = (n // size for n in image.shape)
    cut = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return cut.swapaxes(1, 2).reshape(-1, size, size)


def samples(model, references, setting, seed, count, folder, threads):
    """-> fields and images (count, n, n), from the folder if they are there."""
    name = f"{setting.name} {seed} {count} {references.shape[-1]}".replace(" ", "_")
    file = folder / (name.replace(":", "").replace(",", "") + ".npz")
    if not file.exists():
        begun, used = time.perf_counter(), time.process_time()
        made = pl.generation.generate(
            model, count, seed=seed, statistics=references, method=setting.method,
            evaluations=setting.evaluations, field=setting.field, threads=threads,
            conditioned=setting.conditioned, padding=setting.padding,
        )  # fmt: skip
        fields = made.images if made.fields is None else made.fields
        used = time.process_time() - used
        np.savez_compressed(file, images=made.images, fields=fields, used=used)
        print(f"  {setting.name}, seed {seed}: {time.perf_counter() - begun:.0f} s, "
              f"{used / count:.3g} s of processor a sample", flush=True)  # fmt: skip
    kept = np.load(file)
    return kept["fields"], kept["images"]


class Judge:
    """Errors of sets of images against the reference."""

    def __init__(self, image, references, phases):
        self.phases = [1] if phases == 2 else list(range(phases))
        self.options = {"phases": phases, "radius": RADIUS, "threads": 1}
        steps = np.arange(-RADIUS, RADIUS + 1)
        self.near = np.hypot(*np.meshgrid(steps, steps)) <= RADIUS
        wanted = joined([measure(x[None], seam=True, **self.options) for x in references])
        self.fractions, self.pairs = (x.mean(axis=0) for x in self.parts(wanted)[:2])
        # Chords do not depend on the tiles, and a whole image has more of them.
        self.chords = self.parts(measure(image[None], seam=True, **self.options))[2][0]

    def parts(self, found):
        """-> fractions (n, K), S2 (n, K, V) at the near vectors, chords (n, K, L)"""
        chords = found.chords[:, self.phases].sum(axis=2)
        pairs = found.two_point[:, self.phases][..., self.near]
        return found.fractions[:, self.phases], pairs, chords

    def errors(self, parts, weights):
        """-> (R, 4): fraction, S2 of the mean, S2 of an image, chords; weights (R, n) of images."""
        fractions, pairs, chords = parts
        count = len(pairs)
        fraction = (weights @ fractions - self.fractions)[:, -1]
        mean = (weights @ pairs.reshape(count, -1)).reshape(-1, *pairs.shape[1:]) - self.pairs
        single = np.sqrt(((pairs - self.pairs) ** 2).mean(axis=-1)).mean(axis=1)
        pooled = (weights @ chords.reshape(count, -1)).reshape(-1, *chords.shape[1:])
        apart = pl.statistics.total_variation(pooled, self.chords).mean(axis=-1)
        mean = np.sqrt((mean**2).mean(axis=-1)).mean(axis=-1)
        return np.stack([fraction, mean, weights @ single, apart], axis=1)


def resampled(count, rng):
    """-> (RESAMPLES, count) weights of images drawn with replacement."""
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count


NAMES = ("fraction", "S2 of the mean", "S2 of an image", "chords")


def table(judge, sets):
    """Print a row for each set, intervals, and the differences to the first one."""
    rng = np.random.default_rng(0)
    print(f"\n{'':34s}" + "".join(f"{name:>28s}" for name in NAMES) + f"{'sd of fraction':>16s}")
    drawn = {}
    for name, images in sets.items():
        parts = judge.parts(measure(images, **judge.options))
        count = len(images)
        values = judge.errors(parts, np.full((1, count), 1 / count))[0]
        drawn[name] = judge.errors(parts, resampled(count, rng))
        low, high = np.percentile(drawn[name], INTERVAL, axis=0)
        cells = "".join(
            f"{v:8.4f} [{a:.4f}, {b:.4f}]".rjust(28)
            for v, a, b in zip(values, low, high, strict=True)
        )
        print(f"{name:34s}{cells}{parts[0][:, -1].std(ddof=1):16.5f}", flush=True)
    names = list(sets)
    print(f"\nless those of {names[0]}: 95 % intervals; above zero is worse")
    for name in names[1:]:
        apart = np.abs(drawn[name]) - np.abs(drawn[names[0]])
        low, high = np.percentile(apart, INTERVAL, axis=0)
        verdict = "no worse" if np.all(low <= 0) else "worse"
        cells = "".join(f"[{a:+.5f}, {b:+.5f}]".rjust(28) for a, b in zip(low, high, strict=True))
        print(f"{name:34s}{cells}  {verdict}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model, or 'shipped'")
    parser.add_argument("--reference", type=Path, help="labels, .npy; by default the model's own")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--count", type=int, default=64, help="samples of each seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--settings", nargs="*", default=["annealed", "fast 40"])
    parser.add_argument("--ablation", action="store_true", help="Appendix B instead")
    parser.add_argument("--folder", type=Path, default=Path("study"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    model = _reference.shipped() if options.model == "shipped" else Model.load(options.model)
    image = _reference.reference(model) if options.reference is None else np.load(options.reference)
    references = tiles(image, options.size)
    settings = list(ABLATION.values()) if options.ablation else [
        SETTINGS[name] for name in options.settings
    ]  # fmt: skip
    sets, fields = {}, {}
    for setting in settings:
        parts = [
            samples(model, references, setting, seed, options.count, options.folder,
                    options.threads)
            for seed in range(options.seeds)
        ]  # fmt: skip
        sets[setting.name] = np.concatenate([images for _, images in parts])
        if setting.field:
            fields = {"Gaussian field": np.concatenate([begun for begun, _ in parts])}
    judge = Judge(image, references, model.phases)
    table(judge, sets | fields)


if __name__ == "__main__":
    main()
