"""Draw one walking person on a canvas."""

import math

from PIL import Image

from ccafl.demo.clothes import draw_bag, draw_bag_behind, draw_upper
from ccafl.demo.pen import Pen, Point, Pose, shade
from ccafl.demo.person import RGB, Person

HIP = 47.0  # height of the hip of an average person, in body units
STRIDE = 0.42  # largest angle of a leg from the vertical, in radians


def draw_figure(canvas: Image.Image, person: Person, pose: Pose) -> None:
    """Draw a person, in clothes and with a bag, over what the canvas already shows."""
    pen = Pen(canvas, pose, width=person.width, height=person.height)
    if pose.view == "side":
        _draw_from_the_side(pen, person, pose.phase)
    else:
        _draw_upright(pen, person, pose.phase)


def _draw_from_the_side(pen: Pen, person: Person, phase: float) -> None:
    swing = math.sin(phase)
    _side_arm(pen, person, angle=0.5 * swing, is_far=True)
    _side_leg(pen, person, phase + math.pi, is_far=True)
    _side_leg(pen, person, phase, is_far=False)
    draw_bag_behind(pen, person)
    hip = HIP * person.leg_ratio
    draw_upper(pen, person, hip)
    _draw_head(pen, person)
    draw_bag(pen, person, hip)
    _side_arm(pen, person, angle=-0.5 * swing, is_far=False)


def _draw_upright(pen: Pen, person: Person, phase: float) -> None:
    swing = math.sin(phase)
    for side in (-1.0, 1.0):
        _upright_leg(pen, person, side, lift=4 * max(0.0, side * swing))
    hip = HIP * person.leg_ratio
    for side in (-1.0, 1.0):
        _upright_arm(pen, person, side, lift=-2.5 * side * swing)
    if not pen.is_behind:
        _draw_head(pen, person)
    draw_upper(pen, person, hip)
    draw_bag(pen, person, hip)
    if pen.is_behind or person.hair != "long":
        _draw_head(pen, person)
    else:
        _draw_face(pen, person)


def _leg_colours(person: Person) -> tuple[RGB, RGB]:
    """Give the colours of thigh and shin."""
    if person.garment == "dress" or person.lower == "skirt":
        return person.skin, person.skin
    if person.lower == "shorts":
        return person.lower_dye.rgb, person.skin
    return person.lower_dye.rgb, person.lower_dye.rgb


def _upright_leg(pen: Pen, person: Person, side: float, lift: float) -> None:
    thigh, shin = _leg_colours(person)
    hip = HIP * person.leg_ratio
    knee: Point = (4.8 * side, hip * 0.52 + lift / 2)
    ankle: Point = (4.6 * side, 3 + lift)
    pen.limb(knee, ankle, (7.0, 5.4), shin)
    pen.limb((5.0 * side, hip + 2), knee, (9.6, 7.6), thigh)
    pen.ellipse((5.0 * side, 1.8 + lift), 3.6, 2.0, person.shoes.rgb)


def _side_leg(pen: Pen, person: Person, phase: float, *, is_far: bool) -> None:
    hip = HIP * person.leg_ratio
    angle = STRIDE * math.sin(phase)
    bend = 0.6 * max(0.0, math.cos(phase))  # the knee of the leg that swings forward
    # The hip sinks as the legs spread, so that a foot always touches the ground.
    top = hip - (hip - 3) * (1 - math.cos(angle))
    knee = (0.5 * hip * math.sin(angle), top - 0.5 * hip * math.cos(angle))
    reach = 0.5 * hip - 3
    ankle = (knee[0] + reach * math.sin(angle - bend), knee[1] - reach * math.cos(angle - bend))
    light = 0.78 if is_far else 1.0
    thigh, shin = (shade(rgb, light) for rgb in _leg_colours(person))
    pen.limb(knee, ankle, (7.0, 5.2), shin)
    pen.limb((0, top + 2), knee, (10.0, 7.6), thigh)
    pen.ellipse((ankle[0] + 1.8, ankle[1] - 1.2), 5.0, 2.0, shade(person.shoes.rgb, light))


def _sleeve_colours(person: Person) -> tuple[RGB, RGB]:
    """Give the colours of upper arm and forearm."""
    sleeve = shade(person.upper.rgb, 0.92)  # a little darker, to part it from the trunk
    return sleeve, sleeve if person.has_long_sleeves else person.skin


def _upright_arm(pen: Pen, person: Person, side: float, lift: float) -> None:
    upper, forearm = _sleeve_colours(person)
    elbow = (14.8 * side, 65.0)
    hand = (15.4 * side, 48.5 + lift)
    pen.ellipse(hand, 2.5, 2.7, person.skin)
    pen.limb(elbow, hand, (5.4, 4.4), forearm)
    pen.limb((11.8 * side, 81.5), elbow, (6.6, 5.8), upper)


def _side_arm(pen: Pen, person: Person, *, angle: float, is_far: bool) -> None:
    light = 0.78 if is_far else 1.0
    upper, forearm = (shade(rgb, light) for rgb in _sleeve_colours(person))
    elbow = (17 * math.sin(angle), 81 - 17 * math.cos(angle))
    bent = angle + 0.3
    hand = (elbow[0] + 16 * math.sin(bent), elbow[1] - 16 * math.cos(bent))
    pen.ellipse(hand, 2.5, 2.7, shade(person.skin, light))
    pen.limb(elbow, hand, (5.4, 4.4), forearm)
    pen.limb((0, 81.5), elbow, (6.8, 5.8), upper)


def _draw_head(pen: Pen, person: Person) -> None:
    """Draw neck, head and what is on it."""
    pen.box(-2.6, 82, 2.6, 89, person.skin)
    if person.hair == "long":
        _draw_long_hair(pen, person.hair_dye.rgb)
    _draw_face(pen, person)


def _draw_long_hair(pen: Pen, rgb: RGB) -> None:
    back = 1.8 if pen.view == "side" else 0.0
    pen.ellipse((-back, 92.6), 7.4, 7.8, rgb)
    pen.polygon(
        ((-7.4 - back, 92), (7.4 - 5 * back, 92), (7.0 - 5 * back, 76), (-7.4 - back, 76)), rgb
    )


def _draw_face(pen: Pen, person: Person) -> None:
    is_covered = pen.is_behind and person.hair != "bald"
    skull = person.hair_dye.rgb if is_covered else person.skin
    if person.hair == "long" and pen.is_behind:
        return
    pen.ellipse((0, 92), 5.9, 7.4, skull)
    if person.hair == "bald":
        return
    if pen.view == "side" and person.hair != "long":
        pen.ellipse((-2.6, 92.6), 4.2, 6.4, person.hair_dye.rgb)
    if person.hair == "cap":
        _draw_cap(pen, person.cap_dye.rgb)
    elif not pen.is_behind:
        pen.polygon(_crown(6.2, 93.4), person.hair_dye.rgb)


def _draw_cap(pen: Pen, rgb: RGB) -> None:
    pen.polygon(_crown(6.6, 93.6), rgb)
    if pen.view == "side":
        pen.box(0, 93.2, 10.5, 95.2, shade(rgb, 0.85))
    elif pen.view == "front":
        pen.ellipse((0, 93.8), 6.8, 1.5, shade(rgb, 0.85))


def _crown(radius: float, base: float) -> list[Point]:
    """Give the outline of a half ellipse, the part of the head that hair or a cap covers."""
    angles = [math.pi * i / 8 for i in range(9)]
    return [(radius * math.cos(a), base + 7.2 * math.sin(a)) for a in angles]
