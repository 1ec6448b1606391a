"""The options of `pearlite train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Quiet, Threshold, app


@app.command()
def train(
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="REFERENCES",
            help="Segmented images of one size: PNG, TIFF (a stack is several), .npy, "
            "file.npz:name, file.h5:/dataset, store.zarr:/array.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the model: .safetensors.",
            show_default=False,
        ),
    ],
    schedule: Annotated[
        str,
        typer.Option(
            help="quick: half an hour of one core. paper: the numbers of the paper, a week and "
            "more of two."
        ),
    ] = "quick",
    minutes: Annotated[
        float | None,
        typer.Option(help="Take as many steps as fit into this time.", show_default=False),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Steps.", show_default=False)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Patches in a step.", show_default=False)
    ] = None,
    patch: Annotated[
        int | None, typer.Option(min=2, help="Side of a patch in pixels.", show_default=False)
    ] = None,
    channels: Annotated[
        int | None, typer.Option(min=2, help="Width of the network.", show_default=False)
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(
            min=1, help="How often the network halves the resolution.", show_default=False
        ),
    ] = None,
    symmetry: Annotated[
        str | None,
        typer.Option(
            help="What may be done to patches, for materials that look the same then: none, "
            "half-turn, mirrors (and half-turn), square (and quarter turns).",
            show_default="none",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What the model is of.", show_default=False)] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, patches and noise.")] = 0,
    threshold: Threshold = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the checkpoint beside OUT."),
    ] = False,
    samples: Annotated[
        int,
        typer.Option(
            help="Patches of samples that are compared with the reference at the end; 0: none."
        ),
    ] = 64,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Train a score network on an image, for `pearlite generate`. Ctrl-C keeps a checkpoint."""
    from pearlite.cli import train as command

    changes = {
        "iterations": iterations,
        "batch": batch,
        "patch": patch,
        "channels": channels,
        "levels": levels,
        "symmetry": symmetry,
    }
    order = command.parse_order(
        schedule, changes, minutes, name, seed, threshold, resume, samples, threads
    )
    return command.run(references, order, output, as_json, quiet)
