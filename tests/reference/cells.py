"""Measures of the cells of one labelled image, pixel by pixel."""

import numpy as np


def volumes(labels, count):
    """-> (count,), in pixels."""
    return np.array([(labels == k).sum() for k in range(count)])


def circle_mean(positions, n):
    """Centre, in pixels, of positions (M,) on a circle of n: of all cuts that of least variance."""
    best = None
    for cut in range(n):
        unrolled = positions + n * (positions < cut)
        variance = unrolled.var()
        if best is None or variance < best[0] - 1e-9:
            best = variance, unrolled.mean()
    return best[1] % n, best[0]


def centroids(labels, count):
    """-> (count, d), in pixels, the centre of pixel i at i."""
    result = np.full((count, labels.ndim), np.nan)
    for k in range(count):
        for axis, positions in enumerate(np.nonzero(labels == k)):
            if len(positions):
                result[k, axis] = circle_mean(positions, labels.shape[axis])[0]
    return result


def faces(labels, count, periodic=True):
    """-> (count, count, d), the pixel faces between cells normal to each axis."""
    result = np.zeros((count, count, labels.ndim), int)
    for pixel in np.ndindex(labels.shape):
        for axis, n in enumerate(labels.shape):
            if pixel[axis] + 1 == n and not periodic:
                continue
            beyond = list(pixel)
            beyond[axis] = (pixel[axis] + 1) % n
            i, j = labels[pixel], labels[tuple(beyond)]
            if i != j:
                result[i, j, axis] += 1
                result[j, i, axis] += 1
    return result


def voronoi_areas(sites):
    """Areas {(i, j): area} of the faces of periodic Voronoi cells, of sites (K, d) in [0, 1)."""
    from scipy.spatial import ConvexHull, Voronoi

    count, d = sites.shape
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * d, indexing="ij"), -1).reshape(-1, d)
    diagram = Voronoi((sites + shifts[:, None]).reshape(-1, d))
    middle = len(shifts) // 2
    areas = {}
    for points, ridge in zip(diagram.ridge_points, diagram.ridge_vertices, strict=True):
        for p, q in (points, points[::-1]):
            i, j = p % count, q % count
            if p // count != middle or i >= j or -1 in ridge:
                continue
            corners = diagram.vertices[ridge]
            if d == 2:
                area = np.linalg.norm(corners[1] - corners[0])
            else:
                normal = diagram.points[q] - diagram.points[p]
                basis = np.linalg.svd(normal[None])[2][1:]
                area = ConvexHull(corners @ basis.T).volume
            areas[i, j] = areas.get((i, j), 0) + area
    return areas
