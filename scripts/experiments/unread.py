"""Scripts that E5's tokenizer lacks: romanised as they are, and by a tower of their own; measured.

    python -m scripts.experiments.unread E5 --prompt "query: " --to runs/unread --out docs/results/unread.json

The encoder that romanises is fitted on the articles of the declaration of human rights that are trained on, in all
languages. Pairs (English, other): those articles in the languages of ``UNREAD``, two of three articles; four of five
verses of Mark, John and Acts in Cherokee and Syriac; names of languages and territories (CLDR); and the articles in
``RELATIVES``, romanised. The recipe is ``script_tower``. What is in ``--to`` already is taken from there; with
``--untrained`` there is no tower.

P@1, both ways, with 95 % intervals: each paragraph of the other articles among all 61 of the English declaration, the
first 100 other verses among themselves, and the first 100 sentences of SIB-200 in Tifinagh, on which nothing is
trained. Readable text is compared bit for bit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray

import align
from align.encoders.encoder import Encoder
from align.files.whole import whole_file
from align.tasks.statistics.intervals import macro_interval
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import lines
from scripts.experiments.romanised import cell

UNREAD = {
    "bod": "bod_Tibt", "dzo": "dzo_Tibt", "div": "div_Thaa", "chr_cased": "chr_Cher", "aii": "aii_Syrc",
    "ccp": "ccp_Cakm", "blt": "blt_Tavt", "kkh_lana": "kkh_Lana", "fuf_adlm": "fuf_Adlm", "iii": "iii_Yiii",
    "jav_java": "jav_Java", "san_gran": "san_Gran", "vai": "vai_Vaii", "zgh": "zgh_Tfng",
}  # fmt: skip
"""Declarations in scripts that E5 lacks -> their codes."""
RELATIVES = (
    "fuf", "jav", "san", "hin", "heb", "arb", "sin", "ben", "tha", "lao", "shn", "mya", "kab", "men", "nep", "cmn_hans",
    "amh", "hau_3", "bam",
)  # fmt: skip
"""Or neighbours, in other scripts."""
VERSES = {"chr": "chr_Cher", "syr": "syc_Syrc"}
NAMES = {
    "dz": "dzo_Tibt", "bo": "bod_Tibt", "chr": "chr_Cher", "ccp": "ccp_Cakm", "ff-Adlm": "fuf_Adlm", "ii": "iii_Yiii",
    "nqo": "nqo_Nkoo", "syr": "aii_Syrc", "vai": "vai_Vaii", "zgh": "zgh_Tfng",
}  # fmt: skip
"""Columns of CLDR's names."""
SIB = VERSES_TESTED = 100
READABLE = ("hin_Deva", "rus_Cyrl", "amh_Ethi", "tha_Thai", "zho_Hans", "eng_Latn")
Key = tuple[str, int]


def unread(
    model: str,
    *,
    to: Path = Path("runs/unread"),
    prompt: str | None = None,
    set: Sequence[str] = (),
    untrained: bool = False,
) -> Row:
    """Fit and train what is not there, and measure; if untrained, without the tower."""
    result: Row = {"settings": {"set": list(set)}}
    if not (to / "romanising").is_dir():
        align.scripts(model, [corpus(to)], to / "romanising", prompt=prompt)
    if not (untrained or (to / "tower").is_dir()):
        encoder, recipe = align.load_encoder(to / "romanising"), align.load_recipe("script_tower", changes=set)
        began = time.process_time()
        result["losses"] = align.train(encoder, pairs(), recipe, to / "tower")["losses"]
        result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
    native, romanising = align.load_encoder(model, prompt=prompt), align.load_encoder(to / "romanising")
    encoders = {"untouched": native, "romanised": romanising}
    if not untrained:
        encoders["tower"] = align.route(romanising, to / "tower", to / "model", scripts="fallback")
    about = romanising.fallback.about if romanising.fallback else {}
    result |= {"readability": {name: about[name] for name in ("threshold", "romanised", "scripts", "romanizer")}}
    with torch.autocast("cpu", torch.bfloat16):
        return result | measured(encoders)


def corpus(to: Path) -> Path:
    """The articles of all declarations that are trained on, a paragraph a line."""
    texts = [p for row in articles() if not held_out(row["id"]) for code, text in row.items() if code != "id"
             for p in text.split(" ¶ ")]  # fmt: skip
    to.mkdir(parents=True, exist_ok=True)
    with whole_file(to / "declarations.txt") as temporary:
        temporary.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return to / "declarations.txt"


def articles() -> list[dict[str, str]]:
    return [json.loads(line) for line in lines("udhr", "articles.jsonl")]


def held_out(article: str) -> bool:
    """Every third of the thirty."""
    return article.startswith("art") and int(article[3:]) % 3 == 0


def paragraphs(code: str) -> dict[Key, tuple[str, str]]:
    """(English, other) paragraphs of a declaration, of the articles that have as many in both."""
    both = [(row["id"], row["eng"].split(" ¶ "), row.get(code, "").split(" ¶ ")) for row in articles()]
    return {(article, i): pair for article, english, other in both if len(english) == len(other)
            for i, pair in enumerate(zip(english, other, strict=True)) if all(map(str.strip, pair))}  # fmt: skip


def verses(code: str, *, test: bool) -> list[tuple[int, str, str]]:
    """Number, English and other; every fifth is tested."""
    both = zip(lines("bible", "eng.txt"), lines("bible", f"{code}.txt"), strict=True)
    return [(i, x, y) for i, (x, y) in enumerate(both) if (i % 5 == 0) is test and x.strip() and y.strip()]


def names() -> Iterator[tuple[str, str, str, str]]:
    """English name, its translation, the code of the latter, and what is named."""
    for kind in ("languages", "territories"):
        head, *rows = (line.split("\t") for line in lines("entities", f"cldr-{kind}.tsv"))
        for column, code in NAMES.items():
            for row in rows if column in head else ():
                named = dict(zip(head, row, strict=False))  # empty ones at the end may be missing
                english, other = named["en"], named.get(column, "")
                if english and other and english != other:
                    yield english, other, code, f"{kind}:{row[0]}"


def pairs() -> Dataset:
    """(English, other) of all that is trained on."""
    rows: list[dict[str, str]] = []

    def add(english: str, other: str, code: str, kind: str, group: str) -> None:
        rows.append({"source": english, "target": other, "source_lang": "eng_Latn", "target_lang": code,
                     "kind": kind, "group_id": group})  # fmt: skip

    for code in (*UNREAD, *RELATIVES):
        trained = {key: pair for key, pair in paragraphs(code).items() if not held_out(key[0])}
        texts = [other for _, other in trained.values()]
        texts = texts if code in UNREAD else align.romanize(texts)
        for (article, i), other in zip(trained, texts, strict=True):
            language = UNREAD.get(code, f"{code[:3]}_Latn")
            add(trained[article, i][0], other, language, "sentence", f"declaration:{article}:{i}")
    for code, language in VERSES.items():
        for i, english, other in verses(code, test=False):
            add(english, other, language, "sentence", f"verse:{i}")
    for english, other, language, group in names():
        add(english, other, language, "word", group)
    return Dataset.from_list(rows)


def tests() -> dict[str, dict[str, Any]]:
    """By kind of text and language: texts, English candidates, and which of these each text is."""
    english = {key: pair[0] for key, pair in paragraphs("eng").items()}
    place = {key: i for i, key in enumerate(english)}
    found: dict[str, dict[str, Any]] = {"articles": {}, "verses": {}, "tifinagh": {}}
    for code, language in UNREAD.items():
        some = {key: pair[1] for key, pair in paragraphs(code).items() if held_out(key[0]) and key in place}
        found["articles"][language] = [*some.values()], [*english.values()], np.array([place[key] for key in some])
    for code, language in VERSES.items():
        _, there, here = map(list, zip(*verses(code, test=True)[:VERSES_TESTED], strict=True))
        found["verses"][language] = here, there, np.arange(len(here))
    here, there = (lines("sib200", f"{code}.txt")[:SIB] for code in ("taq_Tfng", "eng_Latn"))
    found["tifinagh"]["taq_Tfng"] = here, there, np.arange(SIB)
    return found


def measured(encoders: Mapping[str, Encoder]) -> Row:
    """P@1 of each kind of text by encoder and language, and the means; whether readable text stays."""
    found: dict[str, Any] = {}
    untouched = encoders["untouched"]
    for kind, of in tests().items():
        found[kind] = {"texts": sum(len(texts) for texts, _, _ in of.values())}
        ways: dict[str, list[NDArray[np.float64]]] = {name: [] for name in encoders}
        english = {tuple(there): untouched.encode(there) for _, there, _ in of.values()}
        for language, (texts, there, gold) in of.items():
            candidates = english[tuple(there)]
            for name, encoder in encoders.items():
                vectors = encoder.encode(texts)
                to = ((vectors @ candidates.T).argmax(axis=1) == gold).astype(float)
                back = ((candidates[gold] @ vectors.T).argmax(axis=1) == np.arange(len(gold))).astype(float)
                ways[name] += [to, back]
                p1 = mean([to.mean(), back.mean()])
                found[kind].setdefault(language, {})[name] = cell(p1, macro_interval([to, back]))
            print(kind, language, len(texts), {name: found[kind][language][name] for name in encoders}, flush=True)
        found[kind]["mean"] = {
            name: cell(mean(one.mean() for one in items), macro_interval(items)) for name, items in ways.items()
        }
    same = True
    for code in READABLE:
        texts = lines("sib200", f"{code}.txt")[:10]
        before = untouched.encode(texts)
        same &= all(np.array_equal(before, encoder.encode(texts)) for encoder in encoders.values())
    return {"found": found, "readable_equal": same, "readable": list(READABLE)}


if __name__ == "__main__":
    command_line(unread)
