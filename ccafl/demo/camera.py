"""What one camera does to a picture: its place, its views of people, its colours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ccafl.demo.pen import HEIGHT, WIDTH
from ccafl.demo.person import RGB
from ccafl.demo.scene import draw_scene, muted_rgb

PICTURE_WIDTH, PICTURE_HEIGHT = WIDTH // 2, HEIGHT // 2

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Everything about a camera that stays the same in every picture."""

    scene: Image.Image
    ground: RGB
    view_shares: tuple[float, ...]  # of front, side and back, in this order
    occlusion: float  # share of pictures with something before the person
    pitch: float  # how far it looks down, 0 to 0.2
    zoom: float
    shadow: float  # light left in a person's shadow, 0 to 1
    curve: Floats  # (256, 3): drawn value of each channel -> recorded value, before the light
    light: Floats  # (height, width, 1): light over the picture, around 1
    saturation: float
    haze: Floats  # (3,): added light, 0 to 34
    blur: float  # sigma in pixels of the picture
    resolution: float  # share of the picture's pixels in each direction that hold detail
    noise: float  # standard deviation of a pixel, of 255
    quality: int  # of JPEG


def draw_camera(rng: np.random.Generator, strength: float = 1.0) -> Camera:
    """Set up a camera at random.

    Args:
        rng: source of the camera; the scene takes most of it.
        strength: how far it departs from a faithful camera; 1 makes matching across cameras
            hard, 0 leaves the drawn colours as they are.
    """
    ground = muted_rgb(rng, 16)
    return Camera(
        scene=draw_scene(rng, ground),
        ground=ground,
        view_shares=tuple(rng.dirichlet((0.7, 0.7, 0.7)).tolist()),
        occlusion=float(rng.uniform(0.03, 0.25)),
        pitch=float(rng.uniform(0, 0.2)),
        zoom=float(rng.uniform(0.86, 1.03)),
        shadow=float(rng.uniform(0.55, 0.9)),
        curve=_draw_curve(rng, strength),
        light=_draw_light(rng, strength),
        saturation=1 - float(rng.uniform(0, 0.5)) * strength,
        haze=(rng.uniform(0, 34) * strength * rng.uniform(0.3, 1, 3)).astype(np.float32),
        blur=float(rng.uniform(0, 0.65)) * strength,
        resolution=1 - float(rng.uniform(0, 0.55)) * strength,
        noise=float(rng.uniform(1, 5.5)) * strength,
        quality=int(rng.integers(40, 90)),
    )


def record(camera: Camera, canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Take the picture: 64 x 128 pixels of what is drawn on the canvas.

    Blur, colours and noise are applied at the picture's size, a quarter of the canvas's pixels.
    """
    picture = canvas.reduce(2)
    if camera.resolution < 1:
        small = (
            round(PICTURE_WIDTH * camera.resolution),
            round(PICTURE_HEIGHT * camera.resolution),
        )
        picture = picture.resize(small, Image.Resampling.BOX)
        picture = picture.resize((PICTURE_WIDTH, PICTURE_HEIGHT), Image.Resampling.BILINEAR)
    if camera.blur > 0.1:
        picture = picture.filter(ImageFilter.GaussianBlur(camera.blur))
    pixels = camera.curve[np.asarray(picture), np.arange(3)]  # (height, width, 3)
    gains = (1 + 0.07 * rng.standard_normal()) * np.exp2(0.05 * rng.standard_normal(3))
    pixels = pixels * (camera.light * gains.astype(np.float32))
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + camera.saturation * (pixels - grey) + camera.haze
    pixels += camera.noise * rng.standard_normal(pixels.shape, dtype=np.float32)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _draw_curve(rng: np.random.Generator, strength: float) -> Floats:
    """Combine the channels' gains, the exposure and the gamma into one table."""
    gains = np.exp2(strength * rng.normal(0, 0.22, 3))
    exposure = 2.0 ** (strength * rng.uniform(-0.45, 0.3))
    gamma = 2.0 ** (strength * rng.uniform(-0.5, 0.6))
    drawn = np.linspace(0, 1, 256) ** gamma
    return np.outer(drawn, 255 * exposure * gains).astype(np.float32)


def _draw_light(rng: np.random.Generator, strength: float) -> Floats:
    """Give the light over the picture, with a slope to one side and one to the top."""
    across = rng.uniform(-0.32, 0.32) * strength
    upwards = rng.uniform(-0.2, 0.2) * strength
    x = np.linspace(-1, 1, PICTURE_WIDTH)[None, :, None]
    y = np.linspace(-1, 1, PICTURE_HEIGHT)[:, None, None]
    return (1 + across * x + upwards * y).astype(np.float32)
