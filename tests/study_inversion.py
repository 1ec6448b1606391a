"""Studies of distributional inversion: what estimates err by, and how often intervals cover.

    python tests/study_inversion.py coverage --model layers --seeds 100
    python tests/study_inversion.py accuracy --model cells --pixels 64 --seeds 5
    python tests/study_inversion.py specimens --seeds 3
    python tests/study_inversion.py failures

Each line tells of one data seed; tables follow. Data of cells are drawn on twice the pixels of the
model, sharp, with the default estimate of their tensor; the model has the bracketed one. A seed
counts as a wrong minimum if a conductivity is off by more than a tenth and five standard errors.
"""

import argparse
import time

import numpy as np

import pearlite as pl
from pearlite.inversion import DirichletLayers, PeriodicLaguerre, fit, identifiability

A = np.array([1.0, 4.0, 10.0])
SHARES = np.array([0.2, 0.3, 0.5])
LAGS = np.array([0.0, 0.1, 0.05])
ARCHIVE = 1000  # added to seeds of data, which are none of a fit's


def components(tensor):
    """-> (..., 3)"""
    return np.stack([tensor[..., 0, 0], tensor[..., 1, 1], tensor[..., 0, 1]], axis=-1)


def layers(seed, count, total):
    """-> data (count,) of Dirichlet layers, and the truth"""
    truth = {"a": A, "alpha": total * SHARES}
    fractions = np.random.default_rng(ARCHIVE + seed).dirichlet(truth["alpha"], count)
    return 1 / (fractions @ (1 / A)), truth


def cells(seed, count, pixels, truth=None):
    """-> data (count, 3) of periodic cells of `pixels`² pixels, and the truth"""
    truth = truth or {"a": A, "w": LAGS}
    size = len(truth["a"])
    sites = np.random.default_rng(ARCHIVE + seed).random((count, size, 2))
    cell = pl.microstructures.LaguerreCells((pixels, pixels), size)
    labels = cell.labels(sites, -truth["w"])
    return components(pl.homogenize(labels, phases=truth["a"], rtol=1e-5)), truth


def relative(found, truth):
    """-> error of each block over its norm, in percent"""
    return {
        name: 100 * np.linalg.norm(found[name] - value) / np.linalg.norm(value)
        for name, value in truth.items()
    }


def told(values):
    return "  ".join(f"{name} {value:6.2f}" for name, value in values.items())


def judged(found, truth):
    """-> relative errors, whether each free entry is covered, whether the minimum is wrong"""
    covered = []
    for name, value in truth.items():
        low, high = found.intervals[name].T
        free = found.errors[name] > 0
        covered.extend(((low <= value) & (value <= high))[free])
    off = np.abs(found.parameters["a"] - truth["a"])
    wrong = (off > 0.1 * truth["a"]) & (off > 5 * found.errors["a"])
    return relative(found.parameters, truth), np.array(covered), bool(wrong.any())


def run(seeds, make, options):
    """Fit each seed's data; -> list of (errors, covered, wrong, fit)"""
    results = []
    for seed in seeds:
        model, data, truth = make(seed)
        begun = time.process_time()
        found = fit(model, data, seed=seed, **options)
        spent = time.process_time() - begun
        errors, covered, wrong = judged(found, truth)
        layout = found.model.layout
        first = layout.sorted(layout.parameters(found.path.coordinates))
        print(
            f"seed {seed:3}  {told(errors)} %  (distance {told(relative(first, truth))})  "
            f"expected {told(found.relative_errors)}  bound {told(found.bound)}  "
            f"covered {covered.sum()}/{len(covered)}  {found.refinement}  "
            f"solves {found.solves}  cpu {spent:.1f} s{'  WRONG MINIMUM' if wrong else ''}",
            flush=True,
        )
        results.append((errors, covered, wrong, found))
    return results


def table(results):
    """Print medians, worst errors and coverage."""
    names = results[0][0]
    for name in names:
        errors = [each[0][name] for each in results]
        expected = np.median([each[3].relative_errors[name] for each in results])
        bound = [each[3].bound.get(name, np.nan) for each in results]
        print(
            f"{name:6} error: median {np.median(errors):.2f} %, worst {max(errors):.2f} %, "
            f"rms {np.sqrt(np.mean(np.square(errors))):.2f} %; expected {expected:.2f} %, "
            f"bound {np.median(bound):.2f} %"
        )
    wrong = sum(each[2] for each in results)
    inside = [each[1] for each in results if not each[2]]
    share = np.mean(np.concatenate(inside)) if inside else np.nan
    each_entry = np.mean(np.stack(inside), axis=0) if inside else np.nan
    print(f"wrong minima: {wrong} of {len(results)}")
    print(f"90 % intervals cover {100 * share:.1f} % (entries {np.round(100 * each_entry)})")


def make_layers(count, total):
    def make(seed):
        data, truth = layers(seed, count, total)
        return DirichletLayers(3), data, truth

    return make


def make_cells(count, pixels):
    def make(seed):
        data, truth = cells(seed, count, 2 * pixels)
        return PeriodicLaguerre(3, (pixels, pixels)), data, truth

    return make


def coverage(arguments):
    """Of 90 % intervals, with few restarts and samples, to be cheap."""
    if arguments.model == "layers":
        make, options = make_layers(10_000, arguments.total), {"restarts": 5}
    else:
        make = make_cells(arguments.count, arguments.pixels)
        options = {"restarts": 3, "samples": 2048}
    if arguments.distance:
        options["refine"] = None
    table(run(range(arguments.first, arguments.first + arguments.seeds), make, options))


def accuracy(arguments):
    """With the defaults of a fit."""
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if arguments.model == "layers":
        for total in (0.1, 0.3, 1.0, 3.0, 10.0):
            print(f"layers, N = 10000, alpha0 = {total:g}")
            table(run(seeds, make_layers(10_000, total), {}))
    else:
        print(f"cells, N = {arguments.count}, model on {arguments.pixels}² pixels")
        table(run(seeds, make_cells(arguments.count, arguments.pixels), {}))


def specimens(arguments):
    """Errors against the number of independent sites of locally periodic specimens."""
    truth = {"a": A, "w": LAGS}
    model = PeriodicLaguerre(3, (arguments.pixels, arguments.pixels))
    fine = pl.microstructures.LaguerreCells((2 * arguments.pixels,) * 2, 3)
    designs = (  # specimens, sites along each axis, correlation length over the side, modes
        (1, 32, 0.05, 40),
        (4, 16, 0.05, 40),
        (1, 32, 0.01, 160),
        (10, 10, 0.05, 40),
        (40, 5, 0.05, 40),
    )
    for number, sites, length, modes in designs:
        field = pl.microstructures.NeumannField(tau=1 / length, beta=4.0, modes=modes)
        specimen = pl.microstructures.LocallyPeriodic(fine, (100, 100), field)
        # Centres of cells of the 100 × 100, spread over the specimen
        where = (np.arange(sites) * 100 // sites + 50 // sites + 0.5) / 100
        points = np.stack(np.meshgrid(where, where, indexing="ij"), -1).reshape(-1, 2)
        worth = pl.inversion.effective_count(model, truth, specimen, points, specimens=number)
        print(f"{number} specimens of {len(points)} sites, l = {length}: N_eff = {worth:.0f}")

        def make(seed, specimen=specimen, points=points, number=number):
            normals = specimen.draw(number, seed=ARCHIVE + seed)
            labels = fine.labels(specimen.sites(normals, points), -LAGS)
            data = components(pl.homogenize(labels, phases=A, rtol=1e-5)).reshape(-1, 3)
            noise = np.random.default_rng(ARCHIVE + seed).standard_normal(data.shape)
            return model, data + 0.01 * data.std(axis=0) * noise, truth

        scatter = 0.01 * make(0)[1].std(axis=0)
        options = {"sigma": scatter, "effective": max(1.0, worth)}
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        table(run(seeds, make, options))


def failures(arguments):
    """Adam at a fixed width, hardly scattering fractions, five materials."""
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    print("cells by Adam at one width, batches of 100 (the source's way)")
    make = make_cells(1000, 32)
    table(run(seeds, make, {"method": "adam", "restarts": 2, "iterations": 1000}))
    print("cells at one width only, .005, without wider stages")

    def narrow(seed):
        _, data, truth = make(seed)
        return PeriodicLaguerre(3, (32, 32), widths=(0.005,)), data, truth

    results = run(seeds, narrow, {"samples": 2048})
    table(results)
    ends = [each.loss for result in results for each in result[3].restarts]
    print("losses of all starts:", np.round(np.sort(ends), 4))
    print("layers, alpha0 = 30")
    table(run(seeds, make_layers(10_000, 30.0), {}))
    print("layers, five materials, alpha0 = 1 and 10")
    five = np.array([1.0, 2.0, 4.0, 7.0, 12.0])
    for total in (1.0, 10.0):
        alpha = total * np.array([0.15, 0.25, 0.2, 0.3, 0.1])
        expected = identifiability(DirichletLayers(5), {"a": five, "alpha": alpha}, 10_000)
        print(expected.summary())

        def layered(seed, alpha=alpha):
            fractions = np.random.default_rng(ARCHIVE + seed).dirichlet(alpha, 10_000)
            truth = {"a": five, "alpha": alpha}
            return DirichletLayers(5), 1 / (fractions @ (1 / five)), truth

        table(run(seeds, layered, {}))
    print("cells, five materials, N = 2000")
    truth = {"a": five, "w": np.array([0.0, 0.05, -0.05, 0.03, 0.0])}

    def many(seed):
        return PeriodicLaguerre(5, (32, 32)), cells(seed, 2000, 64, truth)[0], truth

    results = run(seeds, many, {"samples": 2048, "restarts": 8})
    table(results)
    for result in results:
        print("losses of all starts:", np.round(sorted(r.loss for r in result[3].restarts), 4))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=["coverage", "accuracy", "specimens", "failures"])
    parser.add_argument("--model", choices=["layers", "cells"], default="layers")
    parser.add_argument("--total", type=float, default=1.0, help="alpha0 of layers")
    parser.add_argument("--count", type=int, default=1000, help="data of cells")
    parser.add_argument("--pixels", type=int, default=32, help="pixels of the model's cells")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--distance", action="store_true", help="without refinement")
    arguments = parser.parse_args()
    studies = {
        "coverage": coverage,
        "accuracy": accuracy,
        "specimens": specimens,
        "failures": failures,
    }
    studies[arguments.study](arguments)


if __name__ == "__main__":
    main()
