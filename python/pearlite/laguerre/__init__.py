"""Laguerre and Voronoi tessellations on pixels: labels, relaxed fields, measures of cells.

A cell of the tessellation is where its seed has the smallest score,

- ``metric="power"``: |x − c_k|² − w_k (Laguerre; Voronoi without weights), or
- ``metric="additive"``: |x − c_k| − w_k (Johnson–Mehl; a delay t of a seed's growth is w = −t),

on the unit torus with the distance to the nearest image, or with ``periodic=False`` in the unit
cube. In both a larger weight is a larger cell. Pixel i along an axis of n has its centre at
(i + ½)/n.
"""

from typing import TYPE_CHECKING

from pearlite._first_use import attributes

if TYPE_CHECKING:
    from pearlite.laguerre._assign import assign
    from pearlite.laguerre._cells import centroids, volumes
    from pearlite.laguerre._faces import Faces, face_areas, neighbours
    from pearlite.laguerre._fit import fit_volumes
    from pearlite.laguerre._lloyd import Relaxation, lloyd
    from pearlite.laguerre._relax import RelaxGradient, relax, relax_with_gradient

__all__ = [
    "Faces",
    "RelaxGradient",
    "Relaxation",
    "assign",
    "centroids",
    "face_areas",
    "fit_volumes",
    "lloyd",
    "neighbours",
    "relax",
    "relax_with_gradient",
    "volumes",
]

# Imported when first used: each name's own module.
_HOME = {
    "Faces": "_faces",
    "RelaxGradient": "_relax",
    "Relaxation": "_lloyd",
    "assign": "_assign",
    "centroids": "_cells",
    "face_areas": "_faces",
    "fit_volumes": "_fit",
    "lloyd": "_lloyd",
    "neighbours": "_faces",
    "relax": "_relax",
    "relax_with_gradient": "_relax",
    "volumes": "_cells",
}

__getattr__, __dir__ = attributes(__name__, _HOME)
