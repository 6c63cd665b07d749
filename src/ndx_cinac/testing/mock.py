"""Mock objects in one line each, for tests: recordings, NWB files and every type of the extension."""

from __future__ import annotations

from .files import MockLayout, mock_nwbfile_with_movie
from .scenes import MockRecording, mock_recording

__all__ = ["MockLayout", "MockRecording", "mock_nwbfile_with_movie", "mock_recording"]
