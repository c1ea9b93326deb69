"""Entity alignment: does a name of an entity find a name of it among all names of another language?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from align.errors import InputError
from align.tasks.bli.protocols import BliProtocol
from align.tasks.bli.task import TASK as BLI
from align.tasks.bli.task import Content
from align.tasks.embedding import Encode
from align.tasks.task import Row, Task, Unit
from align.tasks.texts.bitext import PIVOT
from align.tasks.texts.bitext import chosen as chosen_codes
from align.tasks.texts.dictionaries import Dictionary
from align.tasks.texts.entity_names import Labels, read_entity_names
from align.tasks.texts.named_files import language_code

Named = tuple[Content, Mapping[str, str]]
"""What BLI is asked, and the entity of each name."""
PROTOCOL = BliProtocol(
    name="entities",
    candidates=None,
    headline="NN P@1",
    reference="Hou et al. 2022 (adapters for multilingual knowledge graphs), hit@1, hit@5 and MRR of labels",
)
"""P@k is hit@k: a name of the entity is among the first k. Ties are against the model."""


def _read(
    source: str | Path, languages: Sequence[str] | None, protocol: BliProtocol, *, pivot: str = PIVOT
) -> Iterator[Unit]:
    """Files of names, with commas; each language with the pivot, both ways. A file is one set of candidates."""
    asked = None if languages is None else [language_code(code) for code in languages]
    for name in str(source).split(","):
        labels = read_entity_names(name)
        middle = language_code(pivot)
        if middle not in labels:
            raise InputError(f"{name} has no names in {middle}, the pivot; there are {', '.join(sorted(labels))}")
        kept, absent = chosen_codes(sorted({*labels} - {middle}), asked and [one for one in asked if one != middle])
        yield from absent
        stem = f"{Path(name).name.partition('.')[0]} " if "," in str(source) else ""
        for code in kept:
            for way in ((middle, code), (code, middle)):
                yield Unit(stem + "-".join(way), partial(_load, labels, way, name), "text")


def _load(labels: Labels, way: tuple[str, str], name: str) -> Named:
    """The names of entities that both languages name, and all names of either as candidates."""
    source, target = (labels[code] for code in way)
    entities: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for entity, names in source.items():
        for one in names:
            entities.setdefault(one, entity)
            pairs += [(one, other) for other in target.get(entity, ())]
    if not pairs:
        raise InputError(f"{name} has no entity that is named in both {way[0]} and {way[1]}")
    candidates = {code: [*dict.fromkeys(one for names in labels[code].values() for one in names)] for code in way}
    return (Dictionary(way, tuple(pairs), name), candidates), entities


def _rows(encode: Encode, unit: Unit, content: Named, protocol: BliProtocol) -> list[Row]:
    """The rows of BLI, but that what names one entity is one line, in all languages."""
    asked, entities = content
    rows = BLI.score(encode, unit, asked, protocol)
    return [one | {"lines": [entities[line.partition(" ")[2]] for line in one["lines"]]} for one in rows]


def _texts(content: Named) -> Iterable[tuple[str, Sequence[str]]]:
    return BLI.texts(content[0])


TASK = Task(
    "entity_alignment", "does a name of an entity find it among all names of another language?", _read, _rows,
    _texts, {"entities": PROTOCOL}, "entities", inputs="words", chance=BLI.chance,
)  # fmt: skip
