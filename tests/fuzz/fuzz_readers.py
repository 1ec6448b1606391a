"""Feed damaged files to the readers, guided by the code they reach.

    python tests/fuzz/fuzz_readers.py [SECONDS]             every reader in turn, SECONDS in all
    python tests/fuzz/fuzz_readers.py --one FORMAT FILE...  these files again, such as a crash

A reader may return an array or raise `FileError` with a message of one line. Anything else is a
finding: another error, a warning, a crash, a minute without an answer. The file that did it is
kept in build/fuzz. Seeds are written by the libraries that pearlite reads with; what a run has
learned stays in build/fuzz as well, and the next one goes on from there.
"""

import bz2
import gzip
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
import zlib
from base64 import b64encode
from pathlib import Path

import numpy as np

HERE = Path("build/fuzz")
FORMATS = ["png", "tif", "npy", "npz", "h5", "zarr", "vti", "mha", "nrrd", "raw", "json", "text"]
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
    elif kind in ("vti", "mha", "nrrd"):
        write_volume_seeds(kind, folder)
    elif kind == "raw":
        (folder / "plain").write_bytes(b"2x6x8:uint8\0" + STACK.tobytes())
        (folder / "wide").write_bytes(b"6,8:>u2:3\0abc" + IMAGE.astype(">u2").tobytes())
    elif kind == "json":
        (folder / "object").write_text('{"0": 1, "255": [[10, 1.5e0], [1.5, 5]]}')
        (folder / "list").write_text("[1, 0, -2e3, null, true]")
    else:
        (folder / "keyed").write_text("0=1, 255=1e1,7=inf")
        (folder / "listed").write_text("1,10.5,-3,nan")


def write_volume_seeds(kind: str, folder: Path) -> None:
    """Write volumes with headers, plain as pearlite does and packed as other programs do."""
    from pearlite import io

    for number, labels in enumerate([STACK, IMAGE, STACK.astype(np.int32)]):
        io.write_image(folder / f"{number}.{kind}", labels, spacing=0.5, unit="um")
    plain = (folder / f"0.{kind}").read_bytes()
    packed = zlib.compress(STACK.T.tobytes())
    head = plain[: -STACK.size]
    if kind == "mha":
        head = head.replace(b"BinaryData =", b"CompressedData = True\nBinaryData =")
        (folder / "packed.mha").write_bytes(head + packed)
    elif kind == "nrrd":
        for name, pack in (("gzip", gzip.compress), ("bzip2", bz2.compress)):
            told = head.replace(b"encoding: raw", f"encoding: {name}".encode())
            (folder / f"{name}.nrrd").write_bytes(told + pack(STACK.T.tobytes()))
    else:
        head = plain[: plain.index(b"  <AppendedData")]
        sizes = np.array([1, STACK.size, 0, len(packed)], np.uint64).tobytes()
        packer = b'header_type="UInt64" compressor="vtkZLibDataCompressor"'
        inline = b64encode(sizes) + b64encode(packed)
        told = head.replace(b'header_type="UInt64"', packer)
        told = told.replace(b'format="appended" offset="0"/>', b'format="binary">%b</DataArray>')
        (folder / "packed.vti").write_bytes(told % inline + b"</VTKFile>")
        numbers = " ".join(map(str, STACK.T.ravel())).encode()
        told = head.replace(b'format="appended" offset="0"/>', b'format="ascii">%b</DataArray>')
        (folder / "text.vti").write_bytes(told % numbers + b"</VTKFile>")


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
        name = str(path)
        if kind == "zarr":
            write_zarr(path, content)
        elif kind == "raw":
            told, _, numbers = content.partition(b"\0")
            path.write_bytes(numbers)
            name += ":" + told.decode("latin-1")
        else:
            path.write_bytes(content)
        if kind == "json":
            io.parse_conductivity(str(path))
            return
        grid = io.read_grid(name)
        images = grid.images
        assert images.ndim >= 2
        assert images.size
        assert images.dtype.isnative
        assert images.dtype.kind in "uif"
        images[(0,) * images.ndim].item()
        if grid.spacing is not None:
            assert len(grid.spacing) in (2, 3)
            assert all(0 < size < float("inf") for size in grid.spacing)
        assert "\n" not in grid.unit
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
