"""Wheel and sdist, byte for byte those of any other build of the same commit.

    python .ci/build.py OUT

Times are those of the commit (or SOURCE_DATE_EPOCH). setuptools keeps them in wheels, in sdists not: these are packed
again, their files in order, of one time, owner and mode.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(out: Path) -> None:
    """Build both into a folder."""
    when = (
        os.environ.get("SOURCE_DATE_EPOCH")
        or subprocess.run(
            ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    words = [sys.executable, "-m", "build", "--quiet", "--outdir", str(out), str(ROOT)]
    subprocess.run(words, env=os.environ | {"SOURCE_DATE_EPOCH": when}, check=True)
    for path in out.glob("*.tar.gz"):
        repack(path, int(when))


def repack(path: Path, when: int) -> None:
    """The same files as an archive that depends on them and on ``when`` alone."""
    made = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = when, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    path.write_bytes(gzip.compress(made.getvalue(), mtime=when))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
