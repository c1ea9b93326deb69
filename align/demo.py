"""The demo: an encoder loses its script barrier on 10 scripts, from raw verses to search, in a few minutes."""

from __future__ import annotations

import itertools
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.encoder import Encoder
from align.files.folders import whole_folder
from align.files.whole import read_lines, whole_file, write_json
from align.training.recipe import Recipe

PIVOT = "eng_Latn"  # no script to cross: it is evaluated against, and never trained on
QUERY_LANGUAGE = "rus_Cyrl"
PICTURE = "demo.png"
TRANSLATIONS = 1000  # beside ten times as many transliterations: more of them would cost the script barrier steps

Vectors = dict[str, NDArray[np.float32]]
Scores = dict[str, dict[str, float]]


def run(out: Path, *, seed: int = 0, steps: int | None = None, progress: bool = True) -> dict[str, Any]:
    """Romanise, build pairs, train, evaluate before and after, save, encode and search; everything goes to ``out``.

    ``out`` is there whole at the end; an older demo in its place is replaced.

    Returns:
        ``before`` and ``after``: language -> native_to_roman, roman_to_native, translation (P@1 on verses that neither
        the seed encoder nor this training has seen; translation is the mean over both directions with every other
        language), and ``mean`` over languages; ``seconds``.

    Raises:
        InputError: as :func:`align.files.folders.whole_folder`.
    """
    from align.training.config import load_recipe

    recipe = load_recipe("demo", changes=[f"train.seed={seed}", *([] if steps is None else [f"train.steps={steps}"])])
    with whole_folder(out, kind="demo") as folder:
        verses, roman = read_verses()
        result = _run(folder, recipe, verses, roman, seed=seed, progress=progress)
        drawn = draw(result["before"], result["after"], folder / PICTURE)
    picture = f"picture: {out / PICTURE}" if drawn else "(no picture: pip install 'align-encoders[plots]')"
    say(f"\nModel: {out / 'model'}  scores: {out / 'result.json'}  {picture}  ({result['seconds']} s)")
    say(f'Now try: align search {out / "model"} {out / "index"} "{roman[QUERY_LANGUAGE][-1]}"')
    return result


def _run(
    out: Path,
    recipe: Recipe,
    verses: dict[str, list[str]],
    roman: dict[str, list[str]],
    *,
    seed: int,
    progress: bool,
) -> dict[str, Any]:
    from align import read_pairs, translation_pairs, transliteration_pairs
    from align.encoders.checkpoint import load_encoder
    from align.training.train import train

    began = time.perf_counter()
    write_texts(out, verses, roman)
    say(f"Building pairs: verses in {len(roman)} languages and scripts with their romanisation by uroman.")
    with as_file(files("align") / "data" / "demo" / "train") as folder:
        texts = [path for path in sorted(folder.iterdir()) if not path.name.startswith(PIVOT)]
        about = transliteration_pairs(texts, out / "pairs", groups="line", processes=2, licence="public domain")
        translation_pairs(folder, out / "translations", licence="public domain")
    encoder = load_encoder("seed", layer=recipe.encoder.layer)
    before = evaluate(encoder, verses, roman)
    translations = read_pairs(out / "translations").shuffle(seed=seed).select(range(TRANSLATIONS))
    tables = {"transliterations": read_pairs(out / "pairs"), "translations": translations}
    say(
        f"Training on {about['rows']:,} pairs, and {len(translations):,} translations, so that these are not forgotten."
    )
    train(encoder, tables, recipe, out / "model", about=about, progress=progress)
    after = evaluate(encoder, verses, roman)
    result = {"before": before, "after": after, "seed": seed, "seconds": round(time.perf_counter() - began)}
    write_json(out / "result.json", result)
    say("\n" + table(before, after))
    say("\n" + "\n".join(search_by_romanisation(encoder, verses, roman, out / "index")))
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
    roman = {code: romanize(lines, lang=code) for code, lines in verses.items() if code != PIVOT}
    return verses, roman


def write_texts(out: Path, verses: dict[str, list[str]], roman: dict[str, list[str]]) -> None:
    """The text as files below ``out``, held-out verses also romanised, for trying the other commands."""
    with as_file(files("align") / "data" / "demo" / "train") as folder:
        train = {path.name.removesuffix(".txt.gz"): list(read_lines(path)) for path in folder.iterdir()}
    romanised = {code.partition("_")[0] + "_Latn": lines for code, lines in roman.items()}
    for part, texts in (("train", train), ("test", verses | romanised)):
        for code, lines in texts.items():
            with whole_file(out / part / f"{code}.txt") as temporary:
                temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def evaluate(encoder: Encoder, verses: dict[str, list[str]], roman: dict[str, list[str]]) -> Scores:
    """P@1 of native and romanised verses in both directions, and of translation retrieval with all other languages."""
    native = {code: encoder.encode(lines) for code, lines in verses.items()}
    romanised = {code: encoder.encode(lines) for code, lines in roman.items()}
    translation: dict[str, list[float]] = {code: [] for code in native}
    for a, b in itertools.permutations(native, 2):
        score = first_is_right(native[a], native[b])
        translation[a].append(score)
        translation[b].append(score)
    scores = {
        code: {
            "native_to_roman": first_is_right(native[code], romanised[code]),
            "roman_to_native": first_is_right(romanised[code], native[code]),
            "translation": float(np.mean(translation[code])),
        }
        for code in roman
    }
    means = {name: float(np.mean([row[name] for row in scores.values()])) for name in next(iter(scores.values()))}
    return scores | {"mean": means}


def first_is_right(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> float:
    """P@1: share of rows whose nearest candidate is their own; ties count against."""
    from align.similarity.ranks import gold_ranks
    from align.tasks import precision_at

    return precision_at(gold_ranks(queries, candidates), 1)


def table(before: Scores, after: Scores) -> str:
    """P@1 before and after, a line per language and their mean."""
    names = {"native_to_roman": "native -> roman", "roman_to_native": "roman -> native", "translation": "translation"}
    lines = [f"{'P@1':10}" + "".join(f"{title:>22}" for title in names.values())]
    for code in sorted(before, key=lambda code: (code == "mean", code)):
        cells = [f"{before[code][name]:.3f} -> {after[code][name]:.3f}" for name in names]
        lines.append(f"{code:10}" + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)


def search_by_romanisation(
    encoder: Encoder, verses: dict[str, list[str]], roman: dict[str, list[str]], index: Path
) -> list[str]:
    """Store the vectors of all native verses; look for those of one language by their romanisation."""
    from align.indexes.build import save_index
    from align.indexes.search import search

    rows = [(f"{code}:{i}", line) for code, lines in verses.items() for i, line in enumerate(lines)]
    ids, texts = zip(*rows, strict=True)
    languages = [name.partition(":")[0] for name in ids]
    stored = save_index(
        index, encoder.encode(texts), ids, texts=texts, encoder=encoder.identity(), languages=languages,
        scripts=[language.partition("_")[2] for language in languages],
    )  # fmt: skip
    queries = roman[QUERY_LANGUAGE]
    found = search(stored, encoder, queries, 3)
    found_first = [i for i, hits in enumerate(found) if hits[0].id == f"{QUERY_LANGUAGE}:{i}"]
    shown = found_first[0] if found_first else 0
    lines = [
        f"Searching {len(rows)} verses in {len(verses)} languages: of {len(queries)} romanised "
        f"ones in {QUERY_LANGUAGE}, {len(found_first)} find their own first.",
        f"For instance: {queries[shown]}",
    ]
    return [*lines, *(f"  {hit.score:.3f}  {hit.id:14} {hit.text}" for hit in found[shown])]


def draw(before: Scores, after: Scores, path: Path) -> bool:
    """A bar chart of both scores before and after; False where the extra ``plots`` is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    codes = [code for code in before if code != "mean"] + ["mean"]
    y = np.arange(len(codes))
    panels = (("native_to_roman", "romanised verse found by its native form"), ("translation", "translation found"))
    for axis, (name, title) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        old, new = ([scores[code][name] for code in codes] for scores in (before, after))
        axis.barh(y - 0.2, old, 0.38, color="#c9ced6", label="before")
        axis.barh(y + 0.2, new, 0.38, color="#2b6cb0", label="after")
        for position, value in [*zip(y - 0.2, old, strict=True), *zip(y + 0.2, new, strict=True)]:
            axis.text(value + 0.01, position, f"{value:.2f}", va="center", fontsize=8, color="#444")
        axis.set(title=title, xlim=(0, 1.1), xlabel="P@1", yticks=y, yticklabels=codes)
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].invert_yaxis()
    figure.axes[1].legend(loc="lower right", frameon=False)
    figure.suptitle("Before and after contrastive alignment, held-out verses")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png")
    return True
