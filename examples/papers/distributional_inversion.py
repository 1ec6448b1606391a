"""The experiments of a paper on distributional inverse homogenization: its figures, and one table.

    python examples/papers/distributional_inversion.py --experiment 1d-dirichlet [--seeds 5]
        [--quick] [--method adam] [--materials 5] [--output folder]

A. Vadeboncoeur, M. Girolami, K. Bhattacharya, A. M. Stuart, *Distributional Inverse
Homogenization*, arXiv:2604.14083. Each experiment makes data of known parameters, on a finer mesh
than the model's and from other random numbers, finds the parameters again from them, and repeats
that for several data seeds. Many of the paper's numbers are not in its text as it is archived; what
stands here instead is our choice.

| experiment | section | figures | about, on two cores with 5 seeds |
| --- | --- | --- | --- |
| 1d-uniform | 4.1, appendix A | – | seconds |
| 1d-dirichlet | 4.3 | 3 | a minute |
| 1d-sweep | 4.3 | 4 | minutes |
| 2d-periodic | 5.1 | 6, 7 | minutes |
| 2d-locally-periodic | 5.2 | 10, 11 | minutes |
| 2d-stochastic | 6.1 | 13, 14 | minutes |
| 2d-locally-stochastic | 6.2 | 15, 16 | minutes |

`--method adam` is the paper's way: Adam with fresh minibatches, and in the last two experiments its
network. `--materials 5` makes the periodic cells of five materials. `--quick` makes everything
small, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import inversion_cases as cases
import inversion_figures as figures
import inversion_mosaic_figures as mosaic_figures
import inversion_mosaics as mosaics
import numpy as np

import pearlite as pl

EXPERIMENTS = cases.EXPERIMENTS | mosaics.EXPERIMENTS
FIGURES = figures.FIGURES | mosaic_figures.FIGURES


@dataclass(frozen=True)
class Outcome:
    """What one data seed gave."""

    seed: int
    errors: dict[str, float]  # of each block, in percent of its norm
    bound: dict[str, float]
    effective: float  # number of independent data
    cpu: float  # seconds of processor time, of all threads
    fit: pl.inversion.Fit


def errors_of(found: pl.inversion.Fit, case: cases.Case) -> dict[str, float]:
    """Return relative errors of the blocks that were not known, in percent.

    Of several parameters with the same law the nearest are taken for the true ones.
    """

    def off(name: str, truth: cases.Parameters) -> float:
        values = truth[name]
        return 100 * float(np.linalg.norm(found.parameters[name] - values) / np.linalg.norm(values))

    free = [name for name in case.truth if name not in found.model.layout.known]
    return {name: min(off(name, truth) for truth in (case.truth, *case.same_law)) for name in free}


def run(case: cases.Case, seed: int, method: str) -> Outcome:
    """Make data and find the parameters again."""
    data = case.measure(seed)
    begun = time.process_time()
    found = pl.inversion.fit(
        case.model(method), data.values, method=method, seed=1000 + seed, effective=data.effective,
        sigma=data.sigma, **case.options,
    )  # fmt: skip
    effective = data.effective or len(data.values)
    cpu = time.process_time() - begun
    return Outcome(seed, errors_of(found, case), found.bound, effective, cpu, found)


def rows(case: cases.Case, method: str, outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """Return a row of the table for each block of parameters."""
    found = []
    for name in outcomes[0].errors:
        errors = [each.errors[name] for each in outcomes]
        bounds = [each.bound[name] for each in outcomes if name in each.bound]
        found.append({
            "case": case.title,
            "method": method,
            "block": name,
            "paper %": case.paper,
            "median %": float(f"{np.median(errors):.3g}"),
            "worst %": float(f"{max(errors):.3g}"),
            "bound %": float(f"{np.median(bounds):.3g}") if bounds else None,
            "N_eff": round(float(np.median([each.effective for each in outcomes]))),
            "cell problems": int(np.median([each.fit.solves for each in outcomes])),
            "seconds": float(f"{np.median([each.fit.seconds for each in outcomes]):.3g}"),
            "of all cores": float(f"{np.median([each.cpu for each in outcomes]):.3g}"),
        })  # fmt: skip
    return found


def markdown(table: Sequence[dict[str, object]]) -> str:
    """Write rows as a table."""
    names = list(table[0])
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for row in table:
        shown = ("–" if value is None else str(value) for value in row.values())
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines)


def main() -> None:
    """Run an experiment, print its table, draw its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiment", required=True, choices=list(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, default=5, help="data seeds")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument(
        "--method", choices=("levenberg-marquardt", "adam"), default="levenberg-marquardt"
    )
    parser.add_argument("--materials", type=int, default=3, help="of 2d-periodic")
    parser.add_argument("--cases", type=int, help="only the first so many rows of the table")
    parser.add_argument("--output", type=Path, default=Path("distributional-inversion"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, object]] = []
    results: list[tuple[cases.Case, list[Outcome]]] = []
    cases_of = EXPERIMENTS[arguments.experiment]
    for case in cases_of(arguments.quick, arguments.materials)[: arguments.cases]:
        outcomes = []
        for seed in range(arguments.seeds):
            outcomes.append(run(case, seed, arguments.method))
            told = ", ".join(f"{k} {v:.3g} %" for k, v in outcomes[-1].errors.items())
            print(
                f"{case.title}, seed {seed}: {told}; {outcomes[-1].fit.seconds:.1f} s", flush=True
            )
        table += rows(case, arguments.method, outcomes)
        results.append((case, outcomes))
    print(markdown(table))
    stem = arguments.output / f"{arguments.experiment}-{arguments.method}"
    with pl.io.replacing(stem.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(table, indent=1), encoding="utf-8")
    for path in figures.draw(arguments.experiment, FIGURES, results, arguments.output):
        print("wrote", path)


if __name__ == "__main__":
    main()
