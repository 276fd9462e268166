"""Colours, markers and lines of series in figures."""

from dataclasses import dataclass, replace

OURS, PAPER = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito, safe for colour-blind readers. In grey their
markers differ."""

SERIES = (
    *(OURS, PAPER, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    "#7F7F7F",
)
"""Colours of the same authors, and grey, for several series."""

MARKERS = "os^DvP*X"
LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Look:
    """How a series is drawn.

    Attributes:
        color: its colour.
        marker: its marker.
        line: the line that joins its points, if one does.
        hollow: True if the marker is not filled.
    """

    color: str
    marker: str
    line: str = LINES[0]
    hollow: bool = False

    @classmethod
    def numbered(cls, number: int) -> "Look":
        """The look of the series of that number, from 0 on."""
        return cls(SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)])

    def another(self) -> "Look":
        """A look of the same colour and marker, with the next line and hollow."""
        following = LINES[(LINES.index(self.line) + 1) % len(LINES)]
        return replace(self, line=following, hollow=True)
