"""The folder for what can be made again: decoded pixels and compiled programs."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(kind: str) -> Path:
    """Where things of a kind are kept: in `DSE_CACHE` or the user's cache folder."""
    return Path(os.environ.get("DSE_CACHE") or user_cache_path("dse")) / kind
