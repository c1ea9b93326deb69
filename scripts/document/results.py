"""The numbers of docs/results.md, from docs/results/*.json."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import mean
from typing import Any

from align.demo import COLUMNS, TOPIC
from scripts.document.tables import GROUPS, Row, changes, kept, runs, table

MEASURES = {
    "native -> roman": "native_to_roman", "roman -> native": "roman_to_native", "translation": "translation",
}  # fmt: skip
STATES = {"start": "start", "+ NLI": "nli", "+ STS": "sts"}
METRICS = ("NN P@1", "NN MRR", "CSLS P@1", "CSLS MRR")
WORD_SETS = {
    "XLING": ("xling", "all"), "PanLex-BLI, trained": ("panlex", "trained"), "not trained": ("panlex", "not trained"),
    "English-Sinhala": ("sinhala", "all"),
}  # fmt: skip
DEV_RUNS = {"untouched": "e5-start", "`words`": "e5"}
STEPS = re.compile(r"train\.steps=(\d+)")


def demo() -> str:
    """Mean and range over the seeds, before and after."""
    every = [run["scores"] for run in runs("demo")]

    def cell(when: str, name: str) -> str:
        values = [scores[name][when]["mean"] for scores in every]
        return f"{mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"

    columns: dict[str, Any] = {"": str}
    for name in (*COLUMNS, TOPIC):
        columns[name] = lambda when, name=name: cell(when, name)
    return table(columns, ("before", "after"))


def barrier() -> str:
    before, after, uroman = (kept(f"barrier-{name}") for name in ("before", "after", "uroman"))
    names = list(MEASURES.values())[:2]
    for run in (before, after, uroman):
        run["script"]["mean"] = [run[name] for name in names]
    old, new, plain = (run["script"] for run in (before, after, uroman))
    columns = {"language": str} | changes({title: lambda of, i=i: of[i] for i, title in enumerate(MEASURES)}, old, new)
    del columns["translation"]
    for i, title in enumerate(("n -> r, uroman", "r -> n, uroman")):
        columns[title] = lambda language, i=i: f"{plain[language][i]:.3f}"
    return table(columns, old)


def forgotten() -> str:
    old, new = (
        run["translation_by_language"] | {"mean": run["translation"]}
        for run in (kept("barrier-before"), kept("barrier-after"))
    )
    return table({"language": str} | changes({"P@1": float}, old, new), old)


def tradeoff() -> str:
    def training(run: Row) -> str:
        settings = run["settings"]
        if share := settings.get("interpolate"):
            return f"the first run, interpolated: {share} trained, {1 - share:.2g} start"
        if "summary" not in run:
            return "untouched"
        data = "{sentences} sentences and {words} words a language, {translations} translations, ".format(**settings)
        return data + f"{STEPS.search(settings['set'])[1]} steps"

    columns = {"training": training} | {title: f"{{{name}:.3f}}" for title, name in MEASURES.items()}
    return table(columns | {"CPU minutes": "{cpu_minutes:.0f}"}, [{"cpu_minutes": None} | r for r in runs("tradeoff")])


def nli_sts(part: str, first: str, *, of: str = "e5") -> str:
    """Spearman's rho at the start, after NLI and after STS: the means, of each language, or across them."""
    run = kept(f"nli-sts-{of}")
    names = run["start"][part]
    kinds = {"languages": "languages", "across": "pairs across languages"}
    titles = {key: f"mean, {len(run['start'][key])} {kind}" for key, kind in kinds.items()}
    columns: dict[str, Any] = {first: lambda name: titles[name] if part == "mean" else name}
    for title, stage in STATES.items():
        columns[title] = lambda name, of=run[stage][part]: f"{of[name]:.3f}"
    return table(columns, sorted(names, reverse=True) if part == "mean" else names)


def parallel() -> str:
    run = kept("parallel-seed")
    seed = {"`seed`, untouched": run["before"], "`seed`, InfoNCE": run["after"]}
    rows = [
        {"what": what, "minutes": scores.get("cpu_minutes"), **scores["means"]}
        for what, scores in (parallel_states() | seed).items()
    ]
    columns = {"": "{what}"}
    for title, name in (("Tatoeba", "tatoeba"), ("SIB-200", "sib200")):
        columns |= {f"{title}, {group}": f"{{{name}[{group}]:.3f}}" for group in GROUPS}
    return table(columns | {"CPU minutes": "{minutes:.1f}"}, rows)


def parallel_states() -> dict[str, Row]:
    plain, joint = kept("parallel-e5"), kept("parallel-tlm-e5")
    return {"untouched": plain["before"], "InfoNCE": plain["after"], "InfoNCE and TLM": joint["after"]}


def parallel_languages(name: str) -> str:
    states = parallel_states()
    columns: dict[str, Any] = {"language": str}
    for title, scores in states.items():
        columns[title] = lambda language, of=scores[name]: f"{of[language]:.3f}"
    return table(columns, states["untouched"][name])


def words() -> str:
    """P@1 by nearest neighbour (by CSLS), and rho: untouched, mapped, trained, and how many times as much."""
    start, after = kept("words-e5-start"), kept("words-e5")
    rhos = [run["wordsim"]["mean"] for run in (start, after)]
    rows = [
        ["untouched", *word_scores(start["bli"]), f"{rhos[0]:.3f}"],
        ["untouched, Procrustes", *word_scores(start["procrustes"]), "-"],
        ["`words`", *word_scores(after["bli"]), f"{rhos[1]:.3f}"],
        ["times as much", *times_as_much(start["bli"], after["bli"]), f"{rhos[1] / rhos[0]:.2f}"],
        ["untouched, without copies", *word_scores(start["bli"], "without copies"), "-"],
        ["`words`, without copies", *word_scores(after["bli"], "without copies"), "-"],
        ["times as much", *times_as_much(start["bli"], after["bli"], "without copies"), "-"],
    ]
    return table({name: lambda row, i=i: row[i] for i, name in enumerate(("", *WORD_SETS, "Multi-SimLex"))}, rows)


def word_scores(bli: Row, metric: str = "P@1") -> list[str]:
    found = [bli.get(name, {}).get("mean", {}).get(group) for name, group in WORD_SETS.values()]
    return [f"{of[f'NN {metric}']:.3f} ({of[f'CSLS {metric}']:.3f})" if of else "-" for of in found]


def times_as_much(start: Row, after: Row, metric: str = "P@1") -> list[str]:
    cells = []
    for name, group in WORD_SETS.values():
        old, new = (bli[name]["mean"][group] for bli in (start, after))
        times = [new[f"{m} {metric}"] / old[f"{m} {metric}"] for m in ("NN", "CSLS") if old[f"{m} {metric}"]]
        cells.append("{:.2f} ({:.2f})".format(*times) if len(times) == 2 else "-")
    return cells


def words_dev() -> str:
    names = {"NN P@1": "all", "trained": "trained", "not trained": "not trained"}
    rows = [kept(f"words-dev-{file}")["bli"]["dev"]["mean"] | {"what": what} for what, file in DEV_RUNS.items()]
    return table({"": "{what}"} | {title: f"{{{group}[NN P@1]:.3f}}" for title, group in names.items()}, rows)


def xling() -> str:
    old, new = (kept(f"words-{name}")["bli"]["xling"]["directions"] for name in ("e5-start", "e5"))
    columns = {"direction": str, "covered": lambda name: str(new[name]["covered"])}
    return table(columns | changes({m: lambda of, m=m: of[m] for m in METRICS}, old, new), new)


def panlex() -> str:
    """Means over the directions into each language."""
    old, new = (kept(f"words-{name}")["bli"]["panlex"]["directions"] for name in ("e5-start", "e5"))
    into = {
        language: [name for name in new if name.endswith(language)]
        for language in sorted({name.split("-")[1] for name in new})
    }
    means = [
        {language: {m: mean(run[name][m] for name in names) for m in METRICS[::2]} for language, names in into.items()}
        for run in (old, new)
    ]
    columns = {"language": str, "directions": lambda language: str(len(into[language]))}
    return table(columns | changes({m: lambda of, m=m: of[m] for m in METRICS[::2]}, *means), into)


def span(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def seed_scores() -> str:
    """What the encoder in the wheel scores, before anything is trained."""
    rows = []
    for one in kept("evaluation")["benchmarks"]:
        place = [model["model"] for model in one["models"]].index("seed")
        model = one["models"][place]
        rows.append({"what": f"{one['benchmark']}, {one['scores']} scores", **model, "metric": one["metric"]})
    scores = kept("demo-0")["scores"]
    names = {
        "translation": "held-out verses, 10 languages and English",
        "native -> roman": "held-out verses, romanised",
    }
    rows += [
        {"what": what, "metric": "P@1", "value": scores[name]["before"]["mean"]} | scores[name]["before"]
        for name, what in names.items()
    ]
    columns = {"": "{what}", "metric": "{metric}", "score": "{value:.3f}", "95 %": lambda row: span(row["interval"])}
    return table(columns, rows)


PARTS = {
    "demo": demo, "demo seconds": lambda: ", ".join(str(run["seconds"]) for run in runs("demo")),
    "barrier": barrier, "forgotten": forgotten, "tradeoff": tradeoff,
    "nli-sts means": lambda: nli_sts("mean", ""), "nli-sts languages": lambda: nli_sts("languages", "language"),
    "nli-sts seed": lambda: nli_sts("mean", "", of="seed"),
    "nli-sts across": lambda: nli_sts("across", "across"), "parallel": parallel,
    "parallel tatoeba": lambda: parallel_languages("tatoeba"), "parallel sib200": lambda: parallel_languages("sib200"),
    "words": words, "words dev": words_dev, "xling": xling, "panlex": panlex,
    "seed scores": seed_scores,
}  # fmt: skip
