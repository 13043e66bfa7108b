"""How much room on the disk a run must find."""

FREE = 1 << 30  # bytes that stay free beside the checkpoints
_CHECKPOINTS = 3  # two are kept while a third one is written


def room(checkpoint: int) -> int:
    """Bytes that must be free for a run whose checkpoints have so many bytes."""
    return FREE + _CHECKPOINTS * checkpoint
