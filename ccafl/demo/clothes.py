"""Draw what a person wears above the legs, and what they carry."""

from collections.abc import Iterator

from PIL import Image

from ccafl.demo.pen import Pen, Point, shade
from ccafl.demo.person import Person

UNITS_PER_PIXEL = 0.47  # of an average figure, to turn a pattern's period into body units


def draw_upper(pen: Pen, person: Person, hip: float) -> None:
    """Draw skirt or upper garment, with its pattern, inner colour and logo.

    Args:
        pen: over the canvas to draw on.
        person: who wears it.
        hip: height of the hip in body units.
    """
    if person.lower == "skirt" and person.garment != "dress":
        half = 9.0 if pen.view == "side" else 12.0
        waist = 6.5 if pen.view == "side" else 9.5
        outline = ((-waist, hip + 6), (waist, hip + 6), (half, hip - 20), (-half, hip - 20))
        pen.polygon(outline, person.lower_dye.rgb)
    _draw_garment(pen, person, _garment_outline(pen, person, hip))
    if pen.view != "front":
        return
    if person.garment in ("jacket", "coat"):
        bottom = hip - 3 if person.garment == "jacket" else hip - 17
        outline = ((-3.4, 86), (3.4, 86), (4.4, bottom), (-4.4, bottom))
        pen.polygon(outline, person.inner.rgb)
    elif person.logo is not None:
        pen.box(-4.2, 68, 4.2, 75, person.logo.rgb)


def draw_bag_behind(pen: Pen, person: Person) -> None:
    """Draw the part of a bag that the trunk hides in a side view."""
    if person.bag != "backpack":
        return
    rgb = person.bag_dye.rgb
    pen.polygon(((-5, 82), (-11, 80), (-14.5, 72), (-14, 57), (-5, 55)), rgb)
    pen.box(-14.5, 58, -11, 66, shade(rgb, 0.8))


def draw_bag(pen: Pen, person: Person, hip: float) -> None:
    """Draw the part of a bag that is seen in front of the trunk."""
    if person.bag == "backpack":
        _draw_backpack(pen, person)
    elif person.bag == "satchel":
        _draw_satchel(pen, person, hip)
    elif person.bag == "handbag":
        _draw_handbag(pen, person)


def _garment_outline(pen: Pen, person: Person, hip: float) -> list[Point]:
    slim = 0.6 if pen.view == "side" else 1.0
    right: list[Point] = [(3.8, 86.5), (11.6 * slim, 83), (11.0 * slim, 72), (9.4 * slim, hip + 8)]
    if person.garment == "dress":
        right.append((13.5 * slim, hip - 18))
    elif person.garment == "coat":
        right += [(10.4 * slim, hip), (11.6 * slim, hip - 18)]
    else:
        right.append((10.2 * slim, hip - (3 if person.garment == "jacket" else 1)))
    return right + [(-x, y) for x, y in reversed(right)]


def _draw_garment(pen: Pen, person: Person, outline: list[Point]) -> None:
    if person.pattern == "plain":
        pen.polygon(outline, person.upper.rgb)
        return
    cloth = Image.new("RGB", pen.canvas.size, person.upper.rgb)
    _draw_pattern(pen.over(cloth), person, outline)
    pen.clip(cloth, outline)


def _draw_pattern(pen: Pen, person: Person, outline: list[Point]) -> None:
    left, right = min(x for x, _ in outline), max(x for x, _ in outline)
    bottom = min(y for _, y in outline)
    rgb = person.second.rgb
    period = person.period * UNITS_PER_PIXEL
    if person.pattern == "two-tone":
        pen.box(left, bottom, right, 67, rgb)
    if person.pattern in ("striped", "checked"):
        for y in _steps(bottom, 87, period):
            pen.box(left, y, right, y + period * 0.45, rgb)
    if person.pattern in ("pinstriped", "checked"):
        for x in _steps(0, right, period * 0.8):
            pen.box(x, bottom, x + period * 0.3, 87, rgb)
            pen.box(-x, bottom, -x + period * 0.3, 87, rgb)
    if person.pattern == "dotted":
        for y in _steps(bottom, 87, period * 0.8):
            for x in _steps(left, right, period * 0.8):
                pen.ellipse((x, y), period * 0.24, period * 0.24, rgb)


def _steps(start: float, end: float, step: float) -> Iterator[float]:
    position = start
    while position < end:
        yield position
        position += step


def _draw_backpack(pen: Pen, person: Person) -> None:
    rgb = person.bag_dye.rgb
    if pen.view == "back":
        pen.polygon(((-7, 83), (7, 83), (8.5, 79), (8.8, 54), (-8.8, 54), (-8.5, 79)), rgb)
        pen.box(-6, 56, 6, 65, shade(rgb, 0.8))
    elif pen.view == "front":
        for side in (-1, 1):
            pen.limb((5.6 * side, 85), (8 * side, 62), (2.6, 2.6), rgb)


def _draw_satchel(pen: Pen, person: Person, hip: float) -> None:
    rgb = person.bag_dye.rgb
    if pen.view == "side":
        pen.limb((-1, 85), (1, hip + 4), (2, 2), shade(rgb, 0.85))
        pen.box(-6, hip - 8, 7, hip + 5, rgb)
        return
    # The bag hangs at the same hip, which is the other side of the picture from behind.
    side = -1 if pen.is_behind else 1
    pen.limb((-7.5 * side, 85), (10 * side, hip + 2), (2.2, 2.2), shade(rgb, 0.85))
    pen.box(7 * side, hip - 9, 16 * side, hip + 4, rgb)


def _draw_handbag(pen: Pen, person: Person) -> None:
    rgb = person.bag_dye.rgb
    side = -1 if pen.is_behind else 1
    x = 3.0 if pen.view == "side" else 15.8 * side
    pen.limb((x - 2.5, 40), (x, 49), (1.2, 1.2), shade(rgb, 0.8))
    pen.limb((x + 2.5, 40), (x, 49), (1.2, 1.2), shade(rgb, 0.8))
    pen.polygon(((x - 4.5, 42), (x + 4.5, 42), (x + 5.8, 31), (x - 5.8, 31)), rgb)
