"""``align check-overlap``: test texts that stand in training pairs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from align.cli.arguments import Processes, tell
from align.errors import InputError

if TYPE_CHECKING:
    from align.pairs.overlap import TestSet

TESTS = (
    "A name of `align list`, or a folder or file of test text: retrieval=, sts=, bli=, wordsim= or text= before it "
    "says how to read it."
)
_CODE = r"[a-z]{3}_[A-Z][a-z]{3}"


def check_overlap(
    context: typer.Context,
    pairs: Annotated[Path, typer.Argument(help="Table of training pairs: folder, .parquet, .jsonl or .tsv.")],
    benchmarks: Annotated[list[str], typer.Argument(help=TESTS)],
    romanize: Annotated[
        bool, typer.Option("--romanize", help="Also find texts in another script: romanises the pairs, which is slow.")
    ] = False,
    near: Annotated[float, typer.Option(help="Least Jaccard similarity of near texts, from 0.5; 0: none.")] = 0.8,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="TSV to write: every hit.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON to write: the counts; - prints it, not the table.")] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(help="Exit with 1 if a larger share of a benchmark's texts in one language is found."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ALIGN_DATA", help="Folder with the folders of benchmarks; none: the Hub.")
    ] = None,
    processes: Processes = 1,
) -> None:
    """Find texts of test sets in training pairs: equal, equal when romanised, and near."""
    from align.pairs import read_pairs
    from align.pairs.overlap import check_overlap as run
    from align.pairs.overlap_result import overlap_table

    found = run(
        read_pairs(pairs), list(read_tests(benchmarks, data)), romanize=romanize, near=near, processes=processes,
        out=out, progress=context.obj,
    )  # fmt: skip
    to_stdout = json == Path("-")
    table = overlap_table(found.to_json()).removesuffix("\n")
    tell(found.to_json(), table, as_json=to_stdout, out=None if to_stdout else json)
    if fail_above is not None and found.share > fail_above:
        print(f"align: {found.share:.2%} of a test set was found, more than {fail_above:.2%}", file=sys.stderr)
        raise SystemExit(1)


def read_tests(given: Sequence[str], data: Path | None = None) -> Iterator[TestSet]:
    """(name, language, texts) of benchmarks by name, of folders and of files.

    A folder or file is read as what its names say it is, or as ``KIND=PATH`` says.

    Raises:
        InputError: no such file or folder, or what the reader of its kind says.
    """
    from align.evaluation.benchmarks import BENCHMARKS
    from align.pairs.filters.held_out import file_texts, visible_files
    from align.tasks import find_dictionaries, read_dictionary, read_sets, read_sts, read_wordsim
    from align.tasks.texts.named_files import language_of_name

    for one in given:
        if one in BENCHMARKS and not Path(one).exists():
            yield from _named(one, data)
            continue
        kind, path = _kind(one)
        name = Path(path).name.partition(".")[0]
        if kind == "retrieval":
            for texts in read_sets(path):
                code = next(iter(texts))
                several = Path(path).is_dir() and len(texts) == 2  # Tatoeba: a set for each language
                for language, lines in texts.items():
                    yield f"{name}/{code}" if several else name, language, lines
        elif kind in ("sts", "wordsim"):
            for label, scored in (read_sts(path) if kind == "sts" else read_wordsim(path)).items():
                yield f"{name}/{label}", scored.languages[0], scored.first
                yield f"{name}/{label}", scored.languages[1], scored.second
        elif kind == "bli":
            for languages, file in find_dictionaries([path]).items():
                pairs = read_dictionary(file, languages).pairs
                for side, language in enumerate(languages):
                    yield f"{name}/{'-'.join(languages)}", language, [pair[side] for pair in pairs]
        else:
            files = visible_files(Path(path)) if Path(path).is_dir() else [Path(path)]
            for file in files:
                called = name if len(files) == 1 else f"{name}/{file.name}"
                yield called, language_of_name(file) or "unknown", list(file_texts(file))


def _named(name: str, data: Path | None) -> Iterator[TestSet]:
    """Every text of a benchmark once: English, say, is in each of its units."""
    from align.evaluation.benchmarks import BENCHMARKS, local_folder
    from align.evaluation.units import content_hash, texts_of, units

    given: set[str] = set()
    for unit in units(BENCHMARKS[name], local_folder(BENCHMARKS[name], data)):
        for language, texts in texts_of(unit.load()):
            digest = content_hash([language, texts])
            if digest not in given:
                given.add(digest)
                yield f"{name}/{unit.name}" if name in ("tatoeba", "sts17") else name, language, texts


def _kind(given: str) -> tuple[str, str]:
    """How to read what was given, and its path."""
    kind, equals, path = given.partition("=")
    if equals and kind in ("retrieval", "sts", "bli", "wordsim", "text"):
        return kind, path
    return _guess(given), given


def _guess(given: str) -> str:
    from align.files.whole import read_lines
    from align.pairs.filters.held_out import visible_files
    from align.tasks.texts.named_files import pair_of_name

    path = Path(given)
    if not path.exists():
        if "=" in given:  # CODE-CODE=PATH
            return "bli"
        raise InputError(f"no such file or folder of test text: {given}")
    files = visible_files(path) if path.is_dir() else [path]
    if path.is_dir() and any(re.fullmatch(rf"{_CODE}\.txt(\.gz)?|tatoeba\..*", file.name) for file in files):
        return "retrieval"
    head = next((file for file in files if file.name.endswith((".tsv", ".tsv.gz"))), None)
    cells = next(read_lines(head), "").split("\t") if head else []
    if any(file.name.startswith(("STS.input.", "sts-")) for file in files) or "sentence1" in cells:
        return "sts"
    if not path.is_dir() and cells and all(re.fullmatch(_CODE, cell) for cell in cells):
        return "retrieval"
    return "bli" if any(map(pair_of_name, files)) else "text"
