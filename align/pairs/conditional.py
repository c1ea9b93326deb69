"""Pairs of a text and its conditional transliteration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.pairs.conversion import Conversion, Converter
from align.pairs.filters.lines import Filters
from align.pairs.filters.selection import NOT_SAMPLED, Selection
from align.pairs.filters.shares import Share
from align.pairs.groups import text_group
from align.pairs.reading.lines import Line
from align.pairs.reading.sources import Given, find_sources
from align.pairs.reading.survey import Reading, outcomes, survey
from align.pairs.romanizers import Romanizer, chosen_romanizer
from align.pairs.table import PairWriter, pair_writer
from align.pairs.tagging.tagger import Tagger
from align.pairs.tagging.token_text import Tokens, join_tokens, split_tokens
from align.pairs.tagging.word_tables import described_lexicon
from align.text.languages import check_language
from align.text.normal_forms import folded

KIND = "conditional transliteration"
BLOCK_LINES = 20_000


def conditional_pairs(
    texts: Given,
    out: Path | str,
    tagger: Tagger | None = None,
    conversion: Conversion | None = None,
    *,
    tokens: Tokens = "words",
    share: Share | None = None,
    filters: Filters | None = None,
    target_script: str = "Latn",
    backend: str = "uroman",
    processes: int = 1,
    licence: str = "unknown",
    romanizer: Romanizer | None = None,
) -> dict[str, Any]:
    """Write a table of texts and their conversions to the folder ``out`` and return its manifest.

    The source is the line as it was; in the target each token is converted and the white space between them is the
    same. Each line ends as in ``transliteration_pairs``: ``lines = rows + sum(rejects) + not_sampled``. So do identity
    pairs, of which texts that are passed whole are most. ``tokens``, ``actions``, ``tags``, ``lexicon_misses``,
    ``empty_romanisations`` and ``joined`` in the manifest count the tokens of all converted lines, identity pairs
    included.

    Args:
        texts: a file, a folder, a list of files, ``Source`` and ``HubText``, or ``{code: file or files}``, as in
            ``transliteration_pairs``.
        out: folder of the table; an older table there is replaced.
        tagger: as in ``convert``; its facts go into the manifest.
        conversion: as in ``convert``.
        tokens: how a line is cut into tokens, as in ``split_tokens``.
        share: how many lines of each language; all by default.
        filters: lengths, duplicates, identity pairs.
        target_script: script of the targets' language codes; another one only with a ``romanizer`` that writes it.
        backend: romaniser, as ``align.text.romanize.romanizer`` names them.
        processes: processes that romanise.
        licence: of the sources that do not carry their own, for the manifest.
        romanizer: a function to use instead of ``backend``; it sees each token on its own.

    Raises:
        InputError: as ``convert``; also a source that is missing, empty, damaged or misnamed, or no pair is left.
            Nothing is written.
    """
    sources = find_sources(texts, licence=licence)
    if not sources:
        raise InputError("no text is given: expected files, a folder or a dataset")
    split_tokens("", tokens)  # refuses an unknown way before anything is read
    check_language(f"und_{target_script}")
    share, filters, conversion = share or Share(), filters or Filters(), conversion or Conversion()
    run, version = chosen_romanizer(romanizer, backend=backend, processes=processes)
    converter = Converter(tagger, conversion, run)
    selection = Selection(filters, share)
    with pair_writer(out) as writer:
        readings = [survey(source, selection) for source in sources]
        selection.settle()
        build = _Build(writer, converter, tokens, filters, target_script)
        for reading in readings:
            build.read(reading, selection)
        build.flush()
        writer.manifest |= converter.counts() | {
            "kind": KIND,
            "lines": sum(reading.lines for reading in readings),
            "not_sampled": build.not_sampled,
            "identity_pairs": build.identity_pairs,
            "sources": [reading.described() for reading in readings],
            "romaniser": version,
            "tagger": dict(tagger.facts) if tagger else None,
            "options": {
                "variant": conversion.variant,
                "actions": dict(conversion.actions),
                "lexicon": described_lexicon(conversion.lexicon),
                "tokens": tokens,
                "share": asdict(share),
                "filters": asdict(filters),
                "target_script": target_script,
            },
        }
    return writer.manifest


@dataclass
class _Build:
    """The second pass: rejects at once, pairs in blocks."""

    writer: PairWriter
    converter: Converter
    tokens: Tokens
    filters: Filters
    target_script: str
    not_sampled: int = 0
    identity_pairs: int = 0
    block: list[Line] = field(default_factory=list)

    def read(self, reading: Reading, selection: Selection) -> None:
        for line, reason in outcomes(reading, selection):
            if reason == NOT_SAMPLED:
                self.not_sampled += 1
            elif reason:
                self.writer.reject(reason, line.file, line.number, line.text)
            else:
                self.block.append(line)
            if len(self.block) == BLOCK_LINES:
                self.flush()

    def flush(self) -> None:
        targets: dict[int, str] = {}
        for language in dict.fromkeys(line.language for line in self.block):
            places = [i for i, line in enumerate(self.block) if line.language == language]
            cut = [split_tokens(self.block[i].text, self.tokens) for i in places]
            converted = self.converter.convert([tokens for tokens, _ in cut], language)
            texts = [join_tokens(tokens, between) for tokens, (_, between) in zip(converted, cut, strict=True)]
            targets |= dict(zip(places, texts, strict=True))
        for i, line in enumerate(self.block):
            self.add(line, targets[i])
        self.block = []

    def add(self, line: Line, target: str) -> None:
        if folded(target) == folded(line.text):
            self.identity_pairs += 1
            if self.filters.identity == "drop":
                return self.writer.reject("identity", line.file, line.number, line.text)
        codes = {"source_lang": line.language, "target_lang": f"{line.language.partition('_')[0]}_{self.target_script}"}
        row = {"source": line.text, "target": target, "kind": KIND, "group_id": text_group(line.text)}
        return self.writer.add(row | codes)
