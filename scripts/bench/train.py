"""Training steps: ours beside sentence-transformers' Trainer, beside TransliCo's arrangement, and setting by setting.

    python -m scripts.bench.train step --e5 E5 --minilm MINILM --out docs/results/performance-step.json
    python -m scripts.bench.train ladder --out docs/results/performance-ladder.json
    python -m scripts.bench.train caching --out docs/results/performance-caching.json
    python -m scripts.bench.train translico --e5 E5 --out docs/results/performance-translico.json

reads pairs below ALIGN_DATA: UDHR, each script equally often (``scripts``) or Latin alone (``latin``);
``translico`` pairs each text with its romanisation.

Every run is a fresh process; runs of all variants alternate, and a row is the median of its repetitions. Both sides see
the same pairs once, in batches of equally many, with the same learning rate, clipping, AdamW and dropout (what the
model's configuration says, in both), texts cut at 128 tokens. Loss and gradient of one batch, dropout off, are compared
first: the script fails above 1e-5. sentence-transformers is set as its documentation advises for speed: it tokenises in
a worker process beside the steps (``--peer-workers``). Seconds are of one step, the mean over all; ``whole`` holds all
from the loaded model to the last step, so tokenising, too. Memory is what the run adds to the loaded model.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.bench import timed, translico
from scripts.bench.harness import PEER, Row, apart, command_line, data, middle, turns
from scripts.bench.texts import Pairs, read_pairs

# (name, arguments of train_ours); each adds one thing to the one before.
LADDER: list[tuple[str, Row]] = [
    ("random batches, padded", {"attention": "padded", "loss": "plain", "random": True}),
    ("sorted by length", {"attention": "padded", "loss": "plain"}),
    ("packed", {"loss": "plain"}),
    ("streaming loss", {}),
    ("bfloat16", {"bf16": True}),
]
WANTED = 1e-5


def train(
    what: str, *, e5: str | None = None, minilm: str | None = None, no_seed: bool = False, texts: Sequence[str] = (),
    batches: Sequence[int] = (), steps: int = 8, repetitions: int = 3, peer_workers: int = 1, micro_tokens: int = 4096,
) -> Row:  # fmt: skip
    texts = texts or (["scripts", "latin"] if what == "step" else ["scripts"])
    batches = batches or {"step": [64, 256], "translico": [24], "caching": [256]}.get(what, [64])
    runs = variants(what, {"workers": peer_workers}, micro_tokens)
    result: Row = {"rows": [], "checks": []}
    with tempfile.TemporaryDirectory() as folder:
        for model, place in {"seed": None if no_seed else "seed", "e5": e5, "minilm": minilm}.items():
            if place and what == "translico" and model != "seed":
                place = str(apart(timed.with_head, place, Path(folder) / model))
            for text in texts if place else ():
                for batch in batches if model != "minilm" or text == "latin" else ():  # its vocabulary is English
                    pairs, scripts = prepared(what, model, text, batch * steps)
                    about = {"model": model, "text": text, "batch": batch}
                    checks = apart(check, place, pairs[: min(32, batch)], runs)
                    result["checks"] += [about | one for one in checks]
                    about |= {"steps": steps, "scripts": scripts}
                    result["rows"] += alternated(about, place, pairs, runs, repetitions)
    return result


def variants(what: str, workers: Row, tokens: int) -> list[Row]:
    """What a benchmark compares: side, name, and settings of each run."""

    def run(side: str, name: str, settings: Row) -> Row:
        return {"side": side, "name": name, "with": settings}

    if what == "step":
        return [run("ours", "align", {}), run("peer", PEER, workers)]
    if what == "ladder":
        return [run("peer", PEER, workers), *(run("ours", name, settings) for name, settings in LADDER)]
    if what == "caching":
        cached = {f"{tokens} tokens": {"mini_batch_num_tokens": tokens}, "32 texts": {"mini_batch_size": 32}}
        ours = run("ours", f"align, micro-batches of {tokens} tokens", {"micro_tokens": tokens})
        peers = [run("peer", f"{PEER}, mini-batches of {n}", workers | {"cached": c}) for n, c in cached.items()]
        return [run("ours", "align", {}), ours, run("peer", PEER, workers), *peers]
    return [run("translico", "align", {}), *(run("public", name, settings) for name, settings in translico.VARIANTS)]


def prepared(what: str, model: str, text: str, count: int) -> tuple[Pairs, int]:
    """Pairs of a text; E5 was trained with "query: " before every text."""
    pairs, scripts = read_pairs(data(), text, count)
    if what == "translico":
        from align.text.romanize.romanizer import romanize

        native = [source for source, _ in pairs]
        pairs = list(zip(native, romanize(native), strict=True))
    prefix = "query: " if model == "e5" else ""
    return [(prefix + source, prefix + target) for source, target in pairs], scripts


def check(place: str, pairs: Pairs, runs: list[Row]) -> list[Row]:
    """Loss and gradients of one batch: every run of ours beside sentence-transformers, or beside each public one."""
    if runs[0]["side"] == "translico":
        found = translico.compare(place, pairs)
    else:
        peer, found = timed.peer_once(place, pairs), []
        for run in (run for run in runs if run["side"] == "ours"):
            settings = {key: value for key, value in run["with"].items() if key not in ("random", "halves")}
            about = {"name": run["name"], "beside": PEER, "bf16": settings.get("bf16", False)}
            found.append(about | timed.difference(timed.ours_once(place, pairs, **settings), peer))
    for one in found:
        print(one, flush=True)
        equal = one["loss"] <= WANTED * max(1, abs(one["peer"])) and one["gradient_cosine"] > 1 - WANTED
        if not equal and not one["bf16"]:
            sys.exit("the two differ")
    return found


def alternated(about: Row, place: str, pairs: Pairs, runs: list[Row], repetitions: int) -> list[Row]:
    """Rows of runs, each repeated in a process of its own, all of them in turns."""
    works = {number: partial(apart, measure, place, pairs, about, run) for number, run in enumerate(runs)}
    rows = []
    for run, found in zip(runs, turns(works, repetitions).values(), strict=True):
        facts = {key: found[0].pop(key) for key in ("engine", "losses")}
        every = {f"{key}_all": [one[key] for one in found] for key in found[0]}
        cost = middle([{key: one[key] for key in found[0]} for one in found])
        rows.append(about | {"name": run["name"], "side": run["side"], "bf16": run["with"].get("bf16", False)})
        rows[-1] |= cost | facts | every
        print(rows[-1], flush=True)
    return rows


def measure(place: str, pairs: Pairs, about: Row, run: Row) -> Row:
    """One timed run."""
    logging.disable(logging.WARNING)
    sides: dict[str, Any] = {
        "ours": timed.train_ours, "peer": timed.train_peer, "translico": translico.train_ours,
        "public": translico.train_public,
    }  # fmt: skip
    found = sides[run["side"]](place, pairs, batch=about["batch"], steps=about["steps"], **run["with"])
    return found | {"losses": [round(loss, 4) for loss in found["losses"]]}


if __name__ == "__main__":
    command_line(train)
