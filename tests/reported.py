"""Small results of two models in six scripts, for the tests of the report."""

from __future__ import annotations

import copy
import json

import numpy as np

TEXTS = {
    "eng_Latn": ("The book is on the table.", "Where is the water?"),
    "hin_Deva": ("किताब मेज़ पर है।", "पानी कहाँ है?"),
    "arb_Arab": ("الكتاب على الطاولة.", "أين الماء؟"),
    "tha_Thai": ("หนังสืออยู่บนโต๊ะ", "น้ำอยู่ที่ไหน"),
    "zho_Hans": ("书在桌子上。", "水在哪里？"),
    "srp_Cyrl": ("Књига је на столу.", "Где је вода?"),
    "srp_Latn": ("Knjiga je na stolu.", "Gde je voda?"),
}
CODES = [code for code in TEXTS if code != "eng_Latn"]


def score(language, other, direction, items):
    value = float(np.mean(items))
    name = f"{other}>{language}" if direction == "from_pivot" else f"{language}>{other}"
    return {
        "id": name, "language": language, "other": other, "script": language[4:], "direction": direction,
        "n": len(items), "left_out": 0, "metrics": {"P@1": value}, "items": items,
        "interval": [max(value - 0.1, 0), min(value + 0.1, 1)],
    }  # fmt: skip


def result(model="before", right=20, *, benchmark="toy", task="retrieval", **over):
    """40 items a language, of which so many are right (language i has i more)."""
    scores = [
        score(code, "eng_Latn", direction, [1] * (right + i) + [0] * (40 - right - i))
        for i, code in enumerate(CODES)
        for direction in ("to_pivot", "from_pivot")
    ]
    value = float(np.mean([row["metrics"]["P@1"] for row in scores]))
    shift = 0.0 if model == "before" else 0.3
    points = [
        {"x": i - 2.0 + j, "y": float(j) + i * shift, "language": code, "script": code[4:], "text": text,
         "translation": TEXTS["eng_Latn"][j]}
        for i, code in enumerate(TEXTS)
        for j, text in enumerate(TEXTS[code])
    ]  # fmt: skip
    whole = {
        "format": "align-result", "version": 1, "benchmark": benchmark, "task": task, "model": model,
        "encoder": {"fingerprint": f"print of {model}", "pooling": {"kind": "mean", "layer": 2}, "dimension": 16},
        "protocol": {"name": "align", "pivot": "eng_Latn"},
        "data": {"source": "toy set", "sha256": "ab" * 32, "licence": "CC0"},
        "metric": "P@1", "statistic": "mean",
        "headline": {"value": value, "interval": [value - 0.05, value + 0.05]},
        "scores": scores,
        "missing": [{"name": "nqo_Nkoo", "reason": "the file is blank"}],
        "groups": [
            {"by": "script", "group": code[4:], "scores": 2, "value": 0.5 + shift,
             "interval": [0.4 + shift, 0.6 + shift]}
            for code in CODES[:3]
        ],
        "script_gaps": [
            {"language": "srp", "scripts": ["Cyrl", "Latn"], "other": "eng_Latn", "direction": "to_other",
             "gap": 0.25 - shift},
        ],
        "geometry": {code: {"hubness": 1.25, "anisotropy": 0.5} for code in CODES},
        "layers": {
            "metric": "P@1", "best": 1, "chosen_on": "dev lines", "mean": [0.1, 0.5, 0.4],
            "curves": {code: [0.1, 0.5 + shift, 0.4] for code in CODES},
        },
        "map": {"method": "pca", "explained": [0.5, 0.25], "points": points},
        "examples": [
            {"source": "कुत्ता", "source_lang": "hin_Deva", "target_lang": "eng_Latn",
             "predicted": "dog" if shift else "cat", "gold": ["dog", "hound"], "right": bool(shift)},
            {"source": "water", "source_lang": "eng_Latn", "target_lang": "arb_Arab", "predicted": "ماء",
             "gold": ["ماء"], "right": True},
        ],
        "versions": {"align-encoders": "0.1.0"}, "seconds": 12.3, "created": "2026-11-24T09:00:00+00:00",
    }  # fmt: skip
    return copy.deepcopy(whole | over)


def save(folder, *results):
    """Write results; their paths."""
    paths = []
    for number, one in enumerate(results):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(one), encoding="utf-8")
    return paths


def trained(folder, summary):
    """A folder as training leaves it."""
    folder.mkdir(parents=True)
    (folder / "align.json").write_text(json.dumps({"summary": summary}), encoding="utf-8")
    return folder


SUMMARY = {
    "losses": [{"step": s, "loss": 2 / s, "nt_xent": 1 / s, "mlm": 1 / s, "learning_rate": 1.0} for s in (10, 20, 30)],
    "evaluations": [{"step": 10.0, "toy/P@1": 0.25}, {"step": 30.0, "toy/P@1": 0.75}],
}
