"""Training steps: ours beside sentence-transformers' Trainer, beside TransliCo's arrangement, and setting by setting.

    python scripts/bench_train.py step --e5 E5 --minilm MINILM --out docs/results/performance-step.json
    python scripts/bench_train.py ladder --out docs/results/performance-ladder.json
    python scripts/bench_train.py caching --out docs/results/performance-caching.json
    python scripts/bench_train.py translico --e5 E5 --out docs/results/performance-translico.json

reads pairs below ALIGN_DATA: UDHR with its English, each script equally often (``scripts``) or Latin alone (``latin``);
``translico`` pairs each text with its romanisation.

Every run is a fresh process; runs of all variants alternate, and a row is the median of its repetitions. Both sides see
the same pairs once, in batches of equally many, with the same learning rate, clipping, AdamW and dropout (what the
model's configuration says, in both), texts cut at 128 tokens. Loss and gradient of one batch, dropout off, are compared
first: the script fails above 1e-5. sentence-transformers is set as its documentation advises for speed: it tokenises in
a worker process beside the steps (``--peer-workers``), with torch's SDPA; ours is ``align.train``. Seconds are of one
step, the mean over all; ``whole`` holds all from the loaded model to the last step, so tokenising, too. Processor
time counts threads and worker processes. Memory is what the run adds to the loaded model at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from provenance import ran

Run = dict[str, Any]

# (name, arguments of train_ours); each adds one thing to the one before.
LADDER: list[tuple[str, Run]] = [
    ("random batches, padded", {"attention": "padded", "loss": "plain", "random": True}),
    ("sorted by length", {"attention": "padded", "loss": "plain"}),
    ("packed", {"loss": "plain"}),
    ("streaming loss", {}),
    ("bfloat16", {"bf16": True}),
]
TRANSLICO: list[tuple[str, Run]] = [
    ("three padded forwards, logits everywhere", {"forwards": 3, "full_logits": True}),
    ("two padded forwards, logits everywhere", {"forwards": 2, "full_logits": True}),
    ("two padded forwards, logits where masked (its code)", {"forwards": 2, "full_logits": False}),
]
OURS, PEER = "align", "sentence-transformers"
WANTED = 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "translico", "caching", "ladder"])
    parser.add_argument("--e5", help="folder of multilingual-e5-small")
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--no-seed", action="store_true", help="leave the seed encoder out")
    parser.add_argument("--texts", nargs="+", default=None, choices=["scripts", "latin", "sentences"])
    parser.add_argument("--batches", nargs="+", type=int, default=None, help="pairs of a step")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peer-workers", type=int, default=1, help="processes in which the peer tokenises")
    parser.add_argument("--micro-tokens", type=int, default=4096, help="caching: tokens encoded at once")
    parser.add_argument("--bf16", action="store_true", help="step: both sides in bfloat16 too")
    parser.add_argument("--data", type=Path, default=os.environ.get("ALIGN_DATA"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # how the script calls itself
    options = parser.parse_args()
    if options.worker:
        return work(json.loads(Path(options.worker).read_text()))
    if options.data is None:
        parser.error("expected the data's folder in ALIGN_DATA, or --data")
    with tempfile.TemporaryDirectory() as folder:
        result = bench(options, Path(folder))
    if options.out:
        from align.files.whole import write_json

        write_json(options.out, result)


def bench(options: argparse.Namespace, folder: Path) -> Run:
    """All rows of one benchmark."""
    given = {"seed": None if options.no_seed else "seed", "e5": options.e5, "minilm": options.minilm}
    plans: dict[str, Callable[[argparse.Namespace], list[Run]]] = {
        "step": step_runs, "translico": translico_runs, "caching": caching_runs, "ladder": ladder_runs,
    }  # fmt: skip
    texts = options.texts or {"step": ["scripts", "latin"]}.get(options.what, ["scripts"])
    batches = options.batches or {"step": [64, 256], "translico": [24], "caching": [256]}.get(options.what, [64])
    rows, checks = [], []
    for model, place in given.items():
        if place is None:
            continue
        if options.what == "translico":
            place = with_head(model, place, folder / model)
        for text in texts:
            if model == "minilm" and text != "latin":  # its vocabulary is English
                continue
            for batch in batches:
                common = {
                    "place": place, "model": model, "text": text, "batch": batch, "steps": options.steps,
                    "threads": options.threads,
                }  # fmt: skip
                common |= prepared(options, common, folder)
                runs = [common | run for run in plans[options.what](options)]
                checks += equality_checks(runs, folder)
                rows += alternated(runs, options.repetitions, folder)
    return {
        "benchmark": options.what, **ran(options.threads),
        "rows": rows, "checks": checks,
    }  # fmt: skip


def step_runs(options: argparse.Namespace) -> list[Run]:
    runs = []
    for bf16 in (False, True) if options.bf16 else (False,):
        runs += [
            {"side": "ours", "name": OURS, "with": {"bf16": bf16}},
            {"side": "peer", "name": PEER, "with": {"bf16": bf16, "workers": options.peer_workers}},
        ]
    return runs


def caching_runs(options: argparse.Namespace) -> list[Run]:
    tokens = options.micro_tokens
    workers = {"workers": options.peer_workers}
    by_tokens, by_texts = {"mini_batch_num_tokens": tokens}, {"mini_batch_size": 32}
    return [
        {"side": "ours", "name": OURS, "with": {}},
        {"side": "ours", "name": f"{OURS}, micro-batches of {tokens} tokens", "with": {"micro_tokens": tokens}},
        {"side": "peer", "name": PEER, "with": workers},
        {"side": "peer", "name": f"{PEER}, mini-batches of {tokens} tokens", "with": workers | {"cached": by_tokens}},
        {
            "side": "peer",
            "name": f"{PEER}, mini-batches of 32 texts",
            "with": workers | {"cached": by_texts},
        },
    ]


def ladder_runs(options: argparse.Namespace) -> list[Run]:
    peer = {"side": "peer", "name": PEER, "with": {"workers": options.peer_workers}}
    return [peer, *({"side": "ours", "name": name, "with": settings} for name, settings in LADDER)]


def translico_runs(options: argparse.Namespace) -> list[Run]:
    ours = {"side": "translico", "name": OURS, "with": {}}
    return [ours, *({"side": "public", "name": name, "with": settings} for name, settings in TRANSLICO)]


def with_head(model: str, place: str, folder: Path) -> str:
    """A folder with a masked-LM head: a new one, tied to the word embeddings, where the model has lost its own."""
    if model == "seed":
        return place
    import parallel_text

    from align.encoders.checkpoint import quiet

    with quiet():
        return str(parallel_text.with_head(place, folder))


def prepared(options: argparse.Namespace, run: Run, folder: Path) -> Run:
    """Pairs of a run's text in a file, and what they are; E5 was trained with "query: " before every text."""
    from benchmark_text import read_pairs

    pairs, scripts = read_pairs(options.data, run["text"], run["batch"] * run["steps"])
    if options.what == "translico":
        from align.text.romanize.romanizer import romanize

        native = [source for source, _ in pairs]
        pairs = list(zip(native, romanize(native), strict=True))
    prefix = "query: " if run["model"] == "e5" else ""
    pairs = [(prefix + source, prefix + target) for source, target in pairs]
    path = folder / "pairs.json"
    path.write_text(json.dumps(pairs), encoding="utf-8")
    return {"pairs": str(path), "scripts": scripts}


def read(run: Run) -> list[tuple[str, str]]:
    """The pairs of a run."""
    return [(source, target) for source, target in json.loads(Path(run["pairs"]).read_text(encoding="utf-8"))]


def equality_checks(runs: Sequence[Run], folder: Path) -> list[Run]:
    """Every run's loss and gradient of one batch beside those of the first one of its kind.

    Raises:
        SystemExit: they differ.
    """
    first = runs[0]
    found = child({"check": runs, **{key: first[key] for key in ("threads",)}}, folder)
    for one in found:
        line = f"{first['model']}, {first['text']}: {one['name']} beside {one['beside']}: loss {one['loss']:.1e} apart"
        print(line + f", cosine of the gradients {one['gradient_cosine']:.9f}", flush=True)
        equal = one["loss"] <= WANTED * max(1, abs(one["peer"])) and one["gradient_cosine"] > 1 - WANTED
        if not equal and not one["bf16"]:
            sys.exit("the two differ")
    return [{key: first[key] for key in ("model", "text", "batch")} | one for one in found]


def alternated(runs: Sequence[Run], repetitions: int, folder: Path) -> list[Run]:
    """Rows of runs, each repeated in a process of its own, all of them in turns."""
    measured: list[list[Run]] = [[] for _ in runs]
    for _ in range(repetitions):
        for run, of in zip(runs, measured, strict=True):
            of.append(child(run, folder))
    rows = []
    for run, of in zip(runs, measured, strict=True):
        row = {key: run[key] for key in ("model", "text", "batch", "steps", "name", "side", "scripts")}
        row |= {"bf16": run["with"].get("bf16", False), "tokens": of[0]["tokens"]}
        for key in ("wall", "processor", "whole_wall", "whole_processor", "memory"):
            values = [one[key] for one in of]
            row |= {key: None if None in values else statistics.median(values), f"{key}_all": values}
        row["losses"] = [round(value, 4) for value in of[0]["losses"]]
        row["engine"] = of[0]["engine"]
        rows.append(row)
    for row in rows:
        memory = "" if row["memory"] is None else f"{row['memory']:8.0f} MiB"
        times = f"{row['processor']:8.3f} s of the processor, {row['wall']:8.3f} s by the wall a step"
        ratio = row["processor"] / rows[0]["processor"]
        print(
            f"{row['name'] + (', bf16' if row['bf16'] else ''):60} {times}, {ratio:5.2f} to the first{memory}",
            flush=True,
        )
    return rows


def child(task: Run, folder: Path) -> Any:
    """What a process of its own makes of a task."""
    settings, answer = folder / "task.json", folder / "answer.json"
    cache = tempfile.mkdtemp(dir=folder)  # a store that is found there would be no set-up
    settings.write_text(json.dumps(task | {"answer": str(answer)}), encoding="utf-8")
    threads = str(task["threads"])
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads}
    environment |= {
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "XDG_CACHE_HOME": cache,
        "PYTHONWARNINGS": "ignore",
    }
    arguments = [sys.executable, __file__, "step", "--worker", str(settings)]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{task.get('name', 'the comparison')} failed:\n{done.stderr[-3000:]}")
    return json.loads(answer.read_text())


def work(task: Run) -> None:
    """One task, in this process."""
    import logging

    import torch

    logging.disable(logging.WARNING)
    torch.set_num_threads(task["threads"])
    found = check(task["check"]) if "check" in task else measure(task)
    Path(task["answer"]).write_text(json.dumps(found), encoding="utf-8")


def measure(run: Run) -> Run:
    """One timed run."""
    import timed_training
    import timed_translico

    pairs = read(run)
    sides = {
        "ours": timed_training.train_ours, "peer": timed_training.train_peer,
        "translico": timed_translico.train_ours, "public": timed_translico.train_public,
    }  # fmt: skip
    common = {key: run[key] for key in ("batch", "steps")}
    found = sides[run["side"]](run["place"], pairs, **common, **run["with"])
    return found | {"tokens": timed_training.count_tokens(run["place"], pairs)}


def check(runs: Sequence[Run]) -> list[Run]:
    """Loss and gradients of one batch: every run of ours beside sentence-transformers, or beside each public one."""
    import timed_training
    import timed_translico

    pairs = read(runs[0])[: min(32, runs[0]["batch"])]
    if runs[0]["side"] == "translico":
        return timed_translico.compare(runs[0]["place"], pairs, [(run["name"], run["with"]) for run in runs[1:]])
    peer = timed_training.peer_once(runs[0]["place"], pairs)
    found = []
    for run in (run for run in runs if run["side"] == "ours"):
        settings = {key: value for key, value in run["with"].items() if key not in ("random", "halves")}
        ours = timed_training.ours_once(run["place"], pairs, **settings)
        about = {"name": run["name"], "beside": PEER, "bf16": settings.get("bf16", False)}
        found.append(about | timed_training.difference(ours, peer))
    return found


if __name__ == "__main__":
    main()
