"""CCAFL: camera-agnostic person re-identification from intra-camera labels."""

from importlib.metadata import version

__version__ = version("ccafl")
