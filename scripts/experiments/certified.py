"""One encoder for which everything rises or stays: a tower for romanised text, a head for words, one certificate.

    python -m scripts.experiments.tower E5 --prompt "query: " --to runs/tower \
        --languages bn gu hi kn ml mr pa sd si ta te ur --set train.steps=1500 train.learning_rate=3e-4 \
        train.embedding_rate=4e-3 train.bf16=true
    python -m scripts.experiments.certified E5 runs/tower/model --prompt "query: " --bf16 \
        --out docs/results/certificate.json

The head is trained on the pairs of `words` (words.py: no word of a test set is in them) and the words of their
vocabularies; a head that is in ``--to`` already is taken. Both encoders are scored by ``align.certify``, words of the
second one with its head. Languages: the tower's twelve, and seven others in which nothing was trained.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import align
from align.mapping.lexical_head import HeadOptions
from scripts.bench.harness import Row, command_line, data
from scripts.experiments import words
from scripts.experiments.plans import LANGUAGES, PLANS

OTHERS = ("eng_Latn", "deu_Latn", "rus_Cyrl", "arb_Arab", "zho_Hans", "jpn_Jpan", "swh_Latn")
STEPS, CANDIDATES = 600, 10_000


def certified(
    model: str, routed: Path, *, prompt: str | None = None, to: Path = Path("runs/certified"), bf16: bool = False,
    table: Path = Path("runs/table"), grains: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train the head if it is not there, and compare."""
    result: Row = {"settings": {"steps": STEPS, "candidates": CANDIDATES, "bf16": bf16}}
    if not (to / "head").is_dir():
        made, _ = words.word_pairs(PLANS["words"] | {"table": str(table), "freedict": ""}, to)
        result["settings"]["pairs"] = len(made)
        lists = {code: words.vocabulary(code, CANDIDATES) for code in words.CODES.values()}
        began = time.process_time()
        align.word_head(
            routed, table / "pairs", to / "head", vocabularies=lists, options=HeadOptions(steps=STEPS), bf16=bf16
        )
        result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
    load = partial(align.load_encoder, prompt=prompt)
    languages = [*LANGUAGES["dakshina"].values(), *OTHERS]
    found = align.certify(
        partial(load, model), partial(load, routed), words=partial(load, routed, head=to / "head"), data=data(),
        names=("E5", "aligned"), bf16=bf16, languages=languages, **({"grains": grains} if grains else {}),
    )  # fmt: skip
    print(found.table(), flush=True)
    return result | found.to_json()


if __name__ == "__main__":
    command_line(certified)
