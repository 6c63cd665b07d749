"""What all figures share: colours that everybody can tell apart, and figures that need no display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any colour vision, and in grey.
ORANGE, SKY, GREEN, BLUE, VERMILION, GREY = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#7F7F7F"
PALE_GREEN = "#A8DBCB"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no display and no pyplot state."""
    figure: Figure = require("matplotlib.figure", extra="plot", feature="Drawing figures").Figure(
        figsize=(width, height), layout="constrained"
    )
    return figure
