"""Tables of ratios and times from results.csv, in Markdown: python benchmarks/report.py [RUN ...].

A run is one session of benchmarks, named by its start; the latest one unless others are given.
"""

import csv
import sys

from recorder import FILE

POWERS = {"67x67": "64x64", "127x127": "128x128", "251x251": "256x256", "509x509": "512x512"}


def read(runs):
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    runs = runs or [rows[-1]["run"]]
    return [row for row in rows if row["run"] in runs]


def table(rows, group, across):
    """-> {(shape, contrast, phases): {value of the column `across`: row}}, in order of size."""
    found = {}
    for row in rows:
        if row["group"] == group:
            key = row["shape"], row["contrast"], row["phases"]
            found.setdefault(key, {})[across(row)] = row
    return dict(sorted(found.items(), key=lambda item: [pixels(item[0][0]), int(item[0][1])]))


def pixels(shape):
    n0, n1 = map(int, shape.split("x"))
    return n0 * n1


def milliseconds(row):
    return float(row["ms_per_cell"])


def digits(value):
    """Write three of them, with the zeros at the end: 0.160, 3.40, 322."""
    return f"{value:#.3g}".removesuffix(".")


def show(title, header, lines):
    if lines:
        print(f"\n### {title}\n")
        for line in (header, ["---"] * len(header), *lines):
            print("| " + " | ".join(map(str, line)) + " |")


def size(shape):
    n0, n1 = shape.split("x")
    return f"{n0}²" if n0 == n1 else shape


def against(rows):
    """Times of every solver, and how many times pearlite's (float32 field) that is."""
    found = table(rows, "against", lambda r: (r["solver"], r["input"]))
    ours = [("pearlite", "labels"), ("pearlite", "float32")]
    others = sorted({key for cells in found.values() for key in cells} - set(ours))
    lines = []
    for (shape, contrast, phases), cells in found.items():
        base = cells.get(ours[1])
        entries = [digits(milliseconds(cells[key])) if key in cells else "" for key in ours]
        for key in others:
            if key not in cells:
                entries.append("")
                continue
            value = milliseconds(cells[key])
            ratio = f" ({value / milliseconds(base):.0f}×)" if base else ""
            entries.append(f"{digits(value)}{ratio}")
        lines.append([size(shape), contrast, phases, *entries])
    header = ["cell", "contrast", "phases", "pearlite, labels", "pearlite, float32"]
    title = "Milliseconds a cell at an error of 1e-6 (times pearlite, float32)"
    show(title, header + [name for name, _ in others], lines)


def ratios(rows, group, across, columns, title, last, ratio):
    """One line a case: the time in each column, then ratio(times)."""
    found, lines = table(rows, group, lambda row: row[across]), []
    for (shape, contrast, _), cells in found.items():
        if all(column in cells for column in columns):
            times = [milliseconds(cells[column]) for column in columns]
            lines.append([size(shape), contrast, *map(digits, times), f"{ratio(times):.2f}"])
    show(title, ["cell", "contrast", *columns, last], lines)


def any_size(rows):
    """Time per pixel over that of the nearest power of two."""
    found, lines = table(rows, "any size", lambda r: "time"), []
    for (shape, contrast, phases), cells in found.items():
        power = found.get((POWERS.get(shape), contrast, phases))
        if power:
            ours, theirs = milliseconds(cells["time"]), milliseconds(power["time"])
            ratio = ours / theirs * pixels(POWERS[shape]) / pixels(shape)
            lines.append([size(shape), contrast, digits(ours), f"{ratio:.2f}"])
    header = ["cell", "contrast", "ms a cell", "times that of the nearest power of two, per pixel"]
    show("Sides that are primes", header, lines)


def memory(rows):
    lines = [
        [size(row["shape"]), row["cells"], digits(milliseconds(row)), row["memory_mb"]]
        for row in rows
        if row["group"] == "memory"
    ]
    show("Memory of one call", ["cell", "cells", "ms a cell", "rise of its peak, MB"], lines)


def main(runs):
    rows = read(runs)
    first = rows[0]
    print(
        f"{first['machine']}, {first['cores']} cores, {first['instruction_set']}; "
        f"Python {first['python']}, numpy {first['numpy']}, scipy {first['scipy']}; "
        f"commit {first['commit']}, {first['run']}."
    )
    versions = {(row["solver"], row["version"]) for row in rows}
    print("Versions: " + ", ".join(f"{name} {number}" for name, number in sorted(versions)) + ".")
    against(rows)
    title = "Precision of the input, ms a cell"
    columns = ["labels", "float32", "float64"]
    ratios(rows, "precision", "input", columns, title, "float64/float32", lambda t: t[2] / t[1])
    title = "Threads, ms a cell"
    ratios(rows, "threads", "threads", ["1", "2"], title, "speed-up", lambda t: t[0] / t[1])
    title = "Tensor pixels, ms a cell"
    columns = ["float32", "float64"]
    ratios(rows, "tensors", "input", columns, title, "float64/float32", lambda t: t[1] / t[0])
    any_size(rows)
    memory(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
