"""How well one language serves another, measured on an encoder: tables of (source, target, score) for `align advise`.

    python -m scripts.experiments.transfer_scores retrieval seed --out docs/results/transfer-retrieval.json
    python -m scripts.experiments.transfer_scores pos E5 --prompt "query: " --out docs/results/transfer-pos.json

``retrieval``: sentences of the target among those of the source, P@1 among as many candidates, on every fifth line of
TICO-19 (4, 9, ..., which `seed` has never seen) in 29 languages.
``pos``: parts of speech of Parallel UD, read off the frozen vectors of words by a logistic probe that learnt them on
sentences 1-60 of the source; accuracy on sentences 941-1000 of the target. Words written together with others (two
words in one surface form) are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import align
from align.encoders.encoder import Encoder
from align.similarity.cosine import normalize
from align.tasks.measures.logistic import fit_logistic
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import lines

TICO = {
    "am": "amh_Ethi", "ar": "arb_Arab", "bn": "ben_Beng", "ckb": "ckb_Arab", "en": "eng_Latn", "es-LA": "spa_Latn",
    "fa": "pes_Arab", "fr": "fra_Latn", "ha": "hau_Latn", "hi": "hin_Deva", "id": "ind_Latn", "km": "khm_Khmr",
    "ku": "kmr_Latn", "ln": "lin_Latn", "mr": "mar_Deva", "my": "mya_Mymr", "ne": "npi_Deva", "om": "gaz_Latn",
    "ps": "pbt_Arab", "ru": "rus_Cyrl", "rw": "kin_Latn", "so": "som_Latn", "sw": "swh_Latn", "ta": "tam_Taml",
    "ti": "tir_Ethi", "tl": "tgl_Latn", "ur": "urd_Arab", "zh": "zho_Hans", "zu": "zul_Latn",
}  # fmt: skip
PUD = {
    "ar": "arb_Arab", "de": "deu_Latn", "en": "eng_Latn", "hi": "hin_Deva", "ru": "rus_Cyrl", "th": "tha_Thai",
    "tr": "tur_Latn",
}  # fmt: skip
SCORED = slice(4, None, 5)  # of TICO-19; seed was not trained on them
LEARNT, TESTED = slice(0, 60), slice(940, 1000)  # sentences of PUD
PENALTY = 0.1
BATCH = 16


class Sentence(NamedTuple):
    """A sentence of Parallel UD; ``spans`` are the places of its words, None of one written together with others."""

    text: str
    spans: list[tuple[int, int] | None]
    tags: list[str]


def transfer_scores(task: str, model: str, *, prompt: str | None = None) -> Row:
    encoder = align.load_encoder(model, prompt=prompt)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return {"encoder": encoder.identity(), "bf16": True, **TASKS[task](encoder)}


def retrieval(encoder: Encoder) -> Row:
    vectors = {}
    for name, code in TICO.items():
        vectors[code] = normalize(encoder.encode(lines("tico19", f"{name}.txt")[SCORED]))
        print(code, flush=True)
    scores = [
        row(source, target, found(vectors[target], vectors[source])) for source, target in permutations(vectors, 2)
    ]
    return {"sentences": len(lines("tico19", "en.txt")[SCORED]), "languages": len(vectors), "scores": scores}


def found(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> float:
    """Share of queries whose own candidate is nearer than all others."""
    similarity = queries @ candidates.T
    ahead = (similarity >= np.diag(similarity)[:, None]).sum(axis=1) - 1
    return float((ahead == 0).mean())


def parts_of_speech(encoder: Encoder) -> Row:
    names: list[str] = sorted({tag for code in PUD for one in sentences(code) for tag in one.tags})
    learnt, tested, left_out = {}, {}, {}
    for name, code in PUD.items():
        every = list(sentences(name))
        learnt[code], tested[code] = (words(encoder, every[part], names) for part in (LEARNT, TESTED))
        spans = [span for one in every for span in one.spans]
        left_out[code] = round(spans.count(None) / len(spans), 4)
        print(code, len(learnt[code][1]), len(tested[code][1]), flush=True)
    scores, own = [], {}
    for source, (vectors, classes) in learnt.items():
        probe = fit_logistic(vectors, classes, count=len(names), penalty=PENALTY)
        right = {code: float((probe.predict(x) == y).mean()) for code, (x, y) in tested.items()}
        own[source] = round(right[source], 4)
        scores += [row(source, target, right[target]) for target in tested if target != source]
        print(source, right, flush=True)
    return {"left_out": left_out, "own": own, "languages": len(PUD), "scores": scores}


def sentences(code: str) -> Iterator[Sentence]:
    """Those of a file in CoNLL-U, in order."""
    for block in "\n".join(lines("universal_dependencies", f"{code}_pud-ud-test.conllu")).split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if line and line[0] != "#"]
        text = next(line[9:] for line in block.split("\n") if line.startswith("# text = "))
        spans: list[tuple[int, int] | None] = []
        tags: list[str] = []
        end, together = 0, 0
        for number, form, _, tag, *_ in rows:
            if "-" in number:
                together = int(number.split("-")[1])
                start = text.index(form, end)
                end = start + len(form)
            elif "." not in number:
                tags.append(tag)
                if int(number) <= together:
                    spans.append(None)
                else:
                    start = text.index(form, end)
                    end = start + len(form)
                    spans.append((start, end))
        yield Sentence(text, spans, tags)


def words(
    encoder: Encoder, some: Sequence[Sentence], names: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors of words, each the mean of its pieces, and the numbers of their tags."""
    vectors: list[NDArray[np.float32]] = []
    classes: list[int] = []
    before = len(encoder.prompt)
    for at in range(0, len(some), BATCH):
        batch = some[at : at + BATCH]
        given: Any = encoder.tokenizer([encoder.prompt + one.text for one in batch], truncation=True, max_length=512)
        states = encoder.hidden(*encoder.pad(given["input_ids"])).layer.float().numpy()
        for one, encoding, state in zip(batch, given.encodings, states, strict=True):
            offsets = np.array(encoding.offsets) - before
            for span, tag in zip(one.spans, one.tags, strict=True):
                if span is None:
                    continue
                inside = np.flatnonzero((offsets[:, 0] < span[1]) & (offsets[:, 1] > span[0]))
                if len(inside):
                    vectors.append(state[inside].mean(axis=0))
                    classes.append(names.index(tag))
    return np.stack(vectors), np.array(classes)


def row(source: str, target: str, score: float) -> Row:
    return {"source": source, "target": target, "score": round(score, 4)}


TASKS = {"retrieval": retrieval, "pos": parts_of_speech}


if __name__ == "__main__":
    command_line(transfer_scores)
