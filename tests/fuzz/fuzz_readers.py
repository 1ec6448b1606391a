"""Feed damaged files to the readers, guided by the code they reach.

    python tests/fuzz/fuzz_readers.py [SECONDS]             every reader in turn, SECONDS in all
    python tests/fuzz/fuzz_readers.py --one FORMAT FILE...  these files again, such as a crash

A reader may return an array or raise `FileError` with a message of one line. Anything else is a
finding: another error, a warning, a crash, a minute without an answer. The file that did it is
kept in build/fuzz. Seeds are written by the libraries that pearlite reads with; what a run has
learned stays in build/fuzz as well, and the next one goes on from there.
"""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

HERE = Path("build/fuzz")
FORMATS = ["png", "tif", "npy", "npz", "h5", "zarr", "json", "text"]
IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)
STACK = np.stack([IMAGE, IMAGE[::-1]])
IMPORTED = [
    "pearlite.io",
    "PIL.PngImagePlugin",
    "PIL.TiffImagePlugin",
    "tifffile",
    "h5py",
    "zarr",
]
INSTRUMENTED = ["pearlite.io", "numpy.lib", "PIL", "tifffile", "json"]


def write_seeds(kind: str, folder: Path) -> None:
    """Write small sound files of one format."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "png":
        from PIL import Image

        for number, mode in enumerate(["1", "L", "P", "RGB", "RGBA", "I;16"]):
            grey = Image.fromarray(IMAGE.astype(np.uint16) if mode == "I;16" else IMAGE)
            (grey if mode == "I;16" else grey.convert(mode)).save(folder / f"{number}.png")
    elif kind == "tif":
        import tifffile

        for number, dtype in enumerate(["u1", ">u2", "f4", "f8"]):
            for packed in (None, "zlib"):
                path = folder / f"{number}{packed}.tif"
                tifffile.imwrite(path, STACK.astype(dtype), compression=packed)
    elif kind == "npy":
        for number, dtype in enumerate(["u1", ">u2", "i8", "?", "f2", ">f8", "c8"]):
            np.save(folder / f"{number}.npy", STACK.astype(dtype))
        np.save(folder / "columns.npy", np.asfortranarray(STACK))
    elif kind == "npz":
        np.savez(folder / "plain.npz", a=STACK)
        np.savez_compressed(folder / "packed.npz", a=STACK, b=IMAGE)
    elif kind == "h5":
        import h5py

        for number, options in enumerate([{}, {"compression": "gzip", "chunks": True}]):
            with h5py.File(folder / f"{number}.h5", "w", libver="latest") as file:
                file.create_dataset("run/cells", data=STACK, **options)
    elif kind == "zarr":
        write_zarr_seeds(folder)
    elif kind == "json":
        (folder / "object").write_text('{"0": 1, "255": [[10, 1.5e0], [1.5, 5]]}')
        (folder / "list").write_text("[1, 0, -2e3, null, true]")
    else:
        (folder / "keyed").write_text("0=1, 255=1e1,7=inf")
        (folder / "listed").write_text("1,10.5,-3,nan")


def write_zarr_seeds(folder: Path) -> None:
    """Write zarr arrays as one file each: the metadata, a zero byte, the only chunk."""
    import zarr

    with tempfile.TemporaryDirectory() as place:
        for number, version in enumerate([2, 3]):
            store = Path(place, f"{number}.zarr")
            zarr.create_array(str(store), data=IMAGE, chunks=IMAGE.shape, zarr_format=version)
            metadata = store / ("zarr.json" if version == 3 else ".zarray")
            (chunk,) = (
                (p for p in store.rglob("*") if p.is_file() and p.parent.name in ("0", "c"))
                if version == 3
                else [store / "0.0"]
            )
            content = metadata.read_bytes() + b"\0" + chunk.read_bytes()
            (folder / f"{version}").write_bytes(bytes([version]) + content)


def write_zarr(path: Path, content: bytes) -> None:
    """Write the folder that one seed stands for."""
    shutil.rmtree(path, ignore_errors=True)
    metadata, _, chunk = content[1:].partition(b"\0")
    version = 2 if content[:1] == b"\x02" else 3
    names = {2: (".zarray", "0.0"), 3: ("zarr.json", "c/0/0")}[version]
    for name, part in zip(names, (metadata, chunk), strict=True):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(part)


def read(kind: str, path: Path, content: bytes) -> None:
    """Read `content` as a file of this format, and let pass what the documentation promises."""
    from pearlite import io

    try:
        if kind == "text":
            io.parse_conductivity(content.decode("utf-8", "replace").replace(".json", ""))
            return
        if kind == "zarr":
            write_zarr(path, content)
        else:
            path.write_bytes(content)
        if kind == "json":
            io.parse_conductivity(str(path))
            return
        images = io.read_images(path)
        assert images.ndim >= 2
        assert images.size
        assert images.dtype.isnative
        assert images.dtype.kind in "uif"
        images[(0,) * images.ndim].item()
    except (io.FileError, io.PhaseError) as error:
        if "\n" in str(error):
            raise AssertionError("a message of several lines") from error


def fuzz(kind: str, arguments: list[str]) -> None:
    """Run one reader under libFuzzer, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        for module in IMPORTED:
            importlib.import_module(module)
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{kind}")
        atheris.Setup([sys.argv[0], *arguments], lambda content: read(kind, path, content))
        atheris.Fuzz()


def run_one(kind: str, seconds: int) -> bool:
    """Fuzz one reader in a process of its own; return whether it held."""
    seeds, learned = HERE / "seeds" / kind, HERE / "learned" / kind
    write_seeds(kind, seeds)
    learned.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        "-timeout=60",  # instrumented code on a loaded machine is slow, and none should hang
        "-rss_limit_mb=4096",
        "-max_len=8192",
        "-print_final_stats=1",
        f"-artifact_prefix={HERE / kind}-",
    ]
    if os.environ.get("CI"):  # the same files each time: no change is blamed for an old fault
        options += ["-seed=1", "-runs=3000"]
    command = [sys.executable, __file__, "--one", kind, *options, str(learned), str(seeds)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=10 * seconds + 120)
    report = (result.stdout + result.stderr).splitlines()
    runs = next((line.split()[-1] for line in report if "number_of_executed" in line), "?")
    print(f"{kind:5} {runs:>8} files", "held" if result.returncode == 0 else "FAILED", flush=True)
    if result.returncode:
        print("\n".join(report[-60:]))
    return result.returncode == 0


def main() -> int:
    """Fuzz every reader, or one as libFuzzer asks for."""
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2], sys.argv[3:])
        return 0
    try:
        import atheris  # noqa: F401
    except ImportError:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"SKIPPED: atheris is not installed, there is none for Python {version}")
        return 0
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    os.environ.setdefault("PYTHONWARNINGS", "default")
    held = [run_one(kind, max(1, seconds // len(FORMATS))) for kind in FORMATS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
