"""Frames in a temporary file are those that were written, tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

from ndx_cinac.frame_files import FrameFile

FRAMES = np.random.default_rng(0).integers(0, 4000, (9, 6, 8)).astype(np.uint16)


@pytest.mark.parametrize(("lines", "columns"), [(6, 8), (2, 8), (3, 4), (4, 5)])
def test_tiles_of_any_size_make_the_frames(lines, columns):
    file = FrameFile(FRAMES.shape, FRAMES.dtype)
    for start in (4, 0, 8):
        for line in range(0, 6, lines):
            for column in range(0, 8, columns):
                tile = FRAMES[start : start + 4, line : line + lines, column : column + columns]
                file.write(tile, (start, line, column))
    for start, stop in ((0, 9), (3, 5), (8, 20), (4, 4)):
        found = file.read(start, stop)
        assert found.dtype == FRAMES.dtype
        np.testing.assert_array_equal(found, FRAMES[start:stop])
    file.close()
