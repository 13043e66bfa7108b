"""Tests that need an NVIDIA GPU; without one each is collected and skipped."""
