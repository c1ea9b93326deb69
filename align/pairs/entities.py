"""Pairs of a sentence whose entities are named in another language, and the sentence as it was (EntityCS)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from align.errors import InputError
from align.files.packed import plain_suffix
from align.pairs.builder import Builder, Licence, shown
from align.pairs.lexicons.lexicon import GivenLexicons
from align.pairs.reading.finding import find_sources
from align.pairs.reading.lines import read_source
from align.pairs.reading.records import bad_row, json_records
from align.pairs.reading.sources import AnySource, Given, Source, language_of_name
from align.pairs.switching.entities import Mention, Names, name_finder, read_mentions, read_names, switch_entities
from align.pairs.table import pair_writer, text_group
from align.streams import stream
from align.text.languages import check_language

log = logging.getLogger(__name__)


class Linked(NamedTuple):
    """A text and its entities; ``problem`` says why it cannot be used."""

    file: str
    number: int
    language: str
    text: str
    mentions: list[Mention]
    problem: str = ""


def entity_pairs(
    texts: Given,
    names: GivenLexicons,
    out: Path | str,
    *,
    languages: Sequence[str] = (),
    outputs: int = 5,
    seed: int = 0,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of pairs switched by entities to the folder ``out`` and return its manifest.

    The source is a sentence with all its entities named in one other language, the target the sentence as it was. The
    ``source_lang`` is the language of the names, so that ``train.batches_by_language`` makes batches of one, and
    ``train.language_temperature = 0.5`` draws them as the paper does (q ~ p^.5).

    JSON Lines hold the entities of each text (:func:`align.pairs.switching.entities.read_mentions`); in other files the
    names themselves are looked for, whole words, as they are written, without those of two entities.

    Args:
        texts: as :func:`align.transliteration_pairs` takes them, ``eng_Latn.jsonl`` or ``eng_Latn.txt``.
        names: of the entities, as :func:`align.synonym_pairs` takes them: tables of a key and locales, JSON Lines of
            ``{"id": "Q585", "en": ["Oslo"], "hi": ["ओस्लो"]}``. In JSON Lines of texts ``id`` is ``FILE:KEY``, where
            FILE is that of the names without its ending, or the key alone.
        out: folder of the table; an older table there is replaced.
        languages: to switch into; (): all that have names.
        outputs: switched texts of one sentence, at most, each in another language.
        seed: of what is drawn.
        licence: of the texts that do not carry their own, for the manifest.

    Raises:
        InputError: what the readers refuse; no name, no entity that is named in another language. Nothing is written.
    """
    if outputs < 1:
        raise InputError(f"outputs, the switched texts of a sentence, is at least 1; got {outputs}")
    sources = find_sources(texts, licence=licence)
    if not sources:
        raise InputError("no text is given: expected files or a folder")
    known: Names = read_names(names)
    if not known:
        raise InputError("no name of an entity: expected tables of a key and locales, such as id TAB en TAB hi")
    wanted = {check_language(code) for code in languages}
    linked = [one for source in sources for one in _linked(source, known)]
    may = {
        entity: {code: every for code, every in of.items() if not wanted or code in wanted}
        for entity, of in known.items()
    }
    covered = _coverage(linked, may)
    counts: Counter[str] = Counter()
    with pair_writer(out) as writer:
        for number, one in enumerate(linked):
            rng = stream(seed, "entities", number)
            made = (
                {} if one.problem else switch_entities(one.text, one.mentions, may, one.language, rng, outputs=outputs)
            )
            if not made:
                problem, _, value = (one.problem or _reason(one, may)).partition(": ")
                writer.reject(problem, one.file, one.number, f"{one.text}\t{value}" if value else one.text)
            row = {"target": one.text, "target_lang": one.language, "kind": "switched entities"}
            for code, text in made.items():
                writer.add(row | {"source": text, "source_lang": code, "group_id": text_group(one.text)})
                counts[code] += 1
        writer.manifest |= {
            "kind": "switched entities", "texts": len(linked), "into": dict(sorted(counts.items())), **covered,
            "licences": [licence], "options": {"languages": sorted(wanted), "outputs": outputs, "seed": seed},
        }  # fmt: skip
    return writer.manifest


def _linked(source: AnySource, names: Names) -> Iterator[Linked]:
    """The texts of a source and their entities, as the file says, or found by name."""
    if isinstance(source, Source) and plain_suffix(source.path) == ".jsonl" and _says_entities(source.path):
        language = source.language or language_of_name(source.path)
        ids = {entity: entity for entity in names} | {entity.partition(":")[2]: entity for entity in names}
        for number, record in json_records(source.path, keep_bad=True):
            text, problem = str(record.get("text", "")), bad_row(record)
            mentions, wrong = ([], problem) if problem else read_mentions(record, text)
            mentions = [one._replace(entity=ids.get(one.entity, one.entity)) for one in mentions]
            yield Linked(source.name, number, language, text, mentions, wrong or _empty(text))
        return
    find: dict[str, Any] = {}
    for line in read_source(source):
        if line.language not in find:
            find[line.language], left = name_finder(names, line.language)
            if left:
                log.info("%d names in %s are of two entities, and not looked for", left, line.language)
        mentions = [] if line.problem else find[line.language](line.text)
        yield Linked(line.file, line.number, line.language, line.text, mentions, line.problem or _empty(line.text))


def _empty(text: str) -> str:
    return "" if text.strip() else "empty"


def _says_entities(path: Path) -> bool:
    return "entities" in next((record for _, record in json_records(path, keep_bad=True)), {})


def _reason(one: Linked, names: Names) -> str:
    if not one.mentions:
        return "no entity"
    known = [mention for mention in one.mentions if {*names.get(mention.entity, ())} - {one.language}]
    problem = "no language has names of all entities" if known else "no entity is named in another language"
    return f"{problem}: {', '.join(dict.fromkeys(mention.entity for mention in one.mentions))}"


def _coverage(linked: Sequence[Linked], names: Names) -> dict[str, int]:
    """Counts of the manifest; logged.

    Raises:
        InputError: no entity is named in another language.
    """
    good = [one for one in linked if not one.problem]
    with_one = sum(1 for one in good if one.mentions)
    every = [(one, mention) for one in good for mention in one.mentions]
    known = sum(bool({*names.get(mention.entity, ())} - {one.language}) for one, mention in every)
    log.info(
        "%d of %d texts have entities; %d of %d entities are named in another language", with_one, len(good), known,
        len(every),
    )  # fmt: skip
    if not known:
        some = ", ".join(dict.fromkeys(mention.entity for _, mention in every[:5])) or "none"
        raise InputError(
            f"no entity of the texts is named in another language: {len(every)} were found ({some}), and "
            f"{len(names)} have names"
        )
    return {"with_entities": with_one, "entities": len(every), "named": known}


@dataclass(frozen=True)
class Options:
    """Pairs of a sentence with its entities named in another language, and the sentence as it was."""

    texts: Annotated[list[Path] | None, "Files or folders of <lang_Script>.jsonl with entities, or .txt."] = None
    names: Annotated[
        list[Path] | None, "Names of the entities, .tsv of a key and locales or .jsonl; again for more."
    ] = None
    languages: Annotated[str, "Codes with commas, to switch into; by default all that have names."] = ""
    outputs: Annotated[int, "Switched texts of a sentence, at most, each in another language."] = 5
    seed: Annotated[int, "Of what is drawn."] = 0
    licence: Licence = "unknown"


def _build(given: Options, out: Path) -> dict[str, Any]:
    if given.texts and not given.names:
        raise InputError("no names are given: expected --names FILE, a table of a key and locales")
    manifest = entity_pairs(
        given.texts or (), [*(given.names or ())], out, languages=[code for code in given.languages.split(",") if code],
        outputs=given.outputs, seed=given.seed, licence=given.licence,
    )  # fmt: skip
    return shown(manifest, "texts", "with_entities", "entities", "named", "into", "rejects")


BUILDER = Builder("entities", Options, _build)
