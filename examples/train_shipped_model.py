"""How the model that ships with pearlite was trained: discs that do not overlap.

    python examples/train_shipped_model.py model.safetensors

The reference is 16 images of 256² pixels with 200 equal discs each, at a fraction of .38: a
Gaussian field of the same two-point statistics has neither round nor separate particles, which is
what the network adds. It takes 45 minutes of one core; interrupted, it goes on where it was.
"""

import sys
from pathlib import Path

import pearlite as pl
from pearlite.generation import Record, Schedule, train


def reference():
    """Return the images (16, 256, 256) uint8 that the model is trained on."""
    return pl.microstructures.discs(16, (256, 256), number=200, fraction=0.38, seed=1)


# What `Schedule.quick` gives but for the steps: there is more than one image to learn from.
SCHEDULE = Schedule(
    iterations=13_000,
    batch=12,
    patch=48,
    patches=8_000,
    channels=32,
    levels=2,
    sigma_max=20.0,
    focus=0.5,
    learning_rates=(1e-3, 5e-3, 1e-5),
    ema=0.998,
)


def show(record: Record) -> None:
    """Keep one line of progress."""
    print(
        f"\r{record.iteration}/{record.iterations} loss {record.loss:.4f} "
        f"validation {record.validation_loss:.4f} {record.seconds:.0f} s",
        end="",
        flush=True,
    )


def main() -> None:
    """Train, or go on from the checkpoint beside the output."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "discs.safetensors")
    checkpoint = output.with_suffix(".checkpoint")
    result = train(
        reference(),
        schedule=SCHEDULE,
        name="discs of 12.6 pixels that do not overlap, fraction .38",
        seed=1,
        threads=1,
        progress=show,
        checkpoint=checkpoint,
        resume=checkpoint if checkpoint.exists() else None,
    )
    result.model.save(output)
    print(f"\nwrote {output}: {result.model.parameters} parameters")


if __name__ == "__main__":
    main()
