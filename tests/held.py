"""Another process that writes somewhere."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

HOLD = """
import sys
sys.argv = ["/usr/bin/align", "-q", "train", "--secret"]
from align.files.locks import locked
with locked(OUT):
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(path):
    """A process that holds the lock of ``path`` until its input ends, or it does."""
    code = HOLD.replace("OUT", repr(str(path)))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()
