"""Transliteration pairs: a text in its own script, and the same text in Latin letters.

Two sources fill one table: raw text that a romaniser turns into Latin letters (TransliCo, arXiv:2401.06620; PPA,
arXiv:2406.19759), and romanisations that people wrote (Dakshina). The target of ``hin_Deva`` is ``hin_Latn``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from align.errors import InputError
from align.pairs.builder import Backend, Builder, Licence, Processes, shown
from align.pairs.choices import check_choice
from align.pairs.filters.shares import Share
from align.pairs.filters.texts import Filters
from align.pairs.reading.finding import find_sources
from align.pairs.reading.lines import Line
from align.pairs.reading.sources import Given, HubText, Source
from align.pairs.romanizers import Romanizer, chosen_romanizer, each_language, respelling, romanised_words
from align.pairs.selection import Reading, Selection, write_selected
from align.pairs.table import pair_writer, text_group
from align.text.languages import latin

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
    respell: bool = False,
) -> dict[str, Any]:
    """Write a table of transliteration pairs to the folder ``out`` and return its manifest.

    Every line read ends in one of three places: ``lines = rows + sum(rejects) + not_sampled`` in the manifest. Rejects
    are listed with file, line and reason in ``rejects.tsv``. All sources are read once before anything is written.

    Identity pairs (the two sides equal but for case and white space, as most ASCII text is after romanisation) are
    counted, and dropped unless ``filters`` keeps them: every encoder solves them already, so they teach nothing and
    fill batches. TransliCo keeps them. They are known only after sampling, so that a language may end below its quota.

    Args:
        texts: a file, a folder, a list of files, ``Source`` and ``HubText``, or ``{code: file or files}``. Files are
            named by their language: ``hin_Deva.txt``, ``.jsonl``, compressed or not, ``.parquet``; ``()`` for none.
        out: folder of the table; an older table there is replaced.
        human: the same for files of ``native TAB roman`` (``.tsv``, compressed or not); never sampled, all kept.
        share: how many lines of each language; all by default.
        filters: lengths, duplicates, identity pairs.
        groups: ``text``: equal texts share a ``group_id`` (its hash), in any language. ``line``: line i of every file
            has one meaning, as in a Bible, and ``group_id`` is ``folder:i``.
        backend: romaniser, as ``align.text.romanize.romanizer`` names them.
        processes: processes that romanise.
        licence: of the sources that do not carry their own, for the manifest.
        romanizer: a function to use instead of ``backend``.
        respell: romanise the texts of each language of ``human`` as people spell it, learnt from these
            (:mod:`align.text.romanize.spellings`); another ``share.seed`` writes other spellings of the same texts.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; the files are not line-aligned though ``groups``
            says so; no pair is left. Nothing is written.
    """
    check_choice("groups", groups, Groups)
    raw = find_sources(texts, licence=licence)
    spelt = find_sources(human, human=True, licence=licence)
    sources = raw + spelt
    if not sources:
        raise InputError("no text is given: expected files, a folder or a dataset")
    share, filters = share or Share(), filters or Filters()
    romanizer, version = chosen_romanizer(romanizer, backend=backend, processes=processes)
    if respell:
        romanizer, version = respelling(spelt, romanizer, version, seed=share.seed)
    selection, group = Selection(filters, share), _Groups(groups)
    with pair_writer(out) as writer:
        writer.manifest |= write_selected(
            sources, selection, writer, lambda lines: _targets(lines, romanizer), group.row, check=group.check,
            identity=filters.identity, block_lines=BLOCK_LINES,
        )  # fmt: skip
        languages = {code for source in writer.manifest["sources"] for code in source["languages"]}
        writer.manifest |= {
            "kind": "transliteration",
            "available": selection.available,
            "drawn": selection.drawn,
            "languages_without_pairs": writer.without_pairs(languages),
            "romaniser": version if raw else "none",
            "options": {"share": asdict(share), "filters": asdict(filters), "groups": groups},
        }
    return writer.manifest


@dataclass
class _Groups:
    """The columns of a pair beside its texts: ``group_id`` is that of the text, or of the line."""

    groups: Groups
    collection: str = ""

    def check(self, readings: Sequence[Reading]) -> None:
        if self.groups == "line":
            self.collection = _collection(readings)

    def row(self, line: Line) -> dict[str, str]:
        return {
            "source_lang": line.language,
            "target_lang": latin(line.language),
            "kind": "human transliteration" if line.roman else "transliteration",
            "group_id": f"{self.collection}:{line.number}" if self.collection else text_group(line.text),
        }


def _collection(readings: Sequence[Reading]) -> str:
    """Name of line-aligned text: the folder, or dataset, of its first source."""
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


def _targets(lines: Sequence[Line], romanizer: Romanizer) -> list[str]:
    """The romanisation of each line: the human one, or else that of the romaniser, a language at a time."""
    raw = [line for line in lines if not line.roman]
    texts, languages = [line.text for line in raw], [line.language for line in raw]
    romanised = iter(each_language(texts, languages, lambda some, code: romanised_words(some, code, romanizer)))
    return [line.roman or next(romanised) for line in lines]


@dataclass(frozen=True)
class Options:
    """Pairs of a text and its romanisation, as Parquet with a manifest."""

    texts: Annotated[list[Path] | None, "Files or folders of <lang_Script>.txt, .jsonl, .parquet."] = None
    human: Annotated[list[Path] | None, "Files of native TAB roman, named <lang_Script>.tsv."] = None
    hub: Annotated[str | None, "Dataset on the Hub, name or name:config, streamed."] = None
    lang: Annotated[str | None, "Language of the Hub dataset, such as hin_Deva."] = None
    share: Share = field(default_factory=Share)
    filters: Filters = field(default_factory=Filters)
    groups: Annotated[Groups, "text, or line if the files are line-aligned translations."] = "text"
    licence: Licence = "unknown"
    backend: Backend = "uroman"
    processes: Processes = 1
    respell: Annotated[
        bool, "Romanise as people spell: learnt from --human, by language; again with another --seed."
    ] = False


def _build(given: Options, out: Path) -> dict[str, Any]:
    texts: list[Any] = list(given.texts or [])
    if given.hub:
        name, _, config = given.hub.partition(":")
        texts.append(HubText(name, config or None, language=given.lang, licence=given.licence))
    manifest = transliteration_pairs(
        texts, out, human=given.human or (), share=given.share, filters=given.filters, groups=given.groups,
        backend=given.backend, processes=given.processes, licence=given.licence, respell=given.respell,
    )  # fmt: skip
    return shown(manifest, "languages", "rejects", "identity_pairs", "romaniser")


BUILDER = Builder("transliteration", Options, _build)
