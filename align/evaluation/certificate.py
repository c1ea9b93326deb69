"""One certificate over all grains, from sentences to words: what rose between two encoders, what fell, what stayed."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from align.errors import InputError, unknown
from align.evaluation.benchmarks import BENCHMARKS, find_benchmark, local_folder
from align.evaluation.compare import compare
from align.evaluation.comparison import Comparison, Interval
from align.evaluation.encoding import Asked
from align.evaluation.evaluate import evaluate
from align.evaluation.reading import languages_of
from align.tasks.statistics.tests import holm
from align.tasks.table import Cell, markdown
from align.tasks.task import task
from align.tasks.texts.bitext import read_sets
from align.text.hashing import text_sha256
from align.text.languages import latin
from align.text.romanize.romanizer import romanize

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

log = logging.getLogger(__name__)

Result = dict[str, Any]
Load = Callable[[], "Encoder"]

GRAINS: Mapping[str, tuple[str, ...]] = {
    "sentences": ("tatoeba", "sib200"),
    "scripts": ("twins",),
    "words": ("xling", "panlex-bli"),
    "likeness": ("stsb", "multisimlex"),
    "bias": ("bias",),
}
"""The benchmarks of each grain; ``twins`` and ``bias`` are made of the text of ``TEXT``."""
TEXT = "sib200"
LANGUAGES = (
    "amh", "ara", "arb", "ben", "cmn", "zho", "deu", "ell", "eng", "fra", "hau", "heb", "hin", "jpn", "kat", "kor",
    "mal", "mar", "rus", "sin", "spa", "swh", "tam", "tel", "tha", "tur", "urd", "vie",
)  # fmt: skip
"""Of sentences, in many scripts; ISO 639-3."""
WORDS = {"candidates": 10_000, "methods": ("NN",), "headline": "NN P@1"}
TWIN_LINES = 300


@dataclass(frozen=True)
class Line:
    """One benchmark before and after."""

    grain: str
    benchmark: str
    metric: str
    scores: int
    """How many the mean is over."""
    before: float
    after: float
    difference: float
    """After minus before."""
    interval: Interval | None
    """Paired bootstrap, by line."""
    p: float | None
    """Of the paired permutation test, after Holm's correction over all benchmarks."""
    verdict: str
    """``rose``, ``fell``: better and worse, told apart from chance; ``stayed``: neither."""
    better: int
    """Scores of it (pairs of languages) that are better, after Holm's correction within the benchmark."""
    worse: int
    lower_is_better: bool


@dataclass(frozen=True)
class Certificate:
    """What :func:`certify` found."""

    before: str
    after: str
    lines: tuple[Line, ...]
    missing: Mapping[str, str]
    """Benchmarks that could not be scored, and why."""
    level: float
    comparison: Comparison = field(repr=False)
    results: tuple[Result, ...] = field(repr=False)
    """Those of both encoders, as :func:`align.evaluate` gives them."""

    def to_json(self) -> dict[str, Any]:
        """Everything but the results, as plain values."""
        kept = {name: getattr(self, name) for name in ("before", "after", "missing", "level")}
        lines = [asdict(line) for line in self.lines]
        return {"format": "align-certificate", "version": 1, **kept, "lines": lines, **self.counts()}

    def counts(self) -> dict[str, int]:
        """How many benchmarks rose, fell and stayed."""
        return {name: sum(line.verdict == name for line in self.lines) for name in ("rose", "fell", "stayed")}

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.table()

    def table(self) -> str:
        """Markdown: a row for each benchmark, then what is missing."""
        low = [f"{line.benchmark} ({line.metric})" for line in self.lines if line.lower_is_better]
        notes = [
            f"{100 * self.level:g} % intervals and paired permutation tests by line; p after Holm's correction over "
            f"the {len(self.lines)} benchmarks; better, worse: scores (languages, pairs of them) told apart within one."
        ]
        notes += [f"Lower is better: {', '.join(low)}."] if low else []
        notes += [f"Not measured: {name} ({reason})." for name, reason in self.missing.items()]
        head = ["grain", "benchmark", "metric", "before", "after", "difference", "p", "", "better / worse / of"]
        return "\n\n".join([markdown(head, [list(_cells(line)) for line in self.lines]), *notes])


def certify(
    before: Load,
    after: Load,
    *,
    words: Load | None = None,
    names: tuple[str, str] = ("before", "after"),
    data: Path | str | None = None,
    grains: Sequence[str] = (*GRAINS,),
    languages: Sequence[str] | None = None,
    bf16: bool = False,
    cache: Path | str | None = None,
    use_cache: bool = True,
    resamples: int = 1000,
    permutations: int = 9999,
    seed: int = 0,
    level: float = 0.95,
    progress: bool = False,
) -> Certificate:
    """Score two encoders on benchmarks of every grain, and say what rose and what fell.

    Sentences: Tatoeba and SIB-200, P@1. Scripts: lines of SIB-200 and what uroman makes of them, both ways among 300.
    Words: XLING and PanLex-BLI, P@1 by nearest neighbour among 10,000. Likeness: the STS benchmark and Multi-SimLex,
    Spearman's rho. Bias: excess of hits in the query's language in a mixed collection of SIB-200 (lower is better).
    What is not in the data folder is named in the certificate, and so is what fails for either encoder.

    Args:
        before: loads the first encoder; it is called once.
        after: the same of the second.
        words: the same of the second with a head for words, which is scored in its place where texts are words.
        names: what they are called.
        data: folder with the benchmarks' folders in it; ``None``: the environment's ``ALIGN_DATA``.
        grains: of ``GRAINS``.
        languages: of sentences, scripts and bias: codes; ``None``: those of ``LANGUAGES`` that are there.
        bf16: encode in bfloat16.
        cache: see :func:`align.evaluate`.
        use_cache: see :func:`align.evaluate`.
        resamples: of the bootstrap.
        permutations: of the tests.
        seed: of both.
        level: of the intervals; a difference is real where its p is at most 1 - level.
        progress: log each unit.

    Raises:
        InputError: an unknown grain, no data folder, two equal names, or nothing at all could be scored.
    """
    if absent := [one for one in grains if one not in GRAINS]:
        raise InputError(unknown("grain of a certificate", absent[0], GRAINS))
    if names[0] == names[1]:
        raise InputError(f"two encoders are called {names[0]!r}: a certificate needs two names")
    root = data or os.environ.get("ALIGN_DATA")
    if not root:
        raise InputError(
            "a certificate needs benchmarks: name their folder (--data, or ALIGN_DATA); align list has them"
        )
    scored: list[dict[str, Result]] = []
    missing: dict[str, str] = {}
    for name, load, of_words in zip(names, (before, after), (None, words), strict=True):
        found: dict[str, Result] = {}
        encoder, wanted = load(), [one for grain in grains for one in GRAINS[grain] if one not in missing]
        headed = of_words() if of_words and any(map(_reads_words, wanted)) else encoder
        for benchmark in wanted:
            asked = headed if _reads_words(benchmark) else encoder
            scores = partial(
                evaluate, asked, data=root, asked=Asked(bf16=bf16), name=name, cache=cache, use_cache=use_cache,
                resamples=resamples, seed=seed, progress=progress,
            )  # fmt: skip
            try:
                found[benchmark] = _SCORED.get(benchmark, _sets)(scores, benchmark, Path(root), languages)
            except InputError as error:
                missing[benchmark] = str(error)
                log.warning("%s is left out: %s", benchmark, error)
        scored.append(found)
    both = [one for one in scored[0] if one in scored[1]]
    if not both:
        raise InputError(f"nothing could be scored: {'; '.join(f'{n}: {reason}' for n, reason in missing.items())}")
    results = [of[one] for one in both for of in scored]
    compared = compare(
        results, baseline=names[0], resamples=resamples, permutations=permutations, seed=seed, level=level
    )  # fmt: skip
    return Certificate(*names, tuple(_lines(compared)), missing, level, compared, tuple(results))


def _lines(compared: Comparison) -> Iterator[Line]:
    grain_of = {one: grain for grain, several in GRAINS.items() for one in several}
    tests = [one.models[1].difference for one in compared.benchmarks]
    known = [test.p for test in tests if test is not None and test.p is not None]
    adjusted = iter(holm(known).tolist() if known else [])
    for one, test in zip(compared.benchmarks, tests, strict=True):
        assert test is not None
        p = None if test.p is None else next(adjusted)
        sign = -1 if one.lower_is_better else 1
        real = p is not None and p <= 1 - compared.level
        told = [s.differences[1] for s in one.slices["pair"]]
        apart = [sign * t.value for t in told if t is not None and t.distinguishable]
        yield Line(
            grain_of[one.benchmark], one.benchmark, one.metric, one.scores, one.models[0].value, one.models[1].value,
            test.value, test.interval, p, "stayed" if not real else "rose" if sign * test.value > 0 else "fell",
            sum(value > 0 for value in apart), sum(value < 0 for value in apart), one.lower_is_better,
        )  # fmt: skip


def _cells(line: Line) -> Iterator[Cell]:
    ends = "" if line.interval is None else " [{:+.3f}, {:+.3f}]".format(*line.interval)
    p = "-" if line.p is None else "<0.001" if line.p < 0.001 else f"{line.p:.3f}"
    yield from (line.grain, line.benchmark, line.metric, line.before, line.after, f"{line.difference:+.3f}{ends}", p)
    yield from (line.verdict, f"{line.better} / {line.worse} / {line.scores}")


Scores = Callable[..., Result]


def _folder(name: str, root: Path) -> Path:
    folder = local_folder(BENCHMARKS[name], root)
    if folder is None:
        raise InputError(f"no {BENCHMARKS[name].folder} in {root}")
    return folder


def _reads_words(name: str) -> bool:
    """Whether a benchmark's texts are words, encoded without context."""
    return name in BENCHMARKS and task(BENCHMARKS[name].task).inputs == "words"


def _sets(scores: Scores, name: str, root: Path, languages: Sequence[str] | None) -> Result:
    folder = _folder(name, root)
    if BENCHMARKS[name].task == "bli":
        return scores(name, settings=dict(WORDS, both=True))
    return scores(name, languages=_chosen(name, folder, languages) if BENCHMARKS[name].task == "retrieval" else None)


def _chosen(name: str, folder: Path, languages: Sequence[str] | None) -> list[str]:
    """The languages to score, of those that a folder has."""
    there = languages_of(BENCHMARKS[name], folder)
    if languages is not None:
        letters = {code.partition("_")[0] for code in languages}
        whole = letters if name == "tatoeba" else letters & {*languages}  # a code without its script: in any script
        return [code for code in there if code in languages or code.partition("_")[0] in whole]
    return [code for code in there if code.partition("_")[0] in LANGUAGES]


def _bias(scores: Scores, name: str, root: Path, languages: Sequence[str] | None) -> Result:
    folder = _folder(TEXT, root)
    source = replace(find_benchmark(f"bias={folder}"), name=name)
    return scores(source, languages=_chosen(TEXT, folder, languages))


def _twins(scores: Scores, name: str, root: Path, languages: Sequence[str] | None) -> Result:
    """Native text and its romanisation, a unit for each language, as one result."""
    folder = _folder(TEXT, root)
    chosen = [code for code in _chosen(TEXT, folder, languages) if not code.endswith("_Latn")]
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for texts in read_sets(folder, languages=chosen):
            for code, lines in texts.items():
                if code not in chosen:
                    continue
                native = lines[:TWIN_LINES]
                place = Path(scratch, code)
                place.mkdir()
                for side, of in ((code, native), (latin(code), romanize(native, lang=code))):
                    (place / f"{side}.txt").write_text("".join(f"{line}\n" for line in of), encoding="utf-8")
                found.append(scores(f"retrieval={place}"))
    if not found:
        raise InputError(f"{folder} has no text in another script than Latin")
    rows = [row for one in found for row in one["scores"]]
    value = float(np.mean([row["metrics"][found[0]["metric"]] for row in rows]))
    hashes = "".join(one["data"]["sha256"] for one in found)
    return found[0] | {
        "benchmark": name, "scores": rows, "headline": {"value": value, "interval": None, "scores": len(rows)},
        "missing": [m for one in found for m in one["missing"]], "groups": [], "script_gaps": [],
        "data": found[0]["data"] | {"source": f"{folder}, romanised by uroman", "sha256": text_sha256(hashes)},
    }  # fmt: skip


_SCORED = {"twins": _twins, "bias": _bias}
