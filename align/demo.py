"""The demo: an encoder loses its script barrier on 10 scripts, from raw verses to search, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import regex

from align.encoders.encoder import Encoder
from align.files.folders import whole_folder
from align.files.whole import read_lines, whole_file, write_json
from align.pairs.transliteration import Groups
from align.text.languages import latin
from align.training.recipe import Recipe

PIVOT = "eng_Latn"  # no script to cross: the others are evaluated against it
QUERY_LANGUAGE = "rus_Cyrl"
PICTURE = "demo.png"
WORD = regex.compile(r"[\p{L}\p{M}]+")
GROUPS: Mapping[str, Groups] = {"train": "line", "words": "text"}
"""What is trained on, and which of its rows mean the same."""
CHANGES = (
    "info_nce.temperature=0.05", "info_nce.bank=0", "train.steps=700", "train.learning_rate=6e-4",
    "train.embedding_rate=8e-3", "train.max_tokens=32", "train.batches_by_language=false", "train.mixing=uniform",
    "train.batch_size=64", "train.log_every=40",
)  # fmt: skip
"""Of the recipe ``romanised_tower``: rates and lengths of a small encoder and of minutes."""
COLUMNS = ("native -> roman", "roman -> native", "translation", "roman -> English")
TOPIC = "topic"

Results = Mapping[str, Mapping[str, Any]]
"""Of ``align.evaluate``, by task."""


def run(out: Path, *, seed: int = 0, steps: int | None = None, progress: bool = True) -> dict[str, Any]:
    """Romanise, build pairs, train, evaluate before and after, save, report, encode and search; all goes to ``out``.

    What is trained reads romanised text alone; other text is read by the encoder that was there, as before.

    ``out`` is there whole at the end; an older demo in its place is replaced.

    Returns:
        ``scores``: measure -> ``before`` and ``after`` (``mean`` with its ``interval``, ``languages``) and
        ``difference`` (``value``, ``interval``, ``distinguishable``). The measures are P@1 of the verses that neither
        the seed encoder nor this training has seen: ``COLUMNS``, of which ``translation`` is between native text and
        English, both ways; and ``topic``, the accuracy by which lines of TICO-19 are put to their article, learnt in
        English. ``seed`` and ``seconds``.

    Raises:
        InputError: as :func:`align.files.folders.whole_folder`.
    """
    from align.encoders.device import computes_bfloat16, own_device
    from align.training.config import load_recipe

    changes = [*CHANGES, f"train.seed={seed}", f"train.bf16={str(computes_bfloat16(own_device())).lower()}"]
    recipe = load_recipe("romanised_tower", changes=changes + ([] if steps is None else [f"train.steps={steps}"]))
    with whole_folder(out, kind="demo") as folder:
        result = _run(folder, recipe, seed=seed, progress=progress)
        drawn = draw(result["scores"], folder / PICTURE)
    picture = f"picture: {out / PICTURE}" if drawn else "(no picture: pip install 'align-encoders[plots]')"
    say(f"\nModel: {out / 'model'}  report: {out / 'report.html'}  {picture}  ({result['seconds']} s)")
    asked = f'"{result["query"]}" --query-language {latin(QUERY_LANGUAGE)}'
    say(f"Now try: align search {out / 'model'} {out / 'index'} {asked}")
    return result


def _run(out: Path, recipe: Recipe, *, seed: int, progress: bool) -> dict[str, Any]:
    from align import load_encoder, read_pairs, report, route, train, transliteration_pairs

    began = time.perf_counter()
    verses, roman = read_verses()
    write_texts(out, verses, roman)
    say(f"Building pairs: verses and their words in {len(roman)} languages and scripts, romanised by uroman.")
    about = {
        part: transliteration_pairs(
            [out / part / f"{code}.txt" for code in roman], out / "pairs" / part, groups=groups, processes=2,
            licence="public domain",
        )
        for part, groups in GROUPS.items()
    }  # fmt: skip
    before = evaluate(load_encoder("seed"), out, "seed")
    rows = {part: one["rows"] for part, one in about.items()}
    say(f"Training an encoder for romanised text on {rows['train']:,} verses and {rows['words']:,} words.")
    pairs = {part: read_pairs(out / "pairs" / part) for part in about}
    train(load_encoder("seed"), pairs, recipe, out / "tower", about=about, progress=progress)
    encoder = route("seed", out / "tower", out / "model", languages=[latin(code) for code in roman])
    after = evaluate(encoder, out, "aligned")
    report([out / "results"], out / "report.html", baseline="seed", training=[out / "tower"], title="The demo")
    found, query = search_by_romanisation(encoder, verses, roman, out / "index")
    scores = summary(before, after)
    result = {"scores": scores, "seed": seed, "query": query, "seconds": round(time.perf_counter() - began)}
    write_json(out / "result.json", result)
    say("\n" + table(scores))
    say("\n" + in_words(scores))
    say("\n" + "\n".join(found))
    return result


def say(text: str) -> None:
    """Print at once, also when stdout is a pipe."""
    print(text, flush=True)


def read_verses() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The held-out verses by language, and the romanised ones of every language but the pivot."""
    from align.tasks import read_aligned
    from align.text.romanize.romanizer import romanize

    with as_file(files("align") / "data" / "demo" / "test") as folder:
        verses = read_aligned(folder)
    return verses, {code: romanize(lines, lang=code) for code, lines in verses.items() if code != PIVOT}


def write_texts(out: Path, verses: dict[str, list[str]], roman: dict[str, list[str]]) -> None:
    """The text as files below ``out``, held-out verses also romanised; for evaluation, and to try the commands on."""
    parts: dict[str, dict[str, list[str]]] = {}
    for part in ("train", "topics"):
        with as_file(files("align") / "data" / "demo" / part) as folder:
            parts[part] = {path.name.removesuffix(".gz"): list(read_lines(path)) for path in sorted(folder.iterdir())}
    parts["words"] = {
        f"{code}.txt": sorted({word for line in parts["train"][f"{code}.txt"] for word in WORD.findall(line)})
        for code in roman
    }
    parts["test"] = {f"{code}.txt": lines for code, lines in (verses | in_latin(roman)).items()}
    for part, texts in parts.items():
        for name, lines in texts.items():
            with whole_file(out / part / name) as temporary:
                temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def in_latin(roman: dict[str, list[str]]) -> dict[str, list[str]]:
    """Romanised lines under the code of what they are: ``rus_Latn`` for those of ``rus_Cyrl``."""
    return {latin(code): lines for code, lines in roman.items()}


def evaluate(encoder: Encoder, out: Path, name: str) -> dict[str, dict[str, Any]]:
    """Retrieval of the held-out verses and classification by article; the results are kept in ``out/results``."""
    from align import evaluate as score
    from align.evaluation.results import write_result

    found = {}
    for task, part in (("retrieval", "test"), ("classification", "topics")):
        found[task] = score(encoder, f"{task}={out / part}", name=name, use_cache=False)
        write_result(out / "results" / f"{name}.{part}.json", found[task])
    return found


def column_of(queries: str, candidates: str) -> str | None:
    """The measure that a search belongs to."""
    romanised = [code.endswith("_Latn") and code != PIVOT for code in (queries, candidates)]
    if queries[:3] == candidates[:3]:
        return "roman -> native" if romanised[0] else "native -> roman"
    if not any(romanised):
        return "translation"
    return "roman -> English" if romanised[0] and candidates == PIVOT else None


def summary(before: Results, after: Results) -> dict[str, Any]:
    """Every measure before and after, with intervals and the difference, tested by line."""
    from align import compare

    measures = {}
    for measure in (*COLUMNS, TOPIC):
        both = [_restricted(results, measure) for results in (before, after)]
        old, new = compare(both, names=["before", "after"]).benchmarks[0].models
        change = new.difference
        assert change is not None
        measures[measure] = {
            when: {"mean": model.value, "interval": model.interval, "languages": _by_language(result)}
            for when, model, result in (("before", old, both[0]), ("after", new, both[1]))
        } | {
            "difference": {
                "value": change.value, "interval": change.interval, "distinguishable": change.distinguishable,
            }
        }  # fmt: skip
    return measures


def _restricted(results: Results, measure: str) -> dict[str, Any]:
    """A result with the scores of one measure alone."""
    if measure == TOPIC:
        return dict(results["classification"])
    result = dict(results["retrieval"])
    return result | {"scores": [one for one in result["scores"] if column_of(*one["id"].split(">")) == measure]}


def _by_language(result: Mapping[str, Any]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for score in result["scores"]:
        values.setdefault(score["language"].partition("_")[0], []).append(score["value"])
    return {code: float(np.mean(found)) for code, found in sorted(values.items())}


def table(scores: Mapping[str, Any]) -> str:
    """P@1 before and after, a line per language; then the means of all measures with their intervals."""
    lines = [f"{'P@1':8}" + "".join(f"{name:>18}" for name in COLUMNS)]
    for code in scores[COLUMNS[0]]["before"]["languages"]:
        pairs = [[scores[name][when]["languages"][code] for when in ("before", "after")] for name in COLUMNS]
        lines.append(f"{code:8}" + "".join(f"{'{:.3f} -> {:.3f}'.format(*pair):>18}" for pair in pairs))
    lines += ["", f"{'mean, 95 % interval':19}{'before':>24}{'after':>24}{'change':>26}"]
    for name in (*COLUMNS, TOPIC):
        measure = scores[name]
        cells = [_with_interval(measure[when]["mean"], measure[when]["interval"]) for when in ("before", "after")]
        change = _with_interval(measure["difference"]["value"], measure["difference"]["interval"], sign="+")
        lines.append(f"{name:19}{cells[0]:>24}{cells[1]:>24}{change:>26}")
    return "\n".join(lines)


def _with_interval(value: float, interval: tuple[float, float] | None, *, sign: str = "") -> str:
    ends = " ({:.3f} to {:.3f})".format(*interval) if interval else ""
    return f"{value:{sign}.3f}{ends}"


def in_words(scores: Mapping[str, Any]) -> str:
    """What rose, what fell, and what did neither."""
    neither, same = "Neither rose nor fell by more than chance", "As before"
    kinds: dict[str, list[str]] = {"Rose": [], "Fell": [], neither: [], same: []}
    for name in (*COLUMNS, TOPIC):
        change = scores[name]["difference"]
        kind = neither if change["value"] else same
        if change["distinguishable"]:
            kind = "Rose" if change["value"] > 0 else "Fell"
        kinds[kind].append(name)
    return " ".join(f"{kind}: {', '.join(names)}." for kind, names in kinds.items() if names)


def search_by_romanisation(
    encoder: Encoder, verses: dict[str, list[str]], roman: dict[str, list[str]], index: Path
) -> tuple[list[str], str]:
    """Store the vectors of all native verses and look for one by its romanisation; the report of it, and the query."""
    from align.indexes.build import save_index
    from align.indexes.search import search

    rows = [(f"{code}:{i}", line) for code, lines in verses.items() for i, line in enumerate(lines)]
    ids, texts = zip(*rows, strict=True)
    languages = [name.partition(":")[0] for name in ids]
    stored = save_index(
        index, encoder.encode(texts, language=languages), ids, texts=texts, encoder=encoder.identity(),
        languages=languages, scripts=[language.partition("_")[2] for language in languages],
    )  # fmt: skip
    queries = roman[QUERY_LANGUAGE]
    found = search(stored, encoder, queries, 5, query_language=latin(QUERY_LANGUAGE))
    same = [sum(hit.id.endswith(f":{i}") for hit in hits) for i, hits in enumerate(found)]
    first = [hits[0].id == f"{QUERY_LANGUAGE}:{i}" for i, hits in enumerate(found)]
    shown = max(range(len(queries)), key=lambda i: (first[i], same[i], -len(queries[i])))
    lines = [
        f"Searching {len(rows)} verses in {len(verses)} languages: of {len(queries)} romanised ones in "
        f"{QUERY_LANGUAGE}, {sum(first)} find their own first; of the five nearest {np.mean(same):.1f} are the verse "
        f"in one language or another. For instance: {queries[shown]}"
    ]
    return [*lines, *(f"  {hit.score:.3f}  {hit.id:14} {hit.text}" for hit in found[shown])], queries[shown]


def draw(scores: Mapping[str, Any], path: Path) -> bool:
    """A bar chart of the scores before and after; False where the extra ``plots`` is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {
        "native -> roman": "romanisation found", "roman -> English": "romanised verse finds English",
        "translation": "translation found",
    }  # fmt: skip
    for axis, (name, title) in zip(figure.subplots(1, 3, sharey=True), panels.items(), strict=True):
        parts = [scores[name][when] for when in ("before", "after")]
        codes = [*parts[0]["languages"], "mean"]
        old, new = ([*part["languages"].values(), part["mean"]] for part in parts)
        y = np.arange(len(codes))
        axis.barh(y - 0.2, old, 0.38, color="#c9ced6", label="before")
        axis.barh(y + 0.2, new, 0.38, color="#2b6cb0", label="after")
        for position, value in [*zip(y - 0.2, old, strict=True), *zip(y + 0.2, new, strict=True)]:
            axis.text(value + 0.01, position, f"{value:.2f}", va="center", fontsize=8, color="#444")
        axis.set(title=title, xlim=(0, 1.15), xlabel="P@1", yticks=y, yticklabels=codes)
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].invert_yaxis()
    figure.axes[0].legend(loc="lower right", frameon=False)
    figure.suptitle("Before and after contrastive alignment, held-out verses")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png")
    return True
