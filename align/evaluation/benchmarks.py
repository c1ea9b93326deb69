"""Benchmarks by name: where their text lies, on disk or on the Hub, under which licence, and what is scored on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from align.errors import InputError, nearest
from align.files.archives import is_folder, is_there
from align.tasks.task import tasks


@dataclass(frozen=True)
class Benchmark:
    """A test set with a name."""

    name: str
    task: str
    """Its name in the registry."""
    about: str
    """What it holds, in a line."""
    licence: str
    """Of the text."""
    folder: str
    """Below the data folder, unless ``--data`` names the benchmark's own; an absolute path is the folder itself."""
    protocol: str = ""
    """Another than the task's default."""
    hub: str = ""
    """Name on the Hugging Face Hub; "": it is not there."""
    revision: str = ""
    """Commit of the Hub's data set, so that everyone reads the same text."""
    origin: str = ""
    """Where the files come from if the Hub does not have them."""
    parallel: bool = False
    """Whether row i of each dictionary, or of each set of pairs, is a translation of row i of the others."""
    source: str = ""
    """Files of one's own, as the task's reader takes them; "": it is a benchmark of this list."""


BENCHMARKS: dict[str, Benchmark] = {
    one.name: one
    for one in (
        Benchmark(
            "tatoeba", "retrieval", "112 languages with English, up to 1,000 sentences each (LASER)", "CC BY 2.0 FR",
            "tatoeba", "margin", "mteb/tatoeba-bitext-mining", "69e8f12da6e31d59addadda9a9c8a2e601a0e282",
        ),
        Benchmark(
            "flores", "retrieval", "FLORES-200 devtest: 204 languages, 1,012 sentences", "CC BY-SA 4.0",
            "flores", "align", "mteb/FloresBitextMining", "2144d16cc15edd22d4a9237d12bff5f31f5c07fc",
        ),
        Benchmark(
            "ntrex", "retrieval", "NTREX-128: news in 128 languages, 1,997 sentences", "CC BY-SA 4.0",
            "ntrex", "align", "mteb/NTREXBitextMining", "66b8b27efc99658903127730575e9fa0cb9f075c",
        ),
        Benchmark(
            "sib200", "retrieval", "SIB-200: 1,004 sentences of FLORES-200 in 205 languages", "CC BY-SA 4.0",
            "sib200", "align", origin="github.com/dadelani/sib-200",
        ),
        Benchmark(
            "bible", "retrieval", "verses, one a line, blank where a language lacks one", "of each translation",
            "bible", "align", "mteb/biblenlp-corpus", "94c4293ca75c04b908c6b8e30d15788fe20fb409",
        ),
        Benchmark(
            "xling", "bli", "XLING: 2,000 words of English in 8 languages, parallel by line", "none stated",
            "bli/xling", "xling", origin="github.com/codogogo/xling-eval", parallel=True,
        ),
        Benchmark(
            "panlex-bli", "bli", "PanLex-BLI: 15 languages, up to 2,000 words a pair", "Apache-2.0 (words: PanLex)",
            "bli/panlex", "xling", origin="github.com/cambridgeltl/panlex-bli",
        ),
        Benchmark(
            "multisimlex", "wordsim", "Multi-SimLex: likeness of words across languages", "none stated",
            "bli/multisimlex", origin="multisimlex.com",
        ),
        Benchmark(
            "sts17", "sts", "SemEval-2017 task 1: 250 pairs a track", "CC BY-SA 4.0",
            "sts/sts17", "", "mteb/sts17-crosslingual-sts", "faeb762787bd10488a50c8b5be4a3b82e411949c",
        ),
        Benchmark(
            "stsb", "sts", "STS benchmark and its translations: 1,379 pairs", "CC BY-SA 4.0",
            "sts/stsb", "", "mteb/stsb_multi_mt", "29afa2569dcedaaa2fe6a3dcfebab33d28b82e8c",
            parallel=True,
        ),
    )
}  # fmt: skip


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; of ``TASK=PATH`` that task on one's own files; of a folder, sentence retrieval.

    Raises:
        InputError: there is none; the known ones are listed.
    """
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    kind, equals, source = name.partition("=")
    if not equals and is_folder(name):
        kind, source = "retrieval", name
    elif not equals or kind not in tasks():
        known = f"{', '.join(BENCHMARKS)}, TASK=PATH with a task of {', '.join(tasks())}"
        near = nearest(*((kind, tasks()) if equals else (name, BENCHMARKS)))
        raise InputError(f"unknown benchmark {name!r}: expected one of {known}, or a folder of text{near}")
    if not source:
        raise InputError(f"{name}: expected {kind}=PATH")
    place = Path(source).resolve()
    named = Path(source.rpartition("=")[2]).resolve().name
    called = named.partition(".")[0] or named
    where = str(place) if is_there(place) else source
    return Benchmark(called, kind, "files of one's own", "not stated", where, source=where)


def local_folder(benchmark: Benchmark, data: Path | None) -> Path | None:
    """Where the benchmark lies: its folder below ``data``, or ``data`` itself; ``None``: read it from the Hub.

    Raises:
        InputError: it is not in ``data``, or there is no ``data`` and the Hub does not have it.
    """
    if benchmark.source or Path(benchmark.folder).is_absolute():
        return Path(benchmark.folder)
    if data is not None:
        places = (data / benchmark.folder, data / benchmark.name, data)
        found = next((place for place in places[:2] if place.is_dir()), None)
        if found is None and (data.name in (benchmark.name, Path(benchmark.folder).name) and data.is_dir()):
            found = data
        if found is None and not benchmark.hub:
            raise InputError(
                f"no {benchmark.folder} in {data}: the files of {benchmark.name} are from {benchmark.origin}"
            )
        if found is not None:
            return found
    if not benchmark.hub:
        raise InputError(
            f"{benchmark.name} is not on the Hub: get its files from {benchmark.origin} and name their folder "
            "(--data, or ALIGN_DATA)"
        )
    return None
