"""
From measured conductivities to the material
============================================

Thousands of specimens were measured, none was photographed. How well each material conducts, and
how its share scatters from specimen to specimen, is in the scatter of the numbers.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import pearlite as pl

# %%
# The table
# ---------
# Laminated specimens of three materials, measured across the layers. The shares of the materials
# are Dirichlet-distributed. The numbers are made here, of a law that is then to be found again;
# yours are in a CSV file like this.

truth = {
    "a": np.array([1.0, 4.0, 10.0]),  # W/(m K)
    "alpha": np.array([0.2, 0.3, 0.5]),
}
model = pl.inversion.DirichletLayers(materials=3)
measured = pl.inversion.sample(model, truth, 4000, seed=3)

with TemporaryDirectory() as folder:
    path = Path(folder) / "measurements.csv"
    rows = "\n".join(f"{value:.8g}" for value in measured.ravel())
    path.write_text(f"A [W/(m K)]\n{rows}\n")
    table = pl.inversion.read_measurements(path)
print(len(table), "measurements in", table.unit)

# %%
# What could they tell?
# ---------------------
# Before any fit, and best before any measurement: which errors such data allow, for parameters like
# these, and how many specimens one needs for 5 %.

print(pl.inversion.identifiability(model, truth, len(table)).summary())

# %%
# The fit
# -------
# Several starts of least squares between sorted data and sorted samples of the model, then maximum
# likelihood. Intervals cover the truth in nine of ten cases.

fit = pl.inversion.fit(model, table.data, restarts=3, seed=0)
print(fit.summary())
for name, found in fit.parameters.items():
    print(f"{name}: found {found.round(3)}, true {truth[name]}")

# %%
# Could the fitted law have given these data? A small probability would say no.

print("goodness:", pl.inversion.goodness(fit, 19).probability)

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
edges = np.linspace(0.9, 10.1, 60)
axes.hist(
    fit.data[:, 0], edges, color="#0072B2", alpha=0.5, density=True, label="measured"
)
axes.hist(
    fit.samples[:, 0],
    edges,
    color="#D55E00",
    histtype="step",
    lw=1.5,
    density=True,
    label="the fitted law",
)
axes.set(xlabel="conductivity across the layers (W m⁻¹ K⁻¹)", ylabel="density (m K W⁻¹)")
axes.set_yscale("log")
axes.legend(frameon=False)

# %%
# On the command line::
#
#     pearlite invert measurements.csv --model dirichlet --materials 3 --report inversion.html
#
# :doc:`/inversion` has the models in two dimensions and laws of your own, :doc:`/measurements` what
# a table may hold: missing values, errors, specimens, places.
