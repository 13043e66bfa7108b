"""CCAFL: camera-agnostic person re-identification from intra-camera labels."""

__version__ = "0.1.0"
