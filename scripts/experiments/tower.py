"""A tower of its own for romanised text: trained by `romanised_tower`, joined with the untouched encoder, measured.

    python -m scripts.experiments.tower E5 --prompt "query: " --to runs/tower --dev --out runs/tower/dev.json
    python -m scripts.experiments.tower E5 --prompt "query: " --to runs/tower --out docs/results/tower.json

Pairs: half of Dakshina's sentences in four languages with their human romanisation, as uroman writes them, and as
people might spell them (learn_spellings); phrases of two to six words, cut out of both texts of a sentence at the same
place; words of the lexicons. A tower that is in ``--to`` already is
measured. P@1 on the dev part, or on the other half, both ways, with 95 % intervals: of the untouched encoder and with
the tower, native text being read by the untouched encoder in both; recall@10 in one index of it. Spearman's rho on the
STS benchmark in Hindi, native and as uroman writes it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray

import align
from align.encoders.encoder import Encoder
from align.similarity.ranks import gold_ranks
from align.tasks import read_sts
from align.tasks.statistics.intervals import macro_interval
from align.tasks.sts import sts
from align.text.languages import latin
from align.text.romanize.spellings import learn_spellings
from align.vectors.writing import save_vectors
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import LANGUAGES, lines, romanised
from scripts.experiments.romanised import K, cell

WORDS, PHRASES, LENGTHS = 400, 200, (2, 6)
VIEWS = 3  # of each sentence, as its people might have spelt it
PAIRS = 400  # of the STS benchmark


def tower(
    model: str,
    *,
    to: Path = Path("runs/tower"),
    prompt: str | None = None,
    dev: bool = False,
    set: Sequence[str] = (),
    languages: Sequence[str] = ("hi", "ta", "si", "ur"),
) -> Row:
    """Train what is not there, and measure."""
    codes = {code: LANGUAGES["dakshina"][code] for code in languages}
    result: Row = {"settings": {"languages": [*codes.values()], "words": WORDS, "phrases": PHRASES, "set": list(set)}}
    native = align.load_encoder(model, prompt=prompt)
    if not (to / "tower").is_dir():
        encoder, recipe = align.load_encoder(model, prompt=prompt), align.load_recipe("romanised_tower", changes=set)
        began = time.process_time()
        align.train(encoder, pairs(codes), recipe, to / "tower")
        result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
    routed = align.route(native, to / "tower", to / "model", languages=[*map(latin, codes.values())])
    with torch.autocast("cpu", torch.bfloat16):
        result |= measured(native, routed, codes, "dev" if dev else "test")
    return result


def pairs(codes: Mapping[str, str]) -> Dataset:
    """Sentences, words and phrases, each native and romanised by people; sentences also by uroman, and respelt."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, str]] = []
    for code, language in codes.items():
        about = {"source_lang": language, "target_lang": latin(language)}
        sentences, lexicon = romanised(code, "train"), lines("dakshina", "lexicons", f"{code}.train.tsv")[1:]
        words = [(word, spelling, int(times)) for word, spelling, times in (line.split("\t") for line in lexicon)]
        views = [sentences, *respelt(sentences, words, language)]
        named = [(pair, "sentence", f"{code}:{i}") for view in views for i, pair in enumerate(view)]
        some = [words[i][:2] for i in rng.permutation(len(words))[:WORDS]]
        named += [(pair, "word", f"w:{pair[0]}") for pair in some]
        named += [(pair, "phrase", f"p:{pair[0]}") for pair in phrases(sentences, rng)]
        rows += [about | {"source": x, "target": y, "kind": kind, "group_id": group} for (x, y), kind, group in named]
    return Dataset.from_list(rows)


def respelt(
    sentences: Sequence[tuple[str, str]], lexicon: Sequence[tuple[str, str, int]], language: str
) -> Iterator[list[tuple[str, str]]]:
    """The sentences as uroman writes them, then ``VIEWS`` times as people might, after the lexicon and themselves."""
    seen = [(*pair, 1) for pair in sentences]
    spelt, native = learn_spellings([*lexicon, *seen], language=language), [x for x, _ in sentences]
    yield list(zip(native, align.romanize(native, lang=language), strict=True))
    for seed in range(VIEWS):
        yield list(zip(native, spelt.romanize(native, seed=seed), strict=True))


def phrases(sentences: Sequence[tuple[str, str]], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Words at the same place of both texts; of sentences that have as many words in both."""
    both = [(x.split(), y.split()) for x, y in sentences]
    even = [(x, y) for x, y in both if len(x) == len(y)]
    for _ in range(PHRASES):
        x, y = even[rng.integers(len(even))]
        size = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1))
        start = int(rng.integers(0, max(1, len(x) - size + 1)))
        yield " ".join(x[start : start + size]), " ".join(y[start : start + size])


def measured(native: Encoder, routed: Encoder, codes: Mapping[str, str], part: str) -> Row:
    """P@1 by language before and after, and their means; recall in one index; whether native text stays; rho."""
    found: dict[str, Any] = {"before": {}, "after": {}, "native_equal": True}
    right: dict[str, dict[str, NDArray[np.float64]]] = {"before": {}, "after": {}}
    asked: dict[str, dict[str, NDArray[np.float32]]] = {"before": {}, "after": {}}
    stored, texts = {}, {}
    for code, language in codes.items():
        texts[language], roman = map(list, zip(*romanised(code, part), strict=True))
        stored[language], some = native.encode(texts[language]), texts[language][:100]
        found["native_equal"] &= np.array_equal(native.encode(some), routed.encode(some, language=language))
        for when, encoder in (("before", native), ("after", routed)):
            queries = asked[when][language] = encoder.encode(roman, language=latin(language))
            for way, sides in (("native_to_roman", (stored[language], queries)),
                               ("roman_to_native", (queries, stored[language]))):  # fmt: skip
                items = (gold_ranks(*sides) == 1).astype(float)
                right[when][f"{language} {way}"] = items
                found[when].setdefault(language, {})[way] = cell(items.mean(), macro_interval([items]))
        print(language, {when: found[when][language] for when in right}, flush=True)
    for when, items in right.items():
        found[when]["mean"] = {
            way: cell(mean(one.mean() for one in some), macro_interval(some))
            for way in ("native_to_roman", "roman_to_native")
            for some in [[one for name, one in items.items() if name.endswith(way)]]
        }
    return found | old_index(native, routed, texts, stored, asked) | {"sts_hi": similarity(native, routed)}


def old_index(
    native: Encoder, routed: Encoder, texts: Mapping[str, Sequence[str]], stored: Mapping[str, NDArray[np.float32]],
    asked: Mapping[str, Mapping[str, NDArray[np.float32]]],
) -> Row:  # fmt: skip
    """Recall@10 in one index of the native text of all languages, which the untouched encoder made; exact and HNSW."""
    rows = [text for of in texts.values() for text in of]
    starts = dict(zip(texts, np.cumsum([0, *map(len, texts.values())]).tolist(), strict=False))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        vectors = save_vectors(
            Path(work) / "vectors", [*map(str, range(len(rows)))], np.concatenate(list(stored.values())), texts=rows,
            encoder=native.identity(),
        )  # fmt: skip
        for factory in ("Flat", "HNSW32"):
            index = align.index(vectors, Path(work) / factory, factory=factory)
            for when, encoder in (("before", native), ("after", routed)):
                items = []
                for language, queries in asked[when].items():
                    hits = index.search(queries, K, encoder=encoder.identity())[1]
                    items.append(
                        (hits == starts[language] + np.arange(len(queries))[:, None]).any(axis=1).astype(float)
                    )
                table = {language: cell(one.mean(), macro_interval([one]))
                         for language, one in zip(asked[when], items, strict=True)}  # fmt: skip
                table["mean"] = cell(mean(one.mean() for one in items), macro_interval(items))
                found.setdefault(factory, {})[when] = table
    print(found, flush=True)
    return {"k": K, "passages": len(rows), "old_index": found}


def similarity(native: Encoder, routed: Encoder) -> dict[str, float]:
    """Spearman's rho on pairs of the STS benchmark in Hindi: native, and romanised by uroman, before and after."""
    every = read_sts(data() / "sts" / "stsb")["hi"]
    pairs = replace(every, **{side: getattr(every, side)[:PAIRS] for side in ("scores", "first", "second")})
    sides = {side: tuple(align.romanize(getattr(pairs, side), lang="hin_Deva")) for side in ("first", "second")}
    roman = replace(pairs, **sides)
    asked = {
        "native": (pairs, native, "hin_Deva"), "romanised": (roman, native, "hin_Latn"),
        "romanised, with the tower": (roman, routed, "hin_Latn"),
    }  # fmt: skip
    return {
        name: round(sts(lambda texts, _, by=by, code=code: by.encode(texts, language=code), {"hi": of}).headline(), 4)
        for name, (of, by, code) in asked.items()
    }


if __name__ == "__main__":
    command_line(tower)
