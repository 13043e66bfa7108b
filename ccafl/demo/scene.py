"""Draw the place a camera looks at."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from ccafl.demo.pen import HEIGHT, shade
from ccafl.demo.person import RGB

SCENE_WIDTH = 512  # pixels; every picture shows a crop of it, as wide as the canvas

Texture = Callable[[ImageDraw.ImageDraw, np.random.Generator, int, int, RGB], None]


def draw_scene(rng: np.random.Generator, ground: RGB) -> Image.Image:
    """Draw a wall, buildings and a ground, 512 x 256 pixels, of one place."""
    wall = muted_rgb(rng, 16)
    scene = Image.new("RGB", (SCENE_WIDTH, HEIGHT), wall)
    draw = ImageDraw.Draw(scene)
    horizon = int(rng.integers(90, 150))
    if rng.random() < 0.3:
        _lay_bricks(draw, rng, 0, horizon, wall)
    for _ in range(int(rng.integers(16, 34))):
        _draw_building(draw, rng, horizon)
    draw.rectangle((0, horizon, SCENE_WIDTH, HEIGHT), fill=ground)
    textures: tuple[Texture, ...] = (_lay_tiles, _grow_grass, _paint_zebra, _lay_bricks)
    textures[rng.integers(len(textures))](draw, rng, horizon, HEIGHT, ground)
    for _ in range(int(rng.integers(2, 7))):
        _draw_building(draw, rng, horizon + 18)
    return scene


def muted_rgb(rng: np.random.Generator, spread: int) -> RGB:
    """Draw the colour of a thing in the street: a grey, each channel off by up to `spread`."""
    red, green, blue = (rng.integers(90, 155) + rng.integers(-spread, spread + 1, 3)).tolist()
    return red, green, blue


def _draw_building(draw: ImageDraw.ImageDraw, rng: np.random.Generator, foot: int) -> None:
    """Draw a block that stands on the line `foot`, some with lit windows."""
    left = int(rng.integers(-40, SCENE_WIDTH))
    right = left + int(rng.integers(15, 70))
    top = foot - int(rng.integers(15, 95))
    rgb = muted_rgb(rng, 36)
    draw.rectangle((left, top, right, foot), fill=rgb)
    if rng.random() < 0.3:
        for y in range(top + 5, foot - 6, 12):
            for x in range(left + 4, right - 6, 11):
                draw.rectangle((x, y, x + 5, y + 5), fill=shade(rgb, 1.3))


def _lay_tiles(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, top: int, bottom: int, rgb: RGB
) -> None:
    joint = shade(rgb, 0.78)
    for x in range(-SCENE_WIDTH, 2 * SCENE_WIDTH, int(rng.integers(22, 40))):
        far = SCENE_WIDTH / 2 + (x - SCENE_WIDTH / 2) * 0.45  # the joints run to the horizon
        draw.line((far, top, x, bottom), fill=joint, width=2)
    gap, y = 6.0, float(top)
    while y < bottom:
        draw.line((0, y, SCENE_WIDTH, y), fill=joint, width=2)
        gap, y = gap * 1.3, y + gap


def _grow_grass(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, top: int, bottom: int, rgb: RGB
) -> None:
    feet = rng.uniform((0, top), (SCENE_WIDTH, bottom), (1400, 2)).tolist()
    lights = rng.uniform(0.7, 1.25, 1400).tolist()
    for (x, y), light in zip(feet, lights, strict=True):
        draw.line((x, y, x + 2, y - 7), fill=shade(rgb, light), width=2)


def _paint_zebra(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, top: int, bottom: int, rgb: RGB
) -> None:
    start = top + int(rng.integers(10, 40))
    stripe = int(rng.integers(14, 26))
    white = shade(rgb, 1.3)
    for x in range(-SCENE_WIDTH, 2 * SCENE_WIDTH, 2 * stripe):
        slant = (x - SCENE_WIDTH / 2) * 0.3
        outline = (
            (x, start),
            (x + stripe, start),
            (x + stripe + slant, bottom),
            (x + slant, bottom),
        )
        draw.polygon(outline, fill=white)


def _lay_bricks(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, top: int, bottom: int, rgb: RGB
) -> None:
    joint = shade(rgb, 0.8)
    course = int(rng.integers(10, 16))
    for row, y in enumerate(range(top, bottom, course)):
        draw.line((0, y, SCENE_WIDTH, y), fill=joint, width=2)
        for x in range(course * (row % 2), SCENE_WIDTH, 2 * course):
            draw.line((x, y, x, y + course), fill=joint, width=2)
