"""Draws results.csv and scaling.csv: python benchmarks/plots.py FOLDER."""

import csv
import sys
from pathlib import Path

import report
import scaling
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = {"10": "#0072B2", "100": "#D55E00"}
INK = "#333333"
DPI = 110


def sweep(name):
    """-> rows of one sweep of scaling.csv."""
    with scaling.FILE.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["sweep"] == name]


def ticks(axes, sides):
    axes.set_xticks(sides, [f"{n:g}" for n in sides], minor=False)
    axes.set_xticks([], minor=True)


def plain_times(axes):
    """Write times that span less than a decade as numbers, not as powers of ten."""
    for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        which("{x:g}")


def numbers(rows, column):
    return [float(row[column]) for row in rows]


def curve(axes, name, column, label):
    """Draw microseconds a cell against one column."""
    rows = sweep(name)
    x = numbers(rows, column)
    axes.loglog(x, [1e3 * t for t in numbers(rows, "cpu_ms_per_cell")], "o-", color=COLOURS["10"])
    axes.set(xlabel=label, ylabel="processor time of a cell (µs)")
    axes.grid(visible=True, which="major", color="#dddddd", lw=0.6)


def cost(path):
    """Size, contrast and batch: one thread."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    size, contrast, batch = figure.subplots(1, 3)
    curve(size, "size", "shape", "pixels along a side")
    rows = sweep("size")
    sides, times = numbers(rows, "shape"), numbers(rows, "cpu_ms_per_cell")
    middle = len(sides) // 2
    line = [1e3 * times[middle] * (n / sides[middle]) ** 2 for n in sides]
    size.loglog(sides, line, "--", color=INK, lw=0.8, label="as the number of pixels")
    size.legend(frameon=False)
    ticks(size, sides)
    curve(contrast, "contrast", "contrast", "contrast of the phases")
    curve(batch, "batch", "batch", "cells of a call")
    for axes in (contrast, batch):
        plain_times(axes)
    ticks(batch, numbers(sweep("batch"), "batch"))
    size.set_title("contrast 10", loc="left")
    contrast.set_title("64² pixels", loc="left")
    batch.set_title("64² pixels, contrast 10", loc="left")
    save(figure, path)


def threads(path):
    """One and two threads, and other solvers, of the latest run of results.csv."""
    rows = report.read([])
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    found = report.table(rows, "threads", lambda row: row["threads"])
    for contrast, colour in COLOURS.items():
        cells = {key[0]: times for key, times in found.items() if key[1] == contrast}
        sides = [int(shape.split("x")[0]) for shape in cells]
        for count, style in (("1", "o-"), ("2", "s--")):
            times = [report.milliseconds(times[count]) for times in cells.values()]
            name = f"contrast {contrast}, {count} thread{'s' * (count != '1')}"
            left.loglog(sides, times, style, color=colour, label=name)
    left.set(xlabel="pixels along a side", ylabel="time of a cell (ms)")
    ticks(left, sides)
    left.legend(frameon=False)
    bars(right, rows)
    save(figure, path)


def bars(axes, rows):
    """Draw every solver's time for one case."""
    wanted = {"group": "against", "shape": "64x64", "phases": "2", "contrast": "10"}
    times = {}
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()) and row["input"] != "labels":
            times[row["solver"]] = report.milliseconds(row)
    names = sorted(times, key=times.get, reverse=True)
    colours = [COLOURS["100" if name == "pearlite" else "10"] for name in names]
    axes.barh(names, [times[name] for name in names], color=colours, log=True)
    axes.set(xlabel="time of a cell of 64², contrast 10, error 10⁻⁶ (ms)")
    for name in names:
        axes.text(times[name], name, f" {times[name]:.2g}", va="center")
    axes.margins(x=0.15)


def save(figure, path):
    FigureCanvasAgg(figure).print_figure(path, dpi=DPI)


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cost(folder / "cost.png")
    threads(folder / "threads.png")


if __name__ == "__main__":
    main(sys.argv[1])
