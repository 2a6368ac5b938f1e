"""The stages in NumPy, written from the papers and not from the graphs."""

from __future__ import annotations

import numpy as np
from PIL import Image

TEMPLATE = np.array(
    [
        *([38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366]),
        *([41.5493, 92.3655], [70.7299, 92.2041]),
    ]
)


def cells_of(picture: np.ndarray, weights: dict) -> dict[int, np.ndarray]:
    """Return (rows, columns, 16) raw outputs of a toy detector by stride, of (H, W, 3)."""
    raw = {}
    for stride, (kernel, bias) in weights.items():
        rows, columns = picture.shape[0] // stride, picture.shape[1] // stride
        blocks = picture.reshape(rows, stride, columns, stride, 3)
        raw[stride] = np.einsum("rycxp,opyx->rco", blocks.astype(np.float64), kernel) + bias
    return raw


def decode(raw: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes (N, 4), points (N, 5, 2) and scores (N,) of the raw outputs, cell by cell."""
    boxes, points, scores = [], [], []
    for stride, cells in raw.items():
        for row in range(cells.shape[0]):
            for column in range(cells.shape[1]):
                values = cells[row, column]
                cls, obj = 1 / (1 + np.exp(-values[:2]))
                x, y = (column + values[2]) * stride, (row + values[3]) * stride
                w, h = np.exp(values[4:6]) * stride
                boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
                points.append((values[6:].reshape(5, 2) + np.array([column, row])) * stride)
                scores.append(np.sqrt(cls * obj))
    return np.array(boxes), np.array(points), np.array(scores)


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float, least: float) -> list[int]:
    """Return the indices that greedy non-maximum suppression keeps, best first."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] <= least:
            break
        if all(_iou(boxes[index], boxes[other]) <= overlap for other in kept):
            kept.append(int(index))
    return kept


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def umeyama(points: np.ndarray, template: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return scale, rotation (2, 2) and translation (2,) that map points to the template.

    Umeyama 1991, equations 34 to 43, by singular value decomposition.
    """
    mean_from, mean_to = points.mean(0), template.mean(0)
    spread = ((points - mean_from) ** 2).sum() / len(points)
    covariance = (template - mean_to).T @ (points - mean_from) / len(points)
    u, singular, v = np.linalg.svd(covariance)
    sign = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    rotation = u @ sign @ v
    scale = np.trace(np.diag(singular) @ sign) / spread
    return scale, rotation, mean_to - scale * rotation @ mean_from


def crop(image: np.ndarray, points: np.ndarray, side: int = 112, samples: int = 2) -> np.ndarray:
    """Return the (side, side, 3) float64 crop of a face: each pixel is a mean of samples²
    samples."""
    grown = (TEMPLATE + 0.5) * side / 112 - 0.5
    scale, rotation, shift = umeyama(points.astype(np.float64), grown)
    along = (np.arange(side * samples) + 0.5) / samples - 0.5
    places = np.stack(np.meshgrid(along, along), -1)
    in_photo = (places - shift) @ rotation / scale  # rotation's inverse is its transpose
    picture, origin, ratio = _region(image, in_photo, scale * samples)
    values = _bilinear(picture, (in_photo - origin + 0.5) * ratio - 0.5)
    return values.reshape(side, samples, side, samples, 3).mean((1, 3))


def _region(image: np.ndarray, places: np.ndarray, shrink: float):
    """Return the region of the photo around the samples, reduced where it is finer."""
    size = np.array(image.shape[1::-1])
    start = np.clip(np.floor(places.min((0, 1))) - 1, 0, size - 1).astype(int)
    end = np.maximum(np.minimum(np.ceil(places.max((0, 1))) + 2, size), start + 1).astype(int)
    part = image[start[1] : end[1], start[0] : end[0]]
    if shrink >= 1:
        return part.astype(np.float64), start, np.ones(2)
    target = np.maximum(np.round((end - start) * shrink), 1).astype(int)
    small = Image.fromarray(part).resize(tuple(target), Image.Resampling.BILINEAR)
    return np.asarray(small).astype(np.float64), start, target / (end - start)


def _bilinear(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the values at positions (..., 2) x, y; black outside."""
    height, width = picture.shape[:2]
    floor = np.floor(places).astype(int)
    total = np.zeros((*places.shape[:-1], 3))
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = floor[..., 0] + dx, floor[..., 1] + dy
            weight = np.abs(1 - dx - (places[..., 0] - floor[..., 0])) * np.abs(
                1 - dy - (places[..., 1] - floor[..., 1])
            )
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            values = picture[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
            total += (weight * inside)[..., None] * values
    return total


def decide(nearest: np.ndarray, similarity: np.ndarray, threshold: float) -> list[int]:
    """Return the person of each face, or -1, by going through the faces in order of similarity."""
    person = [-1] * len(nearest)
    taken: set[int] = set()
    for face in sorted(range(len(nearest)), key=lambda face: (-similarity[face], face)):
        if nearest[face] not in taken:
            taken.add(int(nearest[face]))
            if similarity[face] >= threshold:
                person[face] = int(nearest[face])
    return person
