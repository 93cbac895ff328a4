"""Soft-edged shapes on a canvas of grey: what a face is drawn with."""

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]


class Canvas:
    """A grey picture [size, size] in 0..1; x goes right and y down, both -1..1 before the pose.

    Args:
        size: pixels of a side.
        tone: the background's grey.
        shift: (x, y) by which everything moves.
        turn_rad: by which everything turns, clockwise.
        zoom: by which everything grows.
    """

    def __init__(
        self, size: int, tone: float, *, shift: tuple[float, float], turn_rad: float, zoom: float
    ) -> None:
        axis = (np.arange(size) + 0.5) / size * 2 - 1
        across, down = np.meshgrid(axis - shift[0], axis - shift[1])
        cosine, sine = np.cos(turn_rad) / zoom, np.sin(turn_rad) / zoom
        self.x: Plane = cosine * across + sine * down
        self.y: Plane = cosine * down - sine * across
        self.grey: Plane = np.full((size, size), tone)
        self._edge = 2 / size / zoom

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], tone: float) -> None:
        """Fill an ellipse."""
        x, y = (self.x - centre[0]) / radii[0], (self.y - centre[1]) / radii[1]
        self._paint((np.hypot(x, y) - 1) * min(radii), tone)

    def segment(
        self, start: tuple[float, float], end: tuple[float, float], half_width: float, tone: float
    ) -> None:
        """Draw a straight stroke with round ends."""
        along = np.array(end) - np.array(start)
        x, y = self.x - start[0], self.y - start[1]
        place = np.clip((x * along[0] + y * along[1]) / max(along @ along, 1e-9), 0, 1)
        distance = np.hypot(x - place * along[0], y - place * along[1])
        self._paint(distance - half_width, tone)

    def arch(
        self,
        centre: tuple[float, float],
        half_length: float,
        rise: float,
        half_width: Plane | float,
        tone: float,
    ) -> None:
        """Draw a parabola whose ends are ``rise`` above (below, if negative) its middle."""
        place = np.clip((self.x - centre[0]) / half_length, -1, 1)
        off = self.y - (centre[1] - rise * (place**2 - 0.5))
        beyond = np.maximum(np.abs(self.x - centre[0]) - half_length, 0)
        # Divided by the slope, which makes the stroke as thick where it is steep.
        slope = np.hypot(1, 2 * rise * place / half_length)
        self._paint(np.hypot(off / slope, beyond) - half_width, tone)

    def box(self, left: float, top: float, right: float, bottom: float, tone: float) -> None:
        """Fill a rectangle."""
        x = np.maximum(left - self.x, self.x - right)
        self._paint(np.maximum(x, np.maximum(top - self.y, self.y - bottom)), tone)

    def _paint(self, distance: Plane, tone: float) -> None:
        """Paint where the distance to the shape's edge is negative, softly at the edge."""
        cover = np.clip(0.5 - distance / self._edge, 0, 1)
        self.grey += cover * (tone - self.grey)
