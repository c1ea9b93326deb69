"""How each format is read, for tests that damage its files: functions of a path that read it to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Read = Callable[[Path], Any]


def rows_of(*codes: str) -> Read:
    def read(path: Path) -> Any:
        from align.pairs.reading.bitext import read_bitext
        from align.pairs.reading.sources import RowFile

        return list(read_bitext(RowFile(path, codes)))

    return read


def calls(module: str, name: str, *more: Any, **options: Any) -> Read:
    """``name`` of a module, called with the file, its rows all read."""

    def read(path: Path) -> Any:
        found = getattr(__import__(f"align.{module}", fromlist=[name]), name)(path, *more, **options)
        return list(found) if hasattr(found, "__next__") else found

    return read


def corpus(path: Path) -> Any:
    from align.vectors.corpus.files import BadLine, open_source

    source, made = open_source(path), []
    for record in source.records(("text",)):
        try:
            made.append(source.fields(record))
        except BadLine as problem:
            made.append({"problem": str(problem)})
    return made


def rows(module: str, name: str, codes: tuple[str, ...], *more: Any) -> Read:
    """A reader that takes a ``RowFile``."""

    def read(path: Path) -> Any:
        from align.pairs.reading.sources import RowFile

        return calls(module, name, *more)(RowFile(path, codes))  # type: ignore[arg-type]

    return read


def source(path: Path) -> Any:
    from align.pairs.reading.lines import read_source
    from align.pairs.reading.sources import Source

    return list(read_source(Source(path, "ell_Grek", human=path.name.endswith(".tsv"))))


def export(path: Path) -> Any:
    from align.pairs.reading.tatoeba import Export, read_export

    return list(read_export(Export(path.parent, ("deu_Latn", "eng_Latn"))))


def gold_links(path: Path) -> Any:
    from align.tasks.texts.gold_links import read_alignment

    return read_alignment("deen", path.with_name("deen.src-tgt"), path)


def labels(path: Path) -> Any:
    from align.alignment.sentences import Sentence
    from align.alignment.spans import read_labels

    first = Sentence(["Ana", "Lima", "ruft"], 1, "", "Ana Lima ruft", (0, 4, 9))
    if path.name.endswith("conllu"):
        first = Sentence(["Ana", "ruft"], 1)
    words = [first, Sentence(["Ja"], 2, "", "Ja", (0,))]
    return read_labels(path, words, "a.txt")
