"""What strangers made on purpose, and opening large folders: nothing wrong in silence.

The script beside this file counts; it runs in a process of its own, since an audit hook
cannot be taken back.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("hostile.py")
MOST_BYTES = 700 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_what_strangers_made(tmp_path, seed):
    words = [sys.executable, SCRIPT, tmp_path, seed]
    done = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    for kind in ("programs", "outside", "wrong", "tracebacks", "hangs"):
        assert told[kind] == 0, done.stderr
    assert told["peak_bytes"] < MOST_BYTES
    # Some of each are whole: else nothing would be shown of what is read.
    assert all(count > 20 for count in told["read"].values()), told
