"""Where the checkpoints of a run lie; known without JAX."""

from pathlib import Path


def checkpoints_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """The checkpoints of a run, under the folder that holds the database's files."""
    return folder / "checkpoints" / f"{cell_id}-{replicate}"
