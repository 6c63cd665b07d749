"""The local background: overlapping Gaussian bumps on a grid, each a product of one curve per axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 0.6
"""Standard deviation of a bump, in grid spacings."""
NEGLIGIBLE = 1e-9
"""Tails below this are cut: numbers too small for single precision make products many times slower."""
MOST_BUMPS = 2000
"""The grid is made coarser on fields that would need more bumps."""


@dataclass(frozen=True)
class BackgroundGrid:
    """Bumps that add up to 1 at every pixel.

    Bump ``a * n_second + b`` has the weight ``along_first[a, i] * along_second[b, j]`` at pixel (i, j).

    Attributes
    ----------
    along_first : ndarray of float64, shape (n_first, first)
        Curves along the first axis.
    along_second : ndarray of float64, shape (n_second, second)
        Curves along the second axis.
    """

    along_first: NDArray[np.float64]
    along_second: NDArray[np.float64]

    @classmethod
    def covering(cls, shape: tuple[int, int], spacing: float) -> BackgroundGrid:
        """Cover a field with bumps about `spacing` pixels apart."""
        spacing = max(spacing, float(np.sqrt(shape[0] * shape[1] / MOST_BUMPS)))
        return cls(*(_curves(length, spacing) for length in shape))

    def __len__(self) -> int:
        return len(self.along_first) * len(self.along_second)

    def project(self, deviations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum frames of shape (n, n_pixels) under each bump: shape (n_bumps, n)."""
        n, first = len(deviations), self.along_first.shape[1]
        rows = deviations.reshape(n * first, -1) @ self.along_second.T.astype(np.float32)
        # One product for all frames: a small one per frame would spend its time on handing out threads.
        rows = rows.reshape(n, first, -1).transpose(1, 0, 2).reshape(first, -1)
        sums = self.along_first.astype(np.float32) @ rows
        return np.asarray(sums.reshape(len(self.along_first), n, -1).transpose(0, 2, 1).reshape(len(self), n))

    def basis_sums(self, basis: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum images of shape (n_pixels, n_terms) under each bump: shape (n_bumps, n_terms)."""
        images = basis.T.astype(np.float64).reshape(basis.shape[1], self.along_first.shape[1], -1)
        return (self.along_first @ images @ self.along_second.T).reshape(basis.shape[1], -1).T

    def gram(self, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Inner products of all bumps over the valid pixels, shape (n_bumps, n_bumps)."""
        n_first, n_second = len(self.along_first), len(self.along_second)
        pairs_first = (self.along_first[:, None] * self.along_first[None]).reshape(n_first**2, -1)
        pairs_second = (self.along_second[:, None] * self.along_second[None]).reshape(n_second**2, -1)
        inner = pairs_first @ valid.reshape(self.along_first.shape[1], -1) @ pairs_second.T
        return (
            inner.reshape(n_first, n_first, n_second, n_second)
            .transpose(0, 2, 1, 3)
            .reshape(len(self), len(self))
        )

    def footprint_sums(self, footprints: Any, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Inner products of footprints (sparse rows over `pixels`) with bumps, shape (n_rois, n_bumps)."""
        sums = np.zeros((footprints.shape[0], len(self)))
        for row in range(footprints.shape[0]):
            part = slice(footprints.indptr[row], footprints.indptr[row + 1])
            first, second = self._curves_at(pixels[footprints.indices[part]])
            sums[row] = ((first * footprints.data[part]) @ second.T).ravel()
        return sums

    def evaluate(self, heights: NDArray[np.float64], pixels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Value at some pixels of the sum of all bumps, each of its height."""
        first, second = self._curves_at(pixels)
        across = heights.reshape(len(self.along_first), -1).T @ first
        return np.asarray(np.einsum("bp,bp->p", across, second))

    def _curves_at(self, pixels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first, second = np.divmod(pixels, self.along_second.shape[1])
        return self.along_first[:, first], self.along_second[:, second]


def _curves(length: int, spacing: float) -> NDArray[np.float64]:
    """Gaussian curves along one axis, scaled to add up to 1 at every pixel."""
    count = max(2, round(length / spacing) + 1) if length > 1 else 1
    centres = np.linspace(0, length - 1, count)
    distance = (np.arange(length) - centres[:, None]) / (WIDTH * spacing)
    curves = np.exp(-0.5 * distance**2)
    curves[curves < NEGLIGIBLE] = 0.0
    return np.asarray(curves / curves.sum(axis=0))
