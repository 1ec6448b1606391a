"""The options of `pearlite reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Quiet, Threshold, app


@app.command()
def reconstruct(
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="REFERENCES",
            help="Segmented images: PNG, TIFF (a stack is several references), .npy, "
            "file.npz:name, file.h5:/dataset, store.zarr:/array; volumes also .vti, .mha, .mhd, "
            ".nrrd, file.raw:64x64x64:uint8.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the structure: .png, .tif, .npy, .h5, .vti, .mha, .mhd or .nrrd.",
            show_default=False,
        ),
    ],
    match: Annotated[
        bool,
        typer.Option(
            "--match",
            help="Reach the statistics of the references themselves. Of a single image that is to "
            "find it again; the default is a new structure, a copy of none.",
        ),
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            help="With --match: identity, descriptor, logistic, bispectrum, phases or annealing."
        ),
    ] = "auto",
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="N or N0,N1[,N2]",
            help="Pixels along the axes; the references' by default.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random start.")] = 0,
    threshold: Threshold = None,
    volume: Annotated[
        bool | None,
        typer.Option(
            "--volume/--stack",
            help="A stack is one volume, or several references; what the file says by default.",
            show_default=False,
        ),
    ] = None,
    normal: Annotated[
        str | None,
        typer.Option(
            metavar="AXES",
            help="For a volume from sections: the axis that each file's plane is normal to, such "
            "as 0,1,2 for three files. Without it sections serve all three axes.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="HTML",
            help="Write a page: original and result, both correlation maps and their difference.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Save the state every ten seconds.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Go on from a checkpoint.", show_default=False),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Make a new microstructure with the statistics of images, or with --match these again."""
    from pearlite.cli import reconstruct as command

    order = command.parse_order(
        match, method, shape, seed, threshold, volume, normal, checkpoint, resume, threads
    )
    return command.run(references, order, output, report, as_json, quiet)
