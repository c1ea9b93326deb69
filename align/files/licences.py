"""Licences of data: what a README says, and which of them the user allows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from align.errors import InputError

ANY = "any"
UNKNOWN = ("", "unknown", "none stated", "not stated")
READMES = ("README.md", "README", "README.txt", "readme.md", "README.rst", "LICENSE", "LICENCE", "LICENSE.txt")
READ = 20_000
"""Characters of a README that are looked at."""
_STATED = re.compile(
    r"^[#*>\s-]*(?:\*\*|__)?licen[cs]e(?:s|_name)?(?:\*\*|__)?\s*[:=]\s*(?:\*\*|__)?\s*(?:\n\s*-\s*)?(\S[^\n]*)",
    re.I | re.M,
)
_NAMED = re.compile(r"\b(CC[ -]BY(?:[ -](?:NC|SA|ND))*(?:[ -]\d\.\d)?|Creative Commons [\w -]+?\d\.\d)", re.I)
_NONCOMMERCIAL = re.compile(r"\bnc\b|non-?\s?commercial|\b(?:research|academic)\b[^.]*\bonly\b", re.I)

_allowed: ContextVar[tuple[str, ...] | None] = ContextVar("allowed", default=None)


@contextmanager
def allowing(licences: Sequence[str] | None) -> Iterator[None]:
    """While the context lasts, data of these licences may be read, and no other.

    Args:
        licences: as the data state them, whatever their capitals and signs (``cc-by-nc-4.0`` is CC BY-NC 4.0); ``any``:
            all; ``unknown``: what states none. ``None``: what may be used commercially, or states no licence.
    """
    token = _allowed.set(None if licences is None else tuple(licences))
    try:
        yield
    finally:
        _allowed.reset(token)


def check_licence(what: str, licence: str) -> None:
    """Refuse data whose licence the user has not allowed.

    Raises:
        InputError: it is for non-commercial use and nobody allowed that, or it is none of those that are allowed.
    """
    allowed = _allowed.get()
    stated = "" if licence in UNKNOWN else licence
    if allowed is None and _NONCOMMERCIAL.search(stated):
        raise InputError(
            f"{what} is under {stated}, which is not for commercial use: if yours is none, say so with "
            f"--allow-licenses {re.sub(r'[^a-z0-9.]+', '-', stated.lower())} (or any)"
        )
    if allowed is None or ANY in allowed or _is_one(stated, allowed):
        return
    of = f"is under {stated}" if stated else "states no licence"
    raise InputError(f"{what} {of}, and only {', '.join(allowed)} is allowed (--allow-licenses)")


def stated_licence(path: Path) -> str:
    """The licence that the README of a folder, or of the folder of a file, states; ``""`` if there is none.

    It is what follows ``license:``, as in the card of a dataset on the Hub, or else a licence of Creative Commons that
    is named.
    """
    folder = path if path.is_dir() else path.parent
    for name in READMES:
        if (folder / name).is_file():
            text = (folder / name).read_bytes()[:READ].decode("utf-8", "replace")
            found = _STATED.search(text) or _NAMED.search(text)
            if found:
                return found[1].strip(" \t\r\"'*_.-")
    return ""


def known_licence(path: Path, licence: str) -> str:
    """``licence`` where it is known, else what the README beside ``path`` says, else ``licence``."""
    return licence if licence not in UNKNOWN else stated_licence(path) or licence


def _is_one(stated: str, allowed: Sequence[str]) -> bool:
    if not stated:
        return "unknown" in allowed
    return any(letters(stated).startswith(letters(one)) and _same_terms(stated, one) for one in allowed if letters(one))


def _same_terms(stated: str, one: str) -> bool:
    """CC BY is not CC BY-NC, nor CC BY-SA."""
    terms = [set(re.findall(r"nc|sa|nd", text.lower().partition("(")[0].split("http")[0])) for text in (stated, one)]
    return not letters(stated).startswith("ccby") or terms[0] == terms[1]


def letters(text: str) -> str:
    """Letters and digits of a licence's name, in lower case."""
    return re.sub(r"[^a-z0-9]", "", text.lower())
