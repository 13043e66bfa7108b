"""Draw body parts, given in body units, on a canvas in pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

from ccafl.demo.person import RGB

WIDTH, HEIGHT = 128, 256  # of the canvas; the finished picture has half of each

View = Literal["front", "side", "back"]
VIEWS: tuple[View, ...] = ("front", "side", "back")

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How and where a person stands in one picture."""

    view: View
    phase: float  # of the walk, in radians
    is_mirrored: bool
    feet: Point  # pixels of the canvas
    scale: float  # pixels per body unit
    tilt: float  # radians, clockwise
    pitch: float  # how far the camera looks down, 0 to 0.2


class Pen:
    """A pencil in body units: x to the right of the body's axis, y up from the ground.

    The average person is 100 units high.
    """

    def __init__(self, canvas: Image.Image, pose: Pose, *, width: float, height: float) -> None:
        self.canvas = canvas
        self.view = pose.view
        self.is_behind = pose.view == "back"
        self._pose = pose
        self._draw = ImageDraw.Draw(canvas)
        self._width = -width if pose.is_mirrored else width
        self._height = height
        self._cos, self._sin = math.cos(pose.tilt), math.sin(pose.tilt)

    def polygon(self, points: Sequence[Point], rgb: RGB) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._pixel(point) for point in points], fill=rgb)

    def box(self, left: float, bottom: float, right: float, top: float, rgb: RGB) -> None:
        """Fill a rectangle, tilted with the body."""
        self.polygon(((left, bottom), (right, bottom), (right, top), (left, top)), rgb)

    def ellipse(self, centre: Point, radius_x: float, radius_y: float, rgb: RGB) -> None:
        """Fill an upright ellipse."""
        x, y = self._pixel(centre)
        half_width = radius_x * abs(self._width) * self._pose.scale
        half_height = radius_y * self._height * self._pose.scale
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        self._draw.ellipse(box, fill=rgb)

    def limb(self, start: Point, end: Point, widths: tuple[float, float], rgb: RGB) -> None:
        """Fill a tapered bar from one joint to the next; widths are those of its two ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy)
        x, y = dx / length, dy / length
        half, end_half = widths[0] / 2, widths[1] / 2
        # A unit of overlap at both ends, or bent joints would gape.
        first_x, first_y, last_x, last_y = start[0] - x, start[1] - y, end[0] + x, end[1] + y
        self.polygon(
            (
                (first_x - half * y, first_y + half * x),
                (first_x + half * y, first_y - half * x),
                (last_x + end_half * y, last_y - end_half * x),
                (last_x - end_half * y, last_y + end_half * x),
            ),
            rgb,
        )

    def clip(self, cloth: Image.Image, points: Sequence[Point]) -> None:
        """Copy onto the canvas what lies inside a polygon of a canvas of the same size."""
        mask = Image.new("L", self.canvas.size)
        ImageDraw.Draw(mask).polygon([self._pixel(point) for point in points], fill=255)
        self.canvas.paste(cloth, mask=mask)

    def over(self, canvas: Image.Image) -> "Pen":
        """Give the same pen over another canvas of the same size."""
        return Pen(canvas, self._pose, width=abs(self._width), height=self._height)

    def _pixel(self, point: Point) -> Point:
        pose = self._pose
        # Seen from above a head is nearer than the feet, and the whole body is shorter.
        nearness = 1 + pose.pitch * (point[1] / 100 - 0.5)
        x = point[0] * self._width * nearness * pose.scale
        y = point[1] * self._height * (1 - 0.6 * pose.pitch) * pose.scale
        turned_x = x * self._cos + y * self._sin
        turned_y = y * self._cos - x * self._sin
        return pose.feet[0] + turned_x, pose.feet[1] - turned_y


def shade(rgb: RGB, factor: float) -> RGB:
    """Darken (factor below 1) or lighten a colour."""
    red, green, blue = (min(255, int(value * factor)) for value in rgb)
    return red, green, blue
