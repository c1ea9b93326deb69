"""Transliteration pairs: a text in its own script, and the same text in Latin letters.

Two sources fill one table: raw text that a romaniser turns into Latin letters (TransliCo, arXiv:2401.06620; PPA,
arXiv:2406.19759), and romanisations that people wrote (Dakshina). The target of ``hin_Deva`` is ``hin_Latn``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from align.errors import InputError
from align.pairs.filters.lines import Filters
from align.pairs.filters.selection import NOT_SAMPLED, Selection
from align.pairs.filters.shares import Share
from align.pairs.groups import text_group
from align.pairs.reading.lines import Line
from align.pairs.reading.sources import Given, find_sources
from align.pairs.reading.survey import Reading, collection_of, outcomes, survey
from align.pairs.romanizers import Romanizer, chosen_romanizer, romanised_words
from align.pairs.table import PairWriter, pair_writer
from align.text.normal_forms import folded

logger = logging.getLogger(__name__)

Groups = Literal["text", "line"]
BLOCK_LINES = 100_000  # some 50 MB; each block may start the romaniser's processes anew


def transliteration_pairs(
    texts: Given,
    out: Path | str,
    *,
    human: Given = (),
    share: Share | None = None,
    filters: Filters | None = None,
    groups: Groups = "text",
    backend: str = "uroman",
    processes: int = 1,
    licence: str = "unknown",
    romanizer: Romanizer | None = None,
) -> dict[str, Any]:
    """Write a table of transliteration pairs to the folder ``out`` and return its manifest.

    Every line read ends in one of three places: ``lines = rows + sum(rejects) + not_sampled`` in the manifest. Rejects
    are listed with file, line and reason in ``rejects.tsv``. All sources are read once before anything is written.

    Identity pairs (the two sides equal but for case and white space, as most ASCII text is after romanisation) are
    counted, and dropped unless ``filters`` keeps them: every encoder solves them already, so they teach nothing and
    fill batches. TransliCo keeps them. They are known only after sampling, so that a language may end below its quota.

    Args:
        texts: a file, a folder, a list of files, ``Source`` and ``HubText``, or ``{code: file or files}``. Files are
            named by their language: ``hin_Deva.txt``, ``.txt.gz``, ``.jsonl``, ``.parquet``; ``()`` for none.
        out: folder of the table; an older table there is replaced.
        human: the same for files of ``native TAB roman`` (``.tsv``, ``.tsv.gz``); never sampled, all kept.
        share: how many lines of each language; all by default.
        filters: lengths, duplicates, identity pairs.
        groups: ``text``: equal texts share a ``group_id`` (its hash), in any language. ``line``: line i of every file
            has one meaning, as in a Bible, and ``group_id`` is ``folder:i``.
        backend: romaniser, as ``align.text.romanize.romanizer`` names them.
        processes: processes that romanise.
        licence: of the sources that do not carry their own, for the manifest.
        romanizer: a function to use instead of ``backend``.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; the files are not line-aligned though ``groups``
            says so; no pair is left. Nothing is written.
    """
    if groups not in get_args(Groups):
        raise InputError(f"groups is one of {', '.join(get_args(Groups))}; got {groups!r}")
    raw = find_sources(texts, licence=licence)
    sources = raw + find_sources(human, human=True, licence=licence)
    if not sources:
        raise InputError("no text is given: expected files, a folder or a dataset")
    share, filters = share or Share(), filters or Filters()
    romanizer, version = chosen_romanizer(romanizer, backend=backend, processes=processes)

    selection = Selection(filters, share)
    with pair_writer(out) as writer:
        readings = [survey(source, selection) for source in sources]
        selection.settle()
        collection = collection_of(readings) if groups == "line" else ""
        build = _Build(writer, romanizer, filters, collection)
        for reading in readings:
            build.read(reading, selection)
        build.flush()
        writer.manifest |= {
            "kind": "transliteration",
            "lines": sum(reading.lines for reading in readings),
            "not_sampled": build.not_sampled,
            "identity_pairs": build.identity_pairs,
            "available": selection.available,
            "drawn": selection.drawn,
            "languages_without_pairs": _languages_without_pairs(readings, writer),
            "sources": [reading.described() for reading in readings],
            "romaniser": version if raw else "none",
            "options": {"share": asdict(share), "filters": asdict(filters), "groups": groups},
        }
    return writer.manifest


@dataclass
class _Build:
    """The second pass: rejects at once, pairs in blocks, for the romaniser works on many texts at a time."""

    writer: PairWriter
    romanizer: Romanizer
    filters: Filters
    collection: str
    not_sampled: int = 0
    identity_pairs: int = 0
    block: list[Line] = field(default_factory=list)

    def read(self, reading: Reading, selection: Selection) -> None:
        for line, reason in outcomes(reading, selection):
            if reason == NOT_SAMPLED:
                self.not_sampled += 1
            elif reason:
                self.reject(reason, line)
            else:
                self.block.append(line)
            if len(self.block) == BLOCK_LINES:
                self.flush()

    def flush(self) -> None:
        for line, target in zip(self.block, _romanised(self.block, self.romanizer), strict=True):
            self.add(line, target)
        self.block = []

    def add(self, line: Line, target: str) -> None:
        if not target:
            return self.reject("empty romanisation", line)
        if folded(target) == folded(line.text):
            self.identity_pairs += 1
            if self.filters.identity == "drop":
                return self.reject("identity", line)
        row = {"source": line.text, "target": target, "source_lang": line.language}
        row |= {"target_lang": f"{line.language.partition('_')[0]}_Latn"}
        row |= {"kind": "human transliteration" if line.roman else "transliteration"}
        group = f"{self.collection}:{line.number}" if self.collection else text_group(line.text)
        return self.writer.add(row | {"group_id": group})

    def reject(self, reason: str, line: Line) -> None:
        self.writer.reject(reason, line.file, line.number, line.text)


def _romanised(lines: Sequence[Line], romanizer: Romanizer) -> list[str]:
    targets = [line.roman for line in lines]
    by_language: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        if not line.roman:
            by_language.setdefault(line.language, []).append(index)
    for language, indices in by_language.items():
        romanised = romanised_words([lines[index].text for index in indices], language, romanizer)
        for index, text in zip(indices, romanised, strict=True):
            targets[index] = text
    return targets


def _languages_without_pairs(readings: Sequence[Reading], writer: PairWriter) -> list[str]:
    missing = sorted(set().union(*(reading.languages for reading in readings)) - writer.languages.keys())
    if missing:
        logger.warning("no pair is left of %s; rejects: %s", ", ".join(missing), dict(writer.rejects))
    return missing
