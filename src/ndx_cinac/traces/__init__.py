"""From movies and ROIs to traces: frames corrected, cells demixed, in one pass and bounded memory."""

from .channels import CHANNELS, N_CHANNELS
from .extraction import Traces, extract_traces
from .options import TraceOptions

__all__ = ["CHANNELS", "N_CHANNELS", "TraceOptions", "Traces", "extract_traces"]
