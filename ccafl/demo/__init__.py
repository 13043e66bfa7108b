"""Draw pedestrians: a small data set to try everything with, without a download."""

from ccafl.demo.dataset import draw_captioned, draw_dataset

__all__ = ["draw_captioned", "draw_dataset"]
