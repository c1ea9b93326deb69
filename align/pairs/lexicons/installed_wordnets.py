"""What the library ``wn`` has installed, without making a database where there is none."""

from __future__ import annotations

from typing import Any


def installed_lexicons(name: str) -> list[Any]:
    """The lexicons that ``wn`` has under a name such as ``omw-fr:1.4``; it must be importable."""
    import wn

    config = wn.config  # type: ignore[attr-defined]  # documented, but not among wn's exports
    if not config.database_path.is_file():  # asking for a lexicon would make an empty one
        return []
    return list(wn.lexicons(lexicon=name))
