"""Pairs of what is known of entities: their names, their triples, what is said of them (knowledge adapters)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from align.errors import InputError
from align.files.lines import text_lines
from align.files.whole import existing_file
from align.pairs.builder import Builder, Licence, shown
from align.pairs.lexicons.lexicon import GivenLexicons, Lexicon
from align.pairs.mentions import MENTION
from align.pairs.switching.entities import Names, name_finder, read_names
from align.pairs.table import PairWriter, pair_writer
from align.streams import stream
from align.text.languages import check_language

log = logging.getLogger(__name__)


class Triple(NamedTuple):
    """A line of a file of triples; ``problem`` says why it cannot be used, ``text`` what is written there."""

    number: int
    subject: str
    relation: str
    object: str
    problem: str = ""
    text: str = ""


def knowledge_pairs(
    names: GivenLexicons,
    out: Path | str,
    *,
    triples: Path | str | None = None,
    descriptions: Sequence[Path | str] = (),
    languages: Sequence[str] = (),
    per_entity: int = 10,
    seed: int = 0,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of pairs from names, triples and descriptions of entities to the folder ``out``; the manifest.

    Four kinds, each in languages that are drawn, of which an entity has names:

    - ``entity names`` (EP): two names of one entity, in two languages.
    - ``triple`` (TP): the name of the subject and that of the relation, and the name of the object.
    - ``description`` (ES): what is said of an entity, and its name. Where it names the entity, the first mention stands
      in the column ``mention``, and training pools its tokens alone; else the whole text.
    - ``described triple`` (TS): what is said of the subject, and the name of the object.

    ``group_id`` is the entity of the target, so that names of one entity are never negatives of each other.

    Args:
        names: as :func:`align.synonym_pairs` takes them, tables of a key and locales: ``id TAB en TAB hi``. Relations
            have their names there too; one without is written as it is, with spaces for ``_``.
        out: folder of the table; an older table there is replaced.
        triples: ``subject TAB relation TAB object``, keys of names, with or without the file's name before (``FILE:``).
        descriptions: files of texts of entities: a table of a key and locales, or JSON Lines of lists.
        languages: of the pairs; (): all.
        per_entity: pairs of each kind, of an entity or a triple, at most.
        seed: of what is drawn.
        licence: of the data, for the manifest.

    Raises:
        InputError: what the readers refuse; no triple that can be used, with the line of the first; no entity that is
            named in two languages, and nothing said of any. Nothing is written.

    References:
        Hou et al. 2022, findings-emnlp.287: EP, TP, ES, TS.
    """
    if per_entity < 1:
        raise InputError(f"per_entity, the pairs of an entity, is at least 1; got {per_entity}")
    wanted = [check_language(code) for code in languages]
    known = read_names(names, wanted)
    said = read_names([Lexicon(path, "entities") for path in descriptions], wanted) if descriptions else {}
    keys = {key.partition(":")[2]: key for key in known} | {key: key for key in known}
    told = {keys[plain]: of for key, of in said.items() if (plain := key.partition(":")[2]) in keys}
    alone = sum(len(of) == 1 for of in known.values())
    log.info("%d of %d entities are named in one language alone, and have no pair of names", alone, len(known))
    read = [*_triples(triples, keys)] if triples else []
    if read and all(one.problem for one in read):
        number, problem, text = read[0].number, read[0].problem, read[0].text
        raise InputError(f"{triples}: none of {len(read)} triples can be used; line {number}: {problem}: {text}")
    counts = dict.fromkeys(("entity names", "triple", "description", "described triple"), 0)
    with pair_writer(out) as writer:
        made = _Made(writer, known, per_entity, counts, bool(told))
        for number, entity in enumerate(known):
            rng = stream(seed, "knowledge", number)
            made.names(entity, rng)
            made.texts("description", told.get(entity, {}), "", entity, rng, mentioned=True)
        for one in read:
            if one.problem:
                writer.reject(one.problem, str(triples), one.number, one.text)
                continue
            rng = stream(seed, "triple", one.number)
            subject = known[one.subject]
            made.texts("triple", subject, one.relation, one.object, rng)
            made.texts("described triple", told.get(one.subject, {}), "", one.object, rng)
        if not writer.rows:
            raise InputError(
                f"no entity is named in two languages, and nothing is said of any: {len(known)} have names"
                + (f", such as {next(iter(known))} in {', '.join(known[next(iter(known))])}" if known else "")
            )
        unused = len(said) - len(told)
        if unused:
            log.warning("%d of %d descriptions are of entities without names", unused, len(said))
        writer.manifest |= {
            "kind": "knowledge", "entities": len(known), **counts, "mentions": made.mentions,
            "named_in_one_language": alone, "descriptions_without_names": unused, "licences": [licence],
            "options": {"languages": wanted, "per_entity": per_entity, "seed": seed},
        }  # fmt: skip
    return writer.manifest


@dataclass
class _Made:
    """The pairs, as they are made."""

    writer: PairWriter
    known: Names
    most: int
    counts: dict[str, int]
    described: bool
    mentions: int = 0

    def names(self, entity: str, rng: np.random.Generator) -> None:
        """Names of an entity in two languages."""
        of = self.known[entity]
        ways = [*combinations(sorted(of), 2)]
        for k in rng.permutation(len(ways))[: self.most]:
            one, other = ways[k] if rng.random() < 0.5 else ways[k][::-1]
            self.add("entity names", _one(of[one], rng), one, _one(of[other], rng), other, entity)

    def texts(
        self, kind: str, sources: Any, relation: str, entity: str, rng: np.random.Generator, *, mentioned: bool = False
    ) -> None:
        """Texts in the languages that they are in, each with a name of the entity in any."""
        named = self.known[entity]
        for k in rng.permutation(len(sources))[: self.most]:
            language = sorted(sources)[k]
            text = _one(sources[language], rng)
            if relation:
                labels = self.known.get(relation, {}).get(language)
                text += " " + (_one(labels, rng) if labels else relation.rpartition(":")[2].replace("_", " "))
            other = sorted(named)[int(rng.integers(len(named)))]
            place = self.place(text, entity, language) if mentioned else ""
            self.add(kind, text, language, _one(named[other], rng), other, entity, place)

    def place(self, text: str, entity: str, language: str) -> str:
        """Characters of the first mention of an entity in a text, ``0-4``; empty: there is none."""
        find, _ = name_finder({entity: self.known[entity]}, language)
        first = next(iter(find(text)), None)
        self.mentions += first is not None
        return f"{first.start}-{first.end}" if first else ""

    def add(self, kind: str, source: str, one: str, target: str, other: str, entity: str, place: str = "") -> None:
        if source != target:
            row = {"source": source, "target": target, "source_lang": one, "target_lang": other}
            row |= {MENTION: place} if self.described else {}
            self.writer.add(row | {"kind": kind, "group_id": entity})
            self.counts[kind] += 1


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _triples(path: Path | str, keys: dict[str, str]) -> Iterator[Triple]:
    """The lines of a file, those that cannot be used with the reason: other columns, no name, a cycle, a repetition."""
    seen: dict[tuple[str, str, str], int] = {}
    for number, (line, wrong) in enumerate(text_lines(existing_file(path)), 1):
        if not line.strip() and not wrong:
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        problem, why = wrong, ""
        if not wrong and (len(cells) != 3 or not all(cells)):
            problem = "expected subject TAB relation TAB object"
        if problem:
            yield Triple(number, "", "", "", problem, f"{line:.80}")
            continue
        subject, relation, object = (keys.get(cell, cell) for cell in cells)
        nameless = next((one for one in (subject, object) if one not in keys), "")
        if nameless:
            problem, why = "an entity without a name", f"no name of {nameless}"
        elif subject == object:
            problem, why = "a triple of an entity with itself", subject
        elif (subject, relation, object) in seen:
            problem, why = "a repetition", f"of line {seen[subject, relation, object]}"
        elif (object, relation, subject) in seen:
            problem, why = "a cycle", f"the reverse is line {seen[object, relation, subject]}"
        else:
            seen[subject, relation, object] = number
        yield Triple(number, subject, relation, object, problem, f"{line:.80} ({why})")


@dataclass(frozen=True)
class Options:
    """Pairs of names of one entity, and of its triples and descriptions with names."""

    names: Annotated[list[Path] | None, "Names of entities: .tsv of a key and locales, or .jsonl of lists."] = None
    triples: Annotated[Path | None, "File of subject TAB relation TAB object."] = None
    descriptions: Annotated[list[Path] | None, "Texts of entities, in the form of names; again for more."] = None
    languages: Annotated[str, "Codes with commas; by default all."] = ""
    per_entity: Annotated[int, "Pairs of each kind, of an entity or a triple, at most."] = 10
    seed: Annotated[int, "Of what is drawn."] = 0
    licence: Licence = "unknown"


def _build(given: Options, out: Path) -> dict[str, Any]:
    if not given.names:
        raise InputError("no words are given: expected names of entities, such as id TAB en TAB hi")
    manifest = knowledge_pairs(
        [*given.names], out, triples=given.triples, descriptions=given.descriptions or (),
        languages=[code for code in given.languages.split(",") if code], per_entity=given.per_entity, seed=given.seed,
        licence=given.licence,
    )  # fmt: skip
    return shown(
        manifest, "entities", "entity names", "triple", "description", "mentions", "described triple", "rejects"
    )


BUILDER = Builder("knowledge", Options, _build)
