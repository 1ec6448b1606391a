"""Statistics of microstructures: of labels (..., n0, n1) or, with ``dim=3``, (..., n0, n1, n2).

Two-point correlations of all vectors are in `pearlite.correlation.two_point`; what is made of them,
and all the rest, is here.

- `volume_fractions`, `three_point`, `surface_area`, `interface_area`.
- `radial_average`, `directional_profile` of maps of correlations.
- `chord_lengths`, `lineal_path` along lines.
- `components`, `percolates`, `two_point_cluster`.
- `ensemble`, `principal_components` of many images.
- `compare`, `natural_scatter`, `total_variation`, `rms_difference`: how far apart two images are.
- `characterize`: all of it, with a report.
"""

from pearlite.statistics._characterize import Characterization, characterize
from pearlite.statistics._chords import ChordLengths, LinealPath, chord_lengths, lineal_path
from pearlite.statistics._connected import (
    Components,
    Connectivity,
    components,
    percolates,
    two_point_cluster,
)
from pearlite.statistics._distances import (
    Difference,
    compare,
    natural_scatter,
    rms_difference,
    total_variation,
)
from pearlite.statistics._ensemble import (
    Ensemble,
    PrincipalComponents,
    ensemble,
    principal_components,
)
from pearlite.statistics._maps import Profile, RadialAverage, directional_profile, radial_average
from pearlite.statistics._points import three_point, volume_fractions
from pearlite.statistics._surface import interface_area, surface_area

__all__ = [
    "Characterization",
    "ChordLengths",
    "Components",
    "Connectivity",
    "Difference",
    "Ensemble",
    "LinealPath",
    "PrincipalComponents",
    "Profile",
    "RadialAverage",
    "characterize",
    "chord_lengths",
    "compare",
    "components",
    "directional_profile",
    "ensemble",
    "interface_area",
    "lineal_path",
    "natural_scatter",
    "percolates",
    "principal_components",
    "radial_average",
    "rms_difference",
    "surface_area",
    "three_point",
    "total_variation",
    "two_point_cluster",
    "volume_fractions",
]
