"""Translation pairs: a sentence, and what it is in another language."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from align.pairs.builder import Builder, RowOptions, shown
from align.pairs.filters.held_out import GivenTests, HeldOut
from align.pairs.filters.identify import language_identifier
from align.pairs.filters.texts import Identify, TranslationFilters, pair_problem, side_problem
from align.pairs.reading.bitext import Translation, read_bitext
from align.pairs.reading.bitexts import ENGLISH, AnyBitext, Directions, Side, described_bitexts, find_bitexts
from align.pairs.reading.sources import GivenRows, two_names
from align.pairs.table import PairWriter, pair_writer, text_group
from align.text.normal_forms import normalised, text_hash

logger = logging.getLogger(__name__)


def translation_pairs(
    texts: GivenRows,
    out: Path | str,
    *,
    pivot: str | None = None,
    pivot_side: Side = "source",
    pairs: Sequence[tuple[str, str]] = (),
    columns: tuple[str, str] | None = None,
    filters: TranslationFilters | None = None,
    exclude: GivenTests = (),
    identify: Identify | None = None,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of translation pairs to the folder ``out`` and return its manifest.

    ``lines = rows + sum(rejects)`` in the manifest, where a line is one translation that was read: a line of two
    aligned files, a row, a unit. Rejects are listed with file, line and reason in ``rejects.tsv``. One pass: a dataset
    on the Hub is streamed once. Memory: some 70 bytes a pair, to find duplicates.

    ``group_id`` is ``folder:line`` for a folder of many languages, or three files and more: translations of one line
    share it, as transliteration pairs with ``groups="line"`` do. Elsewhere it is the hash of the pivot's text (of the
    source, in a pair without the pivot): the translations of one sentence share it, wherever they come from.

    Args:
        texts: files, folders, ``RowFile``, ``HubRows``, or ``{codes: file or files}``.
            Line-aligned text, one file a language: ``{"eng_Latn": "corpus.en", "hin_Deva": "corpus.hi"}``, or files
            (or a folder of them) named ``eng_Latn.txt``, ``hin_Deva.txt.gz``.
            Both sides in one file: ``{"eng_Latn-hin_Deva": "corpus.tmx"}``, or a file named ``eng_Latn-hin_Deva.tsv``;
            endings ``.tmx``, ``.tsv`` (source TAB target), ``.jsonl``, compressed or not, ``.parquet``.
        out: folder of the table; an older table there is replaced.
        pivot: of line-aligned text, the language in every pair; None: eng_Latn if it is there, else the first of two.
        pivot_side: side of the pivot in line-aligned text.
        pairs: of line-aligned text, the (source, target) languages to pair, instead of each language with the pivot.
        columns: names of the two columns, of TSV also their numbers (from 1); None: ``source, target``, ``english,
            non_english`` (the parallel sentences of sentence-transformers), ``src, tgt``; the first two of TSV without
            a header.
        filters: lengths, length ratio, script, copies, duplicates.
        exclude: test sets, files or folders: a pair with one of their texts on either side is rejected.
        identify: a language identifier, such as ``language_identifier()``; a side that it finds to be in another
            language is rejected.
        licence: of the sources that do not carry their own, for the manifest.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; two line-aligned files have other numbers of lines
            (both are given); no pair is left. Nothing is written.
    """
    directions, filters = Directions(tuple(pairs), pivot, pivot_side), filters or TranslationFilters()
    bitexts = find_bitexts(texts, directions, licence=licence)
    with pair_writer(out) as writer:
        held_out = HeldOut(exclude)
        build = _Table(writer, filters, held_out, identify, pivot or ENGLISH)
        lines = {bitext: build.read(bitext, columns) for bitext in bitexts}
        sources = described_bitexts(lines)
        writer.manifest |= {
            "kind": "translation",
            "lines": sum(lines.values()),
            "language_pairs": dict(build.pairs),
            "excluded": held_out.described(),
            "licences": sorted({source["licence"] for source in sources}),
            "sources": sources,
            "options": {
                "pairs": [list(pair) for pair in pairs],
                "pivot": pivot,
                "pivot_side": pivot_side,
                "columns": list(columns) if columns else None,
                "filters": asdict(filters),
                "identify": getattr(identify, "__name__", str(identify)) if identify else "none",
            },
        }
        empty = [name for name, rows in build.pairs.items() if not rows]
        if empty and writer.rows:
            logger.warning("no pair is left of %s; rejects: %s", ", ".join(empty), dict(writer.rejects))
    return writer.manifest


@dataclass
class _Table:
    """Rejects and pairs, as they come."""

    writer: PairWriter
    filters: TranslationFilters
    held_out: HeldOut
    identify: Identify | None
    pivot: str
    pairs: Counter[str] = field(default_factory=Counter)
    seen: dict[str, set[int]] = field(default_factory=dict)

    def read(self, bitext: AnyBitext, columns: tuple[str, str] | None) -> int:
        count = 0
        for item in read_bitext(bitext, columns):
            count += 1
            languages = f"{item.source_lang}-{item.target_lang}"
            reason = item.problem or self.reason(item, languages)
            self.pairs[languages] += not reason
            if reason:
                self.writer.reject(reason, item.file, item.number, f"{item.source}\t{item.target}")
            else:
                self.add(item)
        return count

    def reason(self, item: Translation, languages: str) -> str:
        for side, text, language in zip(("source", "target"), item[4:6], item[2:4], strict=True):
            problem = side_problem(text, language, self.filters, self.identify)
            if problem:
                return f"{side}: {problem}"
        problem = pair_problem(item.source, item.target, self.filters)
        if problem:
            return problem
        source, target = normalised(item.source), normalised(item.target)
        if self.held_out.meets(source, target):
            return "in a test set"
        seen, key = self.seen.setdefault(languages, set()), text_hash(f"{source}\t{target}")
        if self.filters.duplicates == "exact" and key in seen:
            return "duplicate"
        seen.add(key)
        return ""

    def add(self, item: Translation) -> None:
        pivot = item.target if item.target_lang == self.pivot else item.source
        row = {"source": item.source, "target": item.target}
        row |= {"source_lang": item.source_lang, "target_lang": item.target_lang, "kind": "translation"}
        self.writer.add(row | {"group_id": item.group or text_group(pivot)})


@dataclass(frozen=True)
class Options(RowOptions):
    """Pairs of translations: line-aligned files, .tsv, .tmx, .jsonl, .parquet or a Hub dataset."""

    pivot: Annotated[str | None, "Language in every pair of line-aligned text; by default eng_Latn."] = None
    pivot_side: Annotated[Side, "Side of the pivot."] = "source"
    pair: Annotated[list[str] | None, "Instead of the pivot: languages to pair, hin_Deva-tam_Taml; again for more."] = (
        None
    )
    columns: Annotated[str | None, "Names of the two columns, or in .tsv numbers: 2,4."] = None
    exclude: Annotated[list[Path] | None, "Test set, file or folder, whose texts no pair may hold; again for more."] = (
        None
    )
    filters: TranslationFilters = field(default_factory=TranslationFilters)
    identify: Annotated[
        float | None, "Reject a side that py3langid (extra langid) is so certain, 0.9 say, to be in another language."
    ] = None


def _build(given: Options, out: Path) -> dict[str, Any]:
    manifest = translation_pairs(
        given.sources(), out, pivot=given.pivot, pivot_side=given.pivot_side,
        pairs=[two_names(each) for each in given.pair or ()],
        columns=two_names(given.columns) if given.columns else None,
        filters=given.filters, exclude=given.exclude or (), licence=given.licence,
        identify=language_identifier(certainty=given.identify) if given.identify else None,
    )  # fmt: skip
    return shown(manifest, "lines", "language_pairs", "rejects", "excluded")


BUILDER = Builder("translation", Options, _build)
