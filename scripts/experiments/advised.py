"""Does advice hold: sources ranked for targets that were held out, by typology, by overlap of texts, and by all.

    python -m scripts.experiments.advised retrieval seed --out docs/results/advised-retrieval.json
    python -m scripts.experiments.advised pos E5 --prompt "query: " --out docs/results/advised-pos.json

The scores are those of transfer_scores.py. Features are read off other text than was scored: the other lines of
TICO-19, sentences 101-170 of Parallel UD. Typology is that of lang2vec (the extra ``typology``). Sizes are those of
CC-100, the text of XLM-R: MiB of the compressed files, as https://data.statmt.org/cc-100 lists them; it lists none for
Central Kurdish, Kinyarwanda and Tigrinya.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

import align
from align.errors import InputError
from align.transfer.evidence import Evidence
from align.transfer.feature import KINDS, Table, feature_table
from align.transfer.held_out import HeldOut, hold_out, importance, over_targets, summary
from align.transfer.rows import USUAL, Rows
from scripts.bench.harness import Row, command_line
from scripts.document.tables import kept
from scripts.experiments.plans import lines
from scripts.experiments.transfer_scores import PUD, SCORED, TICO, sentences

SIZES = {
    "amh_Ethi": 133, "arb_Arab": 5400, "ben_Beng": 860, "deu_Latn": 18_000, "eng_Latn": 82_000, "spa_Latn": 14_000,
    "pes_Arab": 20_000, "fra_Latn": 14_000, "gaz_Latn": 11, "hau_Latn": 61, "hin_Deva": 2500, "ind_Latn": 36_000,
    "khm_Khmr": 153, "kmr_Latn": 90, "lin_Latn": 2.3, "mar_Deva": 334, "mya_Mymr": 46, "npi_Deva": 393, "pbt_Arab": 107,
    "rus_Cyrl": 46_000, "som_Latn": 78, "swh_Latn": 332, "tam_Taml": 1300, "tgl_Latn": 701, "tha_Thai": 8700,
    "tur_Latn": 5400, "urd_Arab": 884, "zho_Hans": 14_000, "zul_Latn": 4.3,
}  # fmt: skip
SETS: Mapping[str, Sequence[str]] = {
    "typology": ["typology"], "lexical": ["lexical"], "typology + lexical": ["typology", "lexical"], "size": ["data"],
    "likeness": ["encoder"], "all": KINDS, "all + usual": [*KINDS, USUAL],
}  # fmt: skip
"""Kinds of features that are compared."""
ALL = "all + usual"
DIFFERENCES = (("typology", "lexical"), ("typology + lexical", "lexical"), ("typology + lexical", "typology"),
               ("all", "lexical"), ("all", "likeness"), (ALL, "all"))  # fmt: skip


def advised(task: str, model: str, *, prompt: str | None = None) -> Row:
    encoder, scores = align.load_encoder(model, prompt=prompt), kept(f"transfer-{task}")
    if scores["encoder"]["fingerprint"] != encoder.identity()["fingerprint"]:
        raise InputError(f"docs/results/transfer-{task}.json has scores of another encoder than {model}")
    texts = TEXTS[task]()
    pairs = [(one["source"], one["target"]) for one in scores["scores"]]
    with torch.autocast("cpu", torch.bfloat16):
        table = feature_table(pairs, Evidence(texts, parallel=True, encoder=encoder, sizes=SIZES))
    if table.lacking:
        raise InputError("; ".join(dict.fromkeys(table.lacking.values())))
    rows = Rows.of(pairs, [one["score"] for one in scores["scores"]], table.values)
    return {"encoder": encoder.identity(), "unknown": dict(table.unknown), **measured(rows, table)}


TEXTS = {
    "retrieval": lambda: {code: others(lines("tico19", f"{name}.txt")) for name, code in TICO.items()},
    "pos": lambda: {code: [one.text for one in list(sentences(name))[100:170]] for name, code in PUD.items()},
}
"""Of which features are made, by what was scored."""


def others(every: list[str]) -> list[str]:
    """The lines that are not scored."""
    scored = set(range(len(every))[SCORED])
    return [line for number, line in enumerate(every) if number not in scored]


def measured(rows: Rows, table: Table) -> Row:
    """Rho and regrets by every set of features, differences of rho, and importance in the largest set."""
    held = {
        name: hold_out(
            Rows(rows.sources, rows.targets, rows.scores, rows.features[:, columns(table, kinds)]),
            with_usual=USUAL in kinds,
        )
        for name, kinds in SETS.items()
    }
    ways = {name: summary(of) for name, of in held.items()}
    simple = {way: ways[ALL][way] for way in (USUAL, "chance")}
    places = {kind: columns(table, [kind]) for kind in KINDS} | {USUAL: [len(table.features)]}
    single = {one.name: [place] for place, one in enumerate(table.features)}
    return {
        "held_out": {name: of["predicted"] for name, of in ways.items()} | simple,
        "differences": {f"{a} - {b}": difference(held[a], held[b]) for a, b in DIFFERENCES},
        "importance": importance(held[ALL], places | single),
        "scores": [round(float(value), 4) for value in np.quantile(rows.scores, [0, 0.25, 0.5, 0.75, 1])],
    }


def columns(table: Table, kinds: Sequence[str]) -> list[int]:
    return [place for place, one in enumerate(table.features) if one.kind in kinds]


def difference(one: Sequence[HeldOut], other: Sequence[HeldOut]) -> list[float]:
    """Of rho, target by target."""
    return over_targets([a.measures()["rho"] - b.measures()["rho"] for a, b in zip(one, other, strict=True)])


if __name__ == "__main__":
    command_line(advised)
