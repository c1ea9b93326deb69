"""Training on one GPU beside sentence-transformers, setting by setting. Run it by scripts/bench_gpu.sh, which says how.

``ladder``: pairs a second at a mean of 32, 64 and 128 tokens a text, of lengths as verses have them: a text is the
words from a verse on, as many tokens as the verse has, scaled to the mean. Each row adds one setting to the row above.
All run ``align.train``, with AdamW and dropout (attention's is 0 in the model's configuration, for both sides). The
peer is sentence-transformers in bfloat16 with torch's SDPA. Timed are the steps of one pool of the sampler, after one
pool that warms up. MFU: 3 x (2 P s + 4 L h s^2) FLOP for a text of s tokens (P: weights of the blocks), padding not
counted, over the best bfloat16 matrix product of this GPU in this run. ``caching``: gradient caching at large batches.
``loss``: the contrastive loss alone, forward and backward. Memory is torch's peak, weights included. What does not fit
the memory or the time says so.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

Row = dict[str, Any]
PADDED = {"attention": "padded", "loss": "plain"}
LADDER: list[tuple[str, Row]] = [
    ("float32, random batches, padded, two forwards", PADDED | {"random": True, "halves": True}),
    ("bfloat16", PADDED | {"random": True, "halves": True, "bf16": True}),
    ("sorted by length", PADDED | {"halves": True, "bf16": True}),
    ("packed", {"loss": "plain", "halves": True, "bf16": True}),
    ("one forward", {"loss": "plain", "bf16": True}),
    ("compiled", {"loss": "plain", "bf16": True, "compile": True}),
    ("streaming loss", {"bf16": True, "compile": True}),
]
PEER = "sentence-transformers"
MEANS = (128, 32, 64)  # the most telling first, should the time end
TOKENS = 8192  # of each side of a batch: 256 pairs at 32 tokens, 64 at 128
MICRO = 16384  # tokens encoded at once with gradient caching
TOY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="seed", help="folder of another tokenizer, whose vocabulary is used")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--toy", action="store_true", help="a tiny model and few steps: tries the script")
    parser.add_argument("--seconds", type=float, default=500, help="nothing is begun later than this")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        print("bench_gpu needs a CUDA GPU, and torch finds none here; --device cpu --toy tries the script without one")
        return
    bench = Bench(options)
    with tempfile.TemporaryDirectory() as folder:
        bench.run(Path(folder))


class Bench:
    """The measurements of one run, printed and written as they come."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.device, self.toy = options, options.device, options.toy
        self.workers = {"workers": 0 if self.toy else 4}  # of the peer
        self.start = time.perf_counter()
        command = "bash scripts/bench_gpu.sh" + " --toy" * self.toy
        self.result: Row = {"benchmark": "gpu", "command": command, "hardware": hardware(self.device)}
        self.result |= {"ladder": [], "caching": [], "loss": []}

    def run(self, folder: Path) -> None:
        """All of it, in the order of what matters."""
        from timed_training import trains_in

        self.result["peer"] = trains_in()
        self.result["peak"] = matrix_peak(self.device, 256 if self.toy else 8192)
        print(f"{self.result['hardware']['device']}: bfloat16 matrix product {self.result['peak'] / 1e12:.0f} TFLOP/s")
        self.losses()
        place = model(folder / "model", self.options.tokenizer, TOY if self.toy else BASE)
        for mean in (8,) if self.toy else MEANS:
            texts = Texts(place, mean, toy=self.toy)
            self.ladder(texts, place)
            if mean in (8, 64):
                self.caching(texts, place)
        print(f"{time.perf_counter() - self.start:.0f} s")

    def ladder(self, texts: Texts, place: str) -> None:
        """Every rung at one mean length, and the peer."""
        from timed_training import train_ours, train_peer

        from align.training.sampling import POOL

        batch = 4 if self.toy else TOKENS // texts.mean
        pool = 1 if self.toy else POOL
        pairs = texts.pairs(2 * pool * batch)
        about = {"mean": texts.mean, "batch": batch, "tokens": texts.tokens(pairs) / len(pairs)}
        flop = texts.flop(pairs) / len(pairs)
        print(f"\n{texts.mean} tokens a text ({about['tokens']:.0f} a pair), {batch} pairs a step")
        common = {"batch": batch, "steps": 2 * pool, "skip": pool, "device": self.device, "max_tokens": texts.longest}
        runs: list[tuple[str, Callable[[], Row]]] = [
            (f"{PEER}, bfloat16", partial(train_peer, place, pairs, **common, **self.workers, bf16=True))
        ]
        for name, settings in LADDER:
            settings = settings | ({"compile": False} if self.toy else {})
            runs.append((name, partial(train_ours, place, pairs, **common, **settings)))
        for name, work in runs:
            row = self.measured(work)
            if "wall" in row:
                row["pairs_per_second"] = batch / row["wall"]
                row["mfu"] = flop * row["pairs_per_second"] / self.result["peak"]
            self.keep("ladder", about | {"name": name} | row)

    def caching(self, texts: Texts, place: str) -> None:
        """Gradient caching: what it costs, and how large batches get."""
        from timed_training import train_ours, train_peer

        micro, few = (64, 8) if self.toy else (MICRO, 64)
        ours, cached = {"micro_tokens": micro}, {"cached": {"mini_batch_size": few}}
        sizes = (8,) if self.toy else (1024, 4096, 16384)
        print(f"\ngradient caching, {texts.mean} tokens a text")
        for size in sizes:
            pairs = texts.pairs(3 * size)
            common: Row = {"batch": size, "steps": 3, "skip": 1, "device": self.device, "bf16": True}
            common["max_tokens"] = texts.longest
            runs: list[tuple[str, Callable[[], Row]]] = [
                (f"align, micro-batches of {micro} tokens", partial(train_ours, place, pairs, **common, **ours)),
                (f"{PEER}, cached, mini-batches of {few} texts",
                 partial(train_peer, place, pairs, **common, **self.workers, **cached)),
            ]  # fmt: skip
            if size == sizes[0]:
                runs[:0] = [
                    ("align, all at once", partial(train_ours, place, pairs, **common)),
                    (f"{PEER}, all at once", partial(train_peer, place, pairs, **common, **self.workers)),
                ]
            for name, work in runs:
                row = self.measured(work)
                if "wall" in row:
                    row["pairs_per_second"] = size / row["wall"]
                self.keep("caching", {"mean": texts.mean, "batch": size, "name": name} | row)

    def losses(self) -> None:
        """The loss alone, of unit-like random vectors."""
        from bench_loss import contrast, pairs

        size, width = (64, 16) if self.toy else (65536, 768)
        print(f"\nthe loss alone, {size} pairs of {width} dimensions, float32")
        inputs = pairs(size, width, self.device)
        for name in ("ours", "MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss", "ours, plain"):
            about = {"name": name, "batch": size, "dimension": width}
            self.keep("loss", about | self.measured(partial(self.loss, contrast, name, inputs)))

    def loss(self, contrast: Callable[..., Any], name: str, inputs: list[Any]) -> Row:
        """Seconds and MiB beyond the inputs of one loss, forward and backward."""
        import torch

        step = contrast(name, None)
        cuda = self.device == "cuda"
        times = []
        for _ in range(3):
            for tensor in inputs:
                tensor.grad = None
            if cuda:
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
            before, start = torch.cuda.memory_allocated() if cuda else 0, time.perf_counter()
            value = step(*inputs).item()
            if cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        memory = (torch.cuda.max_memory_allocated() - before) / 2**20 if cuda else None
        return {"wall": min(times), "memory": memory, "value": value}

    def measured(self, work: Callable[[], Row]) -> Row:
        """What the work gives, or why it gives nothing."""
        import torch

        if time.perf_counter() - self.start > self.options.seconds:
            return {"missing": "out of time"}
        try:
            return work()
        except torch.OutOfMemoryError:
            return {"missing": "out of memory"}
        finally:
            gc.collect()
            if self.device == "cuda":
                torch.cuda.empty_cache()

    def keep(self, part: str, row: Row) -> None:
        """Print a row, and write all there are."""
        self.result[part].append(row)
        cells = [f"{row['name']:52}"]
        if "missing" in row:
            cells.append(row["missing"])
        else:
            cells.append(
                f"{row['pairs_per_second']:10.0f} pairs/s" if "pairs_per_second" in row else f"{row['wall']:10.4f} s"
            )
            cells.append("" if row["memory"] is None else f"{row['memory']:10.0f} MiB")
            cells.append(f"MFU {row['mfu']:.3f}" if "mfu" in row else "")
            cells.append(row.get("engine", ""))
        print("  ".join(cells).rstrip(), flush=True)
        if self.options.out:
            from align.files.whole import write_json

            write_json(self.options.out, self.result)


class Texts:
    """Pairs of real text of a mean length: words from a verse on, and from its translation on."""

    def __init__(self, place: str, mean: int, *, toy: bool) -> None:
        from transformers import AutoTokenizer

        self.tokenizer, self.mean, self.longest = AutoTokenizer.from_pretrained(place), mean, min(512, 4 * mean)
        config = json.loads((Path(place) / "config.json").read_text())
        self.width, self.depth = config["hidden_size"], config["num_hidden_layers"]
        self.weights = self.depth * (4 * self.width**2 + 2 * self.width * config["intermediate_size"])
        verses = read_verses(20 if toy else None)
        english = verses.pop("eng_Latn")
        self.sides = [(Running(lines, self.tokenizer), Running(english, self.tokenizer)) for lines in verses.values()]
        self.scale = [[mean / (sum(side.lengths) / len(side.lengths)) for side in both] for both in self.sides]

    def pairs(self, count: int) -> list[tuple[str, str]]:
        """So many pairs in random order, language by language in turns; verses come again if there are too few."""
        import numpy as np

        rng = np.random.default_rng(0)
        verses = len(self.sides[0][0].lengths)
        per_language = -(-count // len(self.sides))
        made = []
        for both, scale in zip(self.sides, self.scale, strict=True):
            order = np.concatenate([rng.permutation(verses) for _ in range(-(-per_language // verses))])[:per_language]
            made += [tuple(side.text(int(i), by) for side, by in zip(both, scale, strict=True)) for i in order]
        return [made[i] for i in rng.permutation(len(made))[:count]]

    def lengths(self, pairs: list[tuple[str, str]]) -> list[int]:
        """Tokens of every text, both sides."""
        texts = [text for pair in pairs for text in pair]
        return [len(ids) for ids in self.tokenizer(texts, truncation=True, max_length=self.longest)["input_ids"]]

    def tokens(self, pairs: list[tuple[str, str]]) -> int:
        """Tokens of all texts."""
        return sum(self.lengths(pairs))

    def flop(self, pairs: list[tuple[str, str]]) -> float:
        """Operations of training on the pairs once: the backward pass is two forward ones."""
        return sum(3.0 * (2 * self.weights * s + 4 * self.depth * self.width * s**2) for s in self.lengths(pairs))


class Running:
    """Verses of one language as one running text, with the place of every token."""

    def __init__(self, verses: list[str], tokenizer: Any) -> None:
        self.whole = " ".join(verses + verses)  # so that words follow the last verse, too
        found = tokenizer(self.whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        self.ends = [end for _, end in found["offset_mapping"]]
        begins = [begin for begin, _ in found["offset_mapping"]]
        places, at = [], 0
        for verse in verses:
            places.append(at)
            at += len(verse) + 1
        import numpy as np

        self.places = places
        self.first = np.searchsorted(begins, places).tolist()  # token at which each verse starts
        self.lengths = np.diff([*self.first, int(np.searchsorted(begins, at))]).tolist()

    def text(self, verse: int, scale: float) -> str:
        """From a verse on, its tokens times ``scale``."""
        wanted = max(1, round(self.lengths[verse] * scale) - 2)  # the tokenizer adds two
        last = min(self.first[verse] + wanted, len(self.ends)) - 1
        return self.whole[self.places[verse] : self.ends[last]].strip() or "."


def read_verses(most: int | None) -> dict[str, list[str]]:
    """Verses of this package, line-aligned, without those that a language lacks."""
    from importlib.resources import files

    folder = Path(str(files("align") / "data" / "demo" / "train"))
    texts = {}
    for path in sorted(folder.glob("*.txt.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            texts[path.name.removesuffix(".txt.gz")] = file.read().split("\n")
    whole = [row for row in zip(*texts.values(), strict=True) if all(row)][:most]
    return dict(zip(texts, map(list, zip(*whole, strict=True)), strict=True))


def model(folder: Path, tokenizer: str, shape: dict[str, int]) -> str:
    """A BERT with random weights for a tokenizer's vocabulary, in a folder that both sides load."""
    import torch
    from timed_training import model_folder
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer_of = AutoTokenizer.from_pretrained(model_folder(tokenizer))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer_of), max_position_embeddings=512, pad_token_id=tokenizer_of.pad_token_id,
        attention_probs_dropout_prob=0.0, **shape,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tokenizer_of.save_pretrained(folder)
    return str(folder)


def matrix_peak(device: str, size: int) -> float:
    """FLOP/s of the best of several bfloat16 matrix products."""
    import torch

    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = 0.0
    for _ in range(10):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 10 * 2 * size**3 / (time.perf_counter() - start))
    return best


def hardware(device: str) -> Row:
    import torch

    from align.provenance import versions

    if device == "cpu":
        return {"device": "CPU", "versions": versions()}
    found = torch.cuda.get_device_properties(0)
    return {
        "device": found.name,
        "gibibytes": found.total_memory / 2**30,
        "cuda": torch.version.cuda,
        "versions": versions(),
    }


if __name__ == "__main__":
    sys.exit(main())
