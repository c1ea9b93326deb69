"""Under which licence a wordnet says that it stands."""

from __future__ import annotations

import gzip
import html
import importlib.util
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from align.pairs.lexicons.installed_wordnets import installed_lexicons

HEAD = 1 << 16
LICENCE = re.compile(rb"<Lexicon\s[^>]*?\slicense\s*=\s*([\"'])(.*?)\1", re.DOTALL)
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def wordnet_licence(source: Path | str) -> str:
    """The attribute ``license`` of the first lexicon of a WN-LMF file or of an installed lexicon; "" if it has none."""
    path = Path(source)
    if path.is_file():
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            found = LICENCE.search(file.read(HEAD))
        return html.unescape(found[2].decode("utf-8", "replace")).strip() if found else ""
    if importlib.util.find_spec("wn") is None:
        return ""
    return next((str(lexicon.license or "") for lexicon in installed_lexicons(str(source))), "")
