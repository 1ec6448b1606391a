"""How well random mosaics are identified from their tensors: the table in the documentation.

    python tests/study_inversion_stochastic.py                 all, some 45 minutes on one core
    python tests/study_inversion_stochastic.py --case main     one case; --list names them
    python tests/study_inversion_stochastic.py --seeds 3       fewer seeds of data

Data are homogenized on 192² pixels, the model's surrogate on 128²; errors are ‖estimate − truth‖
over ‖truth‖ of each block, in percent, the median and the worst over the seeds of data. The bound
is the information bound at the truth, by the surrogate of the first fit. Times are processor times
of the fit alone, with its evaluations.
"""

import argparse
import csv
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import pearlite as pl
from pearlite.microstructures import NeumannField

ALPHA, A = (2.0, 3.0, 4.0), (1.0, 4.0, 10.0)
FIVE = ((1.0, 2.0, 2.0, 2.0, 2.0), (1.0, 2.0, 4.0, 8.0, 16.0))
COLUMNS = ("case", "specimens", "effective", "bound_alpha", "bound_a", "alpha", "alpha_worst",
           "a", "a_worst", "inside", "evaluations", "seconds")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    count: int = 1000
    alpha: tuple[float, ...] = ALPHA
    a: tuple[float, ...] = A
    sites: int = 500
    seeds: int = 10
    data_shape: tuple[int, int] = (192, 192)
    data_estimate: str = "bracketed"
    model: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)
    local: dict | None = None  # of StationarySpecimens
    apart: int = 0  # restarts that each have a surrogate of their own

    @property
    def truth(self):
        return {"alpha": np.array(self.alpha), "a": np.array(self.a)}


def third(alpha):
    return tuple(value / 3 for value in alpha)


NETWORK = {"model": {"surrogate": "network", "shape": (64, 64)}, "seeds": 2, "apart": 5}
CASES = {
    "main": Case(),
    "spread": Case(alpha=third(ALPHA)),
    "many": Case(count=10_000),
    "distance only": Case(seeds=3, fit={"refine": None}),
    "grains 100": Case(sites=100, seeds=3),
    "grains 1000": Case(sites=1000, seeds=3),
    "two materials": Case(alpha=(2.0, 3.0), a=(1.0, 5.0), seeds=3),
    "five materials": Case(alpha=FIVE[0], a=FIVE[1], seeds=3),
    "narrow": Case(alpha=(20.0, 30.0, 40.0), seeds=3),
    "one bound data": Case(seeds=3, data_shape=(128, 128), data_estimate="variational"),
    "network, Adam": Case(**NETWORK, fit={"method": "adam"}),
    "network, steps": Case(**NETWORK, fit={"refine": None}),
    "local": Case(
        alpha=third(ALPHA), local={"tau": 50.0, "modes": 80, "sites": 12, "specimens": 10}
    ),
    "one specimen": Case(seeds=3, local={"tau": 20.0, "modes": 40, "sites": 32, "specimens": 1}),
}


def mosaics(case, **changes):
    options = {"materials": len(case.a), "sites": case.sites, "threads": 1, **changes}
    return pl.inversion.StochasticMosaics(**options)


def specimens(case):
    """-> the specimens of a case of section 6.2."""
    options = dict(case.local)
    neumann = NeumannField(tau=options.pop("tau"), modes=options.pop("modes"))
    world = mosaics(case, shape=case.data_shape, estimate=case.data_estimate)
    return pl.inversion.StationarySpecimens(world, neumann, **options)


def measured(name, case, seed, cache):
    """-> data (N, 3) of a seed, kept in a folder if there is one."""
    kept = None
    if cache is not None:
        parts = [case.sites, case.data_shape[0], case.data_estimate, *case.alpha, *case.a]
        place = name if case.local else "-".join(f"{part:.4}" for part in map(str, parts))
        kept = Path(cache) / f"{place.replace(' ', '_')}-{seed}.npy"
        if kept.exists() and len(found := np.load(kept)) >= case.count:
            return found if case.local else found[: case.count]
    if case.local:
        data = specimens(case).measure(case.truth, seed=1000 + seed)
    else:
        world = mosaics(case, shape=case.data_shape, estimate=case.data_estimate)
        data = world.measure(case.truth, case.count, seed=1000 + seed)
    if kept is not None:
        np.save(kept, data)
    return data


def relative(found, truth):
    """-> errors of both blocks, in percent."""
    return [
        100 * np.linalg.norm(found[name] - truth[name]) / np.linalg.norm(truth[name])
        for name in ("alpha", "a")
    ]


def fitted(case, model, data, seed, options):
    """-> a fit; of restarts that are apart that of the least loss over the last iterations."""
    if not case.apart:
        return pl.inversion.fit(model, data, seed=seed, **options)
    fits = []
    for restart in range(case.apart):
        fits.append(pl.inversion.fit(model, data, seed=10 * seed + restart, restarts=1, **options))
        errors = relative(fits[-1].parameters, case.truth)
        loss = fits[-1].restarts[0].loss
        print(f"    restart {restart}: loss {loss:.4f}, {errors[0]:.1f} %, {errors[1]:.1f} %")
    return min(fits, key=lambda each: each.restarts[0].loss)


def study(name, case, seeds, cache):
    """-> one row of the table."""
    errors, inside, solves, seconds, bound = [], [], [], [], None
    effective = case.count
    if case.local:
        plain, by_scores = (specimens(case).effective_sites(p) for p in (None, case.truth))
        print(f"{name}: {plain:.0f} independent sites by second moments, {by_scores:.0f} by scores")
        # Sites that are farther apart repel a little, and may be worth more than independent ones.
        effective = min(by_scores, case.local["specimens"] * case.local["sites"] ** 2)
    for seed in range(min(seeds, case.seeds)):
        data = measured(name, case, seed, cache)
        model = mosaics(case, **case.model)
        options = dict(case.fit)
        if case.local:
            options |= {"sigma": 0.01 * data.std(axis=0), "effective": effective}
        begun = time.process_time()
        found = fitted(case, model, data, seed, options)
        seconds.append(time.process_time() - begun)
        solves.append(found.solves)
        errors.append(relative(found.parameters, case.truth))
        for block, ends in found.intervals.items():
            inside += list((ends[:, 0] < case.truth[block]) & (case.truth[block] < ends[:, 1]))
        if bound is None:
            judge = model if model.surrogate == "moments" else mosaics(case)
            bound = pl.inversion.information_bound(judge, case.truth, effective)
            print(f"{name}: {len(data)} specimens, worth {effective:.0f}; {bound}", flush=True)
        values = " ".join(
            f"{block} {np.round(found.parameters[block], 3)}" for block in ("alpha", "a")
        )
        print(f"  seed {seed}: {errors[-1][0]:.2f} %, {errors[-1][1]:.2f} %; {values}", flush=True)
    alpha, a = np.transpose(errors)
    least = [100 * bound.relative[block] for block in ("alpha", "a")]
    return (name, len(data), effective, *least, np.median(alpha), alpha.max(), np.median(a),
            a.max(), 100 * np.mean(inside), np.median(solves) / 10, np.median(seconds))  # fmt: skip


def show(rows):
    print(("{:<16}" + "{:>12}" * (len(COLUMNS) - 1)).format(*COLUMNS))
    for row in rows:
        print(("{:<16}" + "{:>12}" + "{:>12.4g}" * (len(COLUMNS) - 2)).format(*row))


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, default=10, help="at most so many seeds of data")
    parser.add_argument("--cache", help="keep data in this folder")
    parser.add_argument("--csv", help="write the table here")
    parser.add_argument("--list", action="store_true", help="name the cases")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    if options.list:
        print("\n".join(f"{name:<16} {replace(case)}" for name, case in CASES.items()))
        return 0
    if options.cache:
        Path(options.cache).mkdir(parents=True, exist_ok=True)
    rows = [study(name, CASES[name], options.seeds, options.cache) for name in options.case]
    show(rows)
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
