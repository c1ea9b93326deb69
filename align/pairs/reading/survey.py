"""The first pass over the sources: what stands in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from align.errors import InputError
from align.files.whole import sha256
from align.pairs.filters.selection import Selection
from align.pairs.reading.lines import Line, read_source
from align.pairs.reading.sources import AnySource, HubText, Source


@dataclass
class Reading:
    """One source, the number of its lines and the languages they name."""

    source: AnySource
    lines: int = 0
    languages: set[str] = field(default_factory=set)

    def described(self) -> dict[str, Any]:
        """Entry of the source in the manifest."""
        about = {
            "name": self.source.name,
            "languages": sorted(self.languages),
            "licence": self.source.licence,
            "human": self.source.human,
            "lines": self.lines,
        }
        if isinstance(self.source, HubText):
            return about | {"revision": self.source.revision}
        return about | {"sha256": sha256(self.source.path)}


def survey(source: AnySource, selection: Selection) -> Reading:
    """Show every line of ``source`` to ``selection``."""
    reading = Reading(source)
    for line in read_source(source):
        reading.lines += 1
        if line.problem != "unknown language code":
            reading.languages.add(line.language)
        selection.see(line)
    return reading


def outcomes(reading: Reading, selection: Selection) -> Iterator[tuple[Line, str]]:
    """Second pass: every line of a source, with the reason why it gives no pair, or ``""``.

    Raises:
        InputError: the source has another number of lines than in the first pass.
    """
    count = 0
    for line in read_source(reading.source):
        count += 1
        yield line, selection.reason(line)
    if count != reading.lines:
        raise InputError(f"{reading.source.name} changed while it was read: {reading.lines} lines, then {count}")


def collection_of(readings: Sequence[Reading]) -> str:
    """Name of line-aligned text: the folder, or dataset, of its first source.

    Raises:
        InputError: a source has several languages, holds human romanisations, or has another number of lines.
    """
    first = readings[0]
    for reading in readings:
        name = reading.source.name
        if reading.source.human or len(reading.languages) > 1:
            raise InputError(f"{name}: groups by line need files of one language and one text a line")
        if reading.lines != first.lines:
            raise InputError(
                f"{name} has {reading.lines} lines and {first.source.name} has {first.lines}; "
                "groups by line need line-aligned files"
            )
    source = first.source
    return source.path.resolve().parent.name if isinstance(source, Source) else source.dataset
