"""What all figures share: colours that everybody can tell apart, and figures that need no display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any colour vision, and in grey.
ORANGE, SKY, GREEN, BLUE, VERMILION, GREY = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#7F7F7F"
PALE_GREEN = "#A8DBCB"
TYPE_COLOURS = (ORANGE, SKY, GREEN, "#CC79A7", VERMILION, BLUE, "#F0E442")
"""Colours of cell types, in their order; all are seen on a dark and on a light ground."""
NOISE_COLOUR, OTHERS_COLOUR = "#C0C0C0", "#707070"
"""Colours of what is no cell, and of further types; greys between them look like green or pink to some."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no display and no pyplot state."""
    figure: Figure = require("matplotlib.figure", extra="plot", feature="Drawing figures").Figure(
        figsize=(width, height), layout="constrained"
    )
    return figure
