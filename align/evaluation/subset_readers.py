"""How the subsets of each benchmark are read, from files and from the Hub."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from align.errors import InputError
from align.evaluation.benchmarks import Benchmark
from align.files.whole import read_lines
from align.text.languages import code_by_script

Texts = dict[str, list[str]]
Lines = Literal["number", "text", "unit"]
PIVOT = "eng_Latn"
_CODE_FILE = r"([a-z]{3}_[A-Z][a-z]{3})\.txt(?:\.gz)?"


@dataclass(frozen=True)
class Subset:
    """One pair of languages of a retrieval benchmark, one dictionary, one set of scored pairs."""

    name: str
    load: Callable[[], Any]
    """Texts by language; (Dictionary, vocabularies); or an StsSet. May raise an InputError."""
    lines: Lines = "number"
    """What is one line in several subsets, see ``align.evaluation.scoring.score_subset``."""


def _lost(name: str, reason: str) -> Subset:
    def load() -> Any:
        raise InputError(reason)

    return Subset(name, load)


def _chosen(available: Sequence[str], languages: Sequence[str] | None) -> tuple[list[str], list[Subset]]:
    """Codes to read in the benchmark's order, and subsets that tell of those that are not there."""
    if languages is None:
        return list(available), []
    wanted = set(languages)
    lost = [_lost(code, f"no text in {code}") for code in languages if code not in available and code != PIVOT]
    return [code for code in available if code in wanted or code == PIVOT], lost


def _tatoeba(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None) -> Iterator[Subset]:
    """A subset for each language with its own English; codes may be the three letters alone."""
    from align.tasks import read_aligned

    if folder is None:
        from datasets import get_dataset_config_names

        configs = _hub(get_dataset_config_names, benchmark)
        letters = sorted(config.partition("-")[0] for config in configs if config != "default")
    else:
        found = (re.fullmatch(r"tatoeba\.([a-z]{3})-eng\.\1", path.name) for path in folder.iterdir())
        letters = sorted(match[1] for match in found if match)
    if not letters:
        raise InputError(f"{folder} holds no tatoeba.<xxx>-eng.<xxx>")
    asked = {code.partition("_")[0]: code for code in languages or letters if code != PIVOT}
    for code in asked:
        if code not in letters:
            yield _lost(asked[code], f"no text in {asked[code]}")
        elif folder is not None:
            yield Subset(code, functools.partial(read_aligned, folder, languages=[asked[code]]), "text")
        else:
            yield Subset(code, functools.partial(_hub_tatoeba, benchmark, code), "text")


def tatoeba_code(folder: Path, letters: str) -> str:
    """By the script of the first lines, without reading them all."""
    return code_by_script(letters, "\n".join(islice(read_lines(folder / f"tatoeba.{letters}-eng.{letters}"), 50)))


def _hub_tatoeba(benchmark: Benchmark, letters: str) -> Texts:
    from datasets import load_dataset

    rows = _hub(load_dataset, benchmark, f"{letters}-eng", split="test")
    sides = [list(rows["sentence1"]), list(rows["sentence2"])]
    return {code_by_script(letters, "\n".join(sides[0])): sides[0], PIVOT: sides[1]}


def _parallel(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None) -> Iterator[Subset]:
    """Each language with English, and the two scripts of a language with each other."""
    if folder is None:
        from align.tasks import read_hub

        every = read_hub(benchmark.hub, revision=benchmark.revision)
        codes, read = list(every), every.__getitem__
    else:
        named = {m[1]: path for path in sorted(folder.iterdir()) if (m := re.fullmatch(_CODE_FILE, path.name))}
        codes, read = list(named), functools.cache(lambda code: list(read_lines(named[code])))
    yield from _pairs(str(folder or benchmark.hub), codes, read, languages)


def _bible(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None) -> Iterator[Subset]:
    """As ``_parallel``; files are named by three letters, or ``cmn_hans``; the script is that of most letters."""
    if folder is None:
        yield from _hub_bible(benchmark, languages)
        return
    files = {}
    for path in sorted(folder.iterdir()):
        if re.fullmatch(_CODE_FILE, path.name):
            files[path.name.partition(".")[0]] = path
        elif match := re.fullmatch(r"([a-z]{3})(?:_(han[st]))?\.txt", path.name):
            if match[1] == "ids":
                continue
            language, variant = match.groups()
            named = f"{language}_{variant.capitalize()}" if variant else ""
            files[named or code_by_script(language, "\n".join(read_lines(path)))] = path
    read = functools.cache(lambda code: list(read_lines(files[code])))
    yield from _pairs(str(folder), list(files), read, languages)


def _hub_bible(benchmark: Benchmark, languages: Sequence[str] | None) -> Iterator[Subset]:
    from datasets import get_dataset_config_names, load_dataset

    configs = _hub(get_dataset_config_names, benchmark)
    letters = sorted(config.removeprefix("eng-") for config in configs if config.startswith("eng-"))
    asked = {code.partition("_")[0]: code for code in languages or letters if code != PIVOT}

    def load(code: str) -> Texts:
        rows = _hub(load_dataset, benchmark, f"eng-{code}", split="train")
        verses = list(rows[code])
        return {code_by_script(code, "\n".join(verses)): verses, PIVOT: list(rows["eng"])}

    for code, given in asked.items():
        yield (
            Subset(code, functools.partial(load, code), "text")
            if code in letters
            else _lost(given, f"no text in {given}")
        )


def _pairs(
    where: str, codes: Sequence[str], read: Callable[[str], list[str]], languages: Sequence[str] | None
) -> Iterator[Subset]:
    if PIVOT not in codes:
        raise InputError(f"{where} has no {PIVOT}: expected it beside the other languages")
    kept, lost = _chosen(codes, languages)
    yield from lost
    others = [code for code in kept if code != PIVOT]
    twice = [(a, b) for i, a in enumerate(others) for b in others[i + 1 :] if a[:3] == b[:3]]

    def load(first: str, second: str) -> Texts:
        return {first: read(first), second: read(second)}

    for code in others:
        yield Subset(f"{code}-{PIVOT}", functools.partial(load, code, PIVOT))
        for a, b in twice:
            if b == code:
                yield Subset(f"{a}-{b}", functools.partial(load, a, b))


def _dictionaries(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None) -> Iterator[Subset]:
    """Test dictionaries of the folder; vocabularies in ``vocab`` beside it or in it."""
    from align.tasks import find_dictionaries, read_dictionary, read_vocabulary
    from align.tasks.texts.named_files import files_by_language

    if folder is None:
        raise InputError(f"{benchmark.name} is not on the Hub")
    home = next((place for place in (folder / "vocab", folder.parent / "vocab") if place.is_dir()), None)
    if home is None:
        raise InputError(f"no candidates: expected the folder vocab in or beside {folder}, word lists by language")
    tests = folder / "test" if (folder / "test").is_dir() else folder
    files = find_dictionaries([tests])
    known = sorted(set(chain.from_iterable(files)))
    kept, lost = (known, []) if languages is None else _chosen(known, languages)
    yield from lost
    if languages is not None and PIVOT not in languages:
        kept = [code for code in kept if code != PIVOT]
    words = functools.cache(lambda code: read_vocabulary(files_by_language([home], [code], "vocabulary")[code]))

    def load(pair: tuple[str, str]) -> Any:
        return read_dictionary(files[pair], pair), {code: words(code) for code in pair}

    for pair in files:
        if set(pair) <= set(kept):
            yield Subset("-".join(pair), functools.partial(load, pair), "number" if benchmark.parallel else "text")


def _wordsim(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None) -> Iterator[Subset]:
    from align.tasks import read_wordsim

    if folder is None:
        raise InputError(f"{benchmark.name} is not on the Hub")
    yield from _sets(benchmark, read_wordsim(folder), languages)


def _sts(benchmark: Benchmark, folder: Path | None, languages: Sequence[str] | None) -> Iterator[Subset]:
    from align.tasks import read_sts

    revision = benchmark.revision if folder is None else None
    yield from _sets(benchmark, read_sts(folder or benchmark.hub, split="test", revision=revision), languages)


def _sets(benchmark: Benchmark, sets: dict[str, Any], names: Sequence[str] | None) -> Iterator[Subset]:
    yield from (_lost(name, f"no set {name}; there are {', '.join(sets)}") for name in names or () if name not in sets)
    for name, one in sets.items():
        if names is None or name in names:
            yield Subset(name, functools.partial(lambda found: found, one), "number" if benchmark.parallel else "unit")


def _hub(function: Callable[..., Any], benchmark: Benchmark, *names: str, **options: Any) -> Any:
    try:
        return function(benchmark.hub, *names, revision=benchmark.revision, **options)
    except Exception as error:  # the Hub client raises its own, network and file errors alike
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"data set {benchmark.hub} could not be loaded from the Hub or its cache (without a network, name a folder "
            f"with --data): {reason}"
        ) from error


READERS = {
    "tatoeba": _tatoeba, "bible": _bible, "xling": _dictionaries, "panlex-bli": _dictionaries,
    "multisimlex": _wordsim, "sts17": _sts, "stsb": _sts,
}  # fmt: skip
"""By name of the benchmark; any other is a folder of line-aligned files, or a data set with a column a language."""


def reader(benchmark: Benchmark) -> Callable[[Benchmark, Path | None, Sequence[str] | None], Iterator[Subset]]:
    """What reads the subsets of a benchmark."""
    return READERS.get(benchmark.name, _parallel)
