"""Location of the cache: decoded pixels, copied images, compiled programs, logs."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(kind: str) -> Path:
    """Folder for files of one kind, in `DSE_CACHE` or the user's cache folder."""
    return Path(os.environ.get("DSE_CACHE") or user_cache_path("dse")) / kind
