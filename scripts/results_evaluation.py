"""Section of docs/results.md: three encoders on the same benchmarks, with intervals, tests and layer curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from results_sentences import markdown

from align.files.whole import read_json

SHOWN = 12  # scripts that are not told apart
COMMANDS = r"""```bash
align demo --out demo
align eval seed --name seed -b tatoeba -b sib200 -b stsb --out runs/eval
align eval demo/model --name seed-after-demo -b tatoeba -b sib200 -b stsb --out runs/eval
align eval E5 --name multilingual-e5-small --prompt "query: " --bf16 -b tatoeba -b sib200 -b stsb --out runs/eval
SOME="eng_Latn,deu_Latn,rus_Cyrl,hin_Deva,arb_Arab,jpn_Jpan,fin_Latn,swh_Latn,tam_Taml,kor_Hang,tha_Thai,tur_Latn"
SIB="--task retrieval --data $ALIGN_DATA/sib200 --languages $SOME"
align eval layers seed $SIB --out runs/layers-seed.json
align eval layers demo/model $SIB --out runs/layers-demo.json
align eval layers E5 --prompt "query: " $SIB --out runs/layers-e5.json
align compare runs/eval --baseline seed
python scripts/keep_evaluation.py runs/eval --baseline seed --layers seed=runs/layers-seed.json \
  --layers seed-after-demo=runs/layers-demo.json --layers multilingual-e5-small=runs/layers-e5.json
```"""


def evaluation_section(kept: Path) -> str:
    """Scores with intervals, what the tests tell apart, scripts, layers."""
    found = read_json(kept / "evaluation.json")
    parts = [
        f"""## Three encoders, and which differences are real

{COMMANDS}

Written from what `align compare` says: 95 % intervals, paired permutation tests, Holm's correction over the language
pairs of a benchmark. Tatoeba: 112 languages and English, ratio margin; SIB-200: 95 language-scripts and English, and
scripts of a language with each other, cosine; the STS benchmark in 15 languages.

**Made before lines were drawn together**, as they are now wherever languages and directions share them: a run of these
commands gives longer intervals (on the demo 1.7 times as long) and a larger p, and a mean of SIB-200 of the searches
with English alone, without those between scripts of one language, which this one counts. The scores of a language pair
stay.

What the demo teaches, that two scripts of a language meet, it pays for elsewhere: STS falls by more than half, Tatoeba
a little. Its recipe is made to show one thing in minutes; the recipes for a real encoder above keep the rest."""
    ]
    parts += [_benchmark(one) for one in found["benchmarks"]]
    parts.append(_undecided(found["benchmarks"]))
    parts.append(_layers(found["layers"]))
    return "\n\n".join(parts)


def _span(interval: list[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"


def _benchmark(one: dict[str, Any]) -> str:
    rows = []
    for model, pairs in zip(one["models"], one["pairs"], strict=True):
        difference = model["difference"]
        cells = ["-", "-", "-"]
        if difference:
            mark = "" if difference["distinguishable"] else " ≈"
            cells = [
                f"{difference['value']:+.3f} ({_span(difference['interval'])}){mark}", _p(difference["adjusted"]),
                f"{pairs['better']} / {pairs['worse']} / {pairs['as good']}",
            ]  # fmt: skip
        rows.append([model["model"], f"{model['value']:.3f}", _span(model["interval"]), *cells])
    header = ["", one["metric"], "95 %", f"minus {one['baseline']}", "p", "pairs better / worse / ≈"]
    return f"### {one['benchmark']}\n\nMean of {one['scores']} scores.\n\n{markdown(header, rows)}"


def _undecided(benchmarks: list[dict[str, Any]]) -> str:
    """Scripts in which a model is not told apart from the baseline."""
    rows = []
    for one in benchmarks:
        names = [model["model"] for model in one["models"]]
        for script in one["scripts"]:
            for name, value, difference in zip(names, script["values"], script["differences"], strict=True):
                if difference and not difference["distinguishable"]:
                    base = script["values"][names.index(one["baseline"])]
                    span, p = _span(difference["interval"]), _p(difference["adjusted"])
                    rows.append(
                        [f"{one['benchmark']}, {script['name']}, {name}", f"{base:.3f}", f"{value:.3f}", span, p]
                    )
    if not rows:
        return "Every difference to the baseline by script is told apart from none."
    table = markdown(["benchmark, script, model", "baseline", "model", "difference, 95 %", "p"], rows[:SHOWN])
    more = f"\n\nand {len(rows) - SHOWN} more." if len(rows) > SHOWN else ""
    head = "### Not told apart\n\nScripts in which a model differs from the baseline by no more than chance:"
    return f"{head}\n\n{table}{more}"


def _layers(curves: dict[str, Any]) -> str:
    numbers = sorted({k for one in curves.values() for k in one["layers"]})
    rows = []
    for name, one in curves.items():
        mean = dict(zip(one["layers"], one["mean"], strict=True))
        rows.append([name, *(f"{mean[k]:.3f}" if k in mean else "" for k in numbers), str(one["best"])])
    header = ["", *map(str, numbers), "chosen"]
    where = next(iter(curves.values()))["chosen_on"]
    return f"""### Layers

P@1 at every layer on the test lines of SIB-200, mean of 11 languages to and from English; the layer is chosen on
{where}, before the test lines are looked at.

{markdown(header, rows)}"""
