"""The long runs of the package, small: each writes one array of its source, or of numbers."""

import numpy as np

import pearlite as pl
from pearlite.batch import _cluster, _homogenize, _statistics  # noqa: F401 (before a fork)
from pearlite.generation import Model, _generate  # noqa: F401

PHASES = [1.0, 10.0]
COUNT = 60  # of what has no source
MODEL = Model.random(phases=2, channels=2, levels=1)
IMAGE = pl.microstructures.thresholded_noise(1, (16, 16), length=2, seed=1)[0]
LAW = pl.inversion.PeriodicLaguerre(2, (8, 8))
TABLE = {"a": np.array([[1.0, 5.0], [2.0, 3.0]]), "w": [0.0, 0.1]}


def homogenize(source, target, **options):
    return pl.batch.homogenize(source, target, phases=PHASES, **options)


def two_point(source, target, **options):
    return pl.batch.two_point(source, target, phases=[0, 1], **options)


def characterize(source, target, **options):
    return pl.batch.characterize(source, target, phases=[0, 1], **options)


def generate(source, target, **options):
    asked = {"model": MODEL, "statistics": IMAGE, "evaluations": 3, "seed": 4}
    return pl.batch.generate(target, COUNT, **asked, **options)


def simulate(source, target, **options):
    options.pop("threads", None)  # the model has them
    return pl.batch.simulate(LAW, TABLE, COUNT // 2, target, seed=4, **options)


JOBS = [homogenize, two_point, characterize, generate, simulate]
FROM_FILES = JOBS[:3]


def go_on(job, source, target, begun):
    """Run in a process that is going to be killed."""
    begun.set()
    job(source, target, chunk=5, resume=True, threads=1)
