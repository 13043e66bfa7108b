"""Compose the pictures that one camera takes of one person."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ccafl.demo.camera import Camera, record
from ccafl.demo.figure import draw_figure
from ccafl.demo.pen import HEIGHT, VIEWS, WIDTH, Pose, View, shade
from ccafl.demo.person import Person, draw_person
from ccafl.demo.scene import SCENE_WIDTH, muted_rgb

FEET_Y = 238.0  # where people stand on the canvas, in pixels
PIXELS_PER_UNIT = 2.18  # a person of average height is 218 pixels high before the camera's zoom


@dataclass(kw_only=True)
class Walk:
    """A person's walk past a camera: what its pictures have in common."""

    view: View
    phase: float  # radians; advances from picture to picture
    is_mirrored: bool


def take_pictures(
    camera: Camera, person: Person, count: int, rng: np.random.Generator
) -> Iterator[Image.Image]:
    """Take `count` pictures, 64 x 128 pixels, of one person walking past one camera."""
    walk = _start_walk(camera, rng)
    for _ in range(count):
        walk.phase += rng.uniform(0.5, 1.3)
        yield record(camera, _compose(camera, person, walk, rng), rng)


def take_junk(camera: Camera, person: Person, rng: np.random.Generator) -> Image.Image:
    """Take a picture that misses the person by half a frame, as a bad detector would."""
    canvas = _compose(camera, person, _start_walk(camera, rng), rng)
    missed = Image.new("RGB", canvas.size, camera.ground)
    dx = int(rng.choice((-1, 1)) * rng.uniform(0.4, 0.6) * WIDTH)
    dy = int(rng.uniform(-0.35, 0.35) * HEIGHT)
    missed.paste(canvas, (dx, dy))
    return record(camera, missed, rng)


def _start_walk(camera: Camera, rng: np.random.Generator) -> Walk:
    return Walk(
        view=VIEWS[rng.choice(len(VIEWS), p=camera.view_shares)],
        phase=rng.uniform(0, 2 * math.pi),
        is_mirrored=bool(rng.random() < 0.5),
    )


def _compose(camera: Camera, person: Person, walk: Walk, rng: np.random.Generator) -> Image.Image:
    """Draw the place, a passer-by, the person and an occluder, from back to front."""
    left = int(rng.integers(SCENE_WIDTH - WIDTH))
    canvas = camera.scene.crop((left, 0, left + WIDTH, HEIGHT))
    if rng.random() < 0.10:
        _draw_passer_by(canvas, camera, rng)
    pose = _strike_pose(camera, walk, rng)
    _draw_shadow(canvas, camera, person, pose)
    draw_figure(canvas, person, pose)
    if rng.random() < camera.occlusion:
        _draw_occluder(canvas, rng)
    return canvas


def _strike_pose(camera: Camera, walk: Walk, rng: np.random.Generator) -> Pose:
    strays = rng.random() > 0.85  # people turn round now and then
    shift_x, shift_y = rng.normal(0, 5, 2).tolist()
    return Pose(
        view=VIEWS[rng.integers(len(VIEWS))] if strays else walk.view,
        phase=walk.phase,
        is_mirrored=walk.is_mirrored,
        feet=(WIDTH / 2 + shift_x, FEET_Y + shift_y),
        scale=PIXELS_PER_UNIT * camera.zoom * rng.normal(1, 0.035),
        tilt=math.radians(rng.normal(0, 1.6)),
        pitch=camera.pitch,
    )


def _draw_passer_by(canvas: Image.Image, camera: Camera, rng: np.random.Generator) -> None:
    side = rng.choice((-1, 1))
    pose = Pose(
        view=VIEWS[rng.integers(len(VIEWS))],
        phase=rng.uniform(0, 2 * math.pi),
        is_mirrored=bool(rng.random() < 0.5),
        feet=(WIDTH / 2 + side * rng.uniform(36, 62), FEET_Y - rng.uniform(14, 40)),
        scale=PIXELS_PER_UNIT * camera.zoom * rng.uniform(0.7, 0.9),
        tilt=0.0,
        pitch=camera.pitch,
    )
    draw_figure(canvas, draw_person(rng), pose)


def _draw_shadow(canvas: Image.Image, camera: Camera, person: Person, pose: Pose) -> None:
    x, y = pose.feet
    reach = 13 * person.width * pose.scale
    box = (x - reach, y - 8, x + reach, y + 6)
    ImageDraw.Draw(canvas).ellipse(box, fill=shade(camera.ground, camera.shadow))


def _draw_occluder(canvas: Image.Image, rng: np.random.Generator) -> None:
    """Put a pole, a low wall or a box at one side before the person."""
    draw = ImageDraw.Draw(canvas)
    rgb = muted_rgb(rng, 60)
    kind = rng.integers(3)
    if kind == 0:
        x = rng.uniform(30, WIDTH - 30)
        draw.rectangle((x, 0, x + rng.uniform(6, 13), HEIGHT), fill=rgb)
    elif kind == 1:
        draw.rectangle((0, HEIGHT - rng.uniform(40, 80), WIDTH, HEIGHT), fill=rgb)
    else:
        width = rng.uniform(0.22, 0.38) * WIDTH
        left = 0 if rng.random() < 0.5 else WIDTH - width
        draw.rectangle((left, HEIGHT - rng.uniform(90, 180), left + width, HEIGHT), fill=rgb)
