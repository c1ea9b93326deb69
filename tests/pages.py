"""What a page of documentation tells to run, run: files that it shows, commands, Python."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from align import cli

BLOCK = re.compile(r"^```(bash|python|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w/]+\.\w+)\n")
"""The first line of a block that is a file."""


def few_steps(text):
    """The same with two steps of training."""
    return re.sub(r"(?<=steps)( ?= ?)\d+", r"\g<1>2", text)


def blocks(page):
    """(language, text) of every block of code, in order."""
    return BLOCK.findall(Path(page).read_text(encoding="utf-8"))


def commands(text, monkeypatch):
    """What commands print; those of align run in this process, which has loaded torch."""
    printed, variables = io.StringIO(), {}
    for line in text.replace("\\\n", " ").splitlines():
        if variable := re.fullmatch(r"(\w+)=(\S+)", line):
            variables[f"${variable[1]}"] = variable[2]
            continue
        words = [variables.get(word, word) for word in shlex.split(line, comments=True)]
        if not words:
            continue
        if words[0] != "align":
            subprocess.run(["bash", "-euc", line], check=True)
            continue
        to = Path(words.pop()) if ">" in words else None
        words = [word for word in words if word != ">"]
        monkeypatch.setattr(sys, "argv", ["align", "-q", *words[1:]])
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 0, line
        (to.write_text if to else printed.write)(shown.getvalue())
    return printed.getvalue()


def run(page, monkeypatch, changed=lambda text: text):
    """All of a page, in the folder that the process is in; what it printed.

    Args:
        changed: what is run in the place of a block's text.
    """
    printed, names = io.StringIO(), {}
    for language, text in blocks(page):
        text = changed(text)
        if path := FILE.match(text):
            Path(path[1]).parent.mkdir(exist_ok=True)
            Path(path[1]).write_text(text, encoding="utf-8")
        elif language == "bash":
            printed.write(commands(text, monkeypatch))
        elif language == "python":
            with contextlib.redirect_stdout(printed):
                exec(compile(text, f"<{page}>", "exec"), names)
    return printed.getvalue()


def shimmed(folder):
    """An environment in which `align` is this checkout's and `pip install` goes to ``folder/site``."""
    (folder / "bin").mkdir(exist_ok=True)
    for name, module in (("align", "align.cli"), ("pip", "pip"), ("python", "")):
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module and f"-m {module}"} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    return os.environ | {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": f"{folder / 'site'}:{Path(cli.__file__).parents[2]}", "PIP_TARGET": str(folder / "site"),
        "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }  # fmt: skip
