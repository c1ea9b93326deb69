"""Whether long runs stay as large as they began: memory and open files while a process encodes, trains, evaluates.

    python -m scripts.bench.steady --steps 5000 --out docs/results/steady-train.json
    python -m scripts.bench.steady --evaluations 500 --out docs/results/steady-evaluate.json
    python -m scripts.bench.steady --texts 1000000 --out docs/results/steady-encode.json

Each runs in a process of its own, with a model of two blocks of 32 numbers, so that what is not the model
shows; ``--seed-texts`` encodes as many with the encoder of this package too. Texts are made up, two words each.
"memory" is what is resident and no file's (RssAnon), looked up 4 times a second; "growth" is the median of the last
third less that of the second one. The user's cache is a folder of the run, measured when it ends.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.bench.harness import Row, apart, command_line, looking, processor_seconds, resident

EVERY = 0.25
POINTS = 60
"""Of a curve that is kept."""
BATCH, ROWS, LINES = 8, 2000, 40
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def steady(*, texts: int = 0, seed_texts: int = 0, steps: int = 0, evaluations: int = 0) -> Row:
    runs: list[tuple[str, int, Callable[..., Any], Sequence[Any]]] = [
        ("encode", texts, encode, ("tiny", texts)), ("encode, seed", seed_texts, encode, ("seed", seed_texts)),
        ("train", steps, train, (steps,)), ("evaluate", evaluations, evaluate, (evaluations,)),
    ]  # fmt: skip
    rows: list[Row] = []
    for what, count, work, arguments in runs:
        if count:
            with tempfile.TemporaryDirectory() as folder:
                rows.append({"what": what, "count": count, **apart(work, Path(folder), *arguments)})
            print({key: value for key, value in rows[-1].items() if key != "curve"}, flush=True)
    return {"rows": rows}


def encode(folder: Path, model: str, count: int) -> Row:
    """One call of ``align.encode`` on a file."""
    import align

    encoder = align.load_encoder("seed") if model == "seed" else tiny(folder / "tiny")
    corpus = folder / "corpus.txt"
    with corpus.open("w") as file:
        file.writelines(f"{word(i % 4999)} {word(i)}\n" for i in range(count))
    with sampled(folder) as seen:
        made = align.encode(encoder, [corpus], folder / "vectors", id="line", part_rows=20_000)
    assert made.rows == count
    return seen


def train(folder: Path, steps: int) -> Row:
    """One run of ``align.train``."""
    from datasets import Dataset

    import align
    from align.objectives.contrastive import ContrastiveOptions
    from align.training.options import TrainOptions
    from align.training.recipe import Recipe

    encoder = tiny(folder / "tiny")
    sources = [f"{word(i)} {word(i * 7)}" for i in range(ROWS)]
    table = {"source": sources, "target": [text[::-1] for text in sources]}
    table |= {
        "source_lang": ["eng_Latn"] * ROWS,
        "target_lang": ["und_Latn"] * ROWS,
        "group_id": list(map(str, range(ROWS))),
    }
    recipe = Recipe(
        info_nce=ContrastiveOptions(), train=TrainOptions(steps=steps, batch_size=BATCH, save_every=steps // 5)
    )
    with sampled(folder) as seen:
        align.train(encoder, Dataset.from_dict(table), recipe, folder / "out", progress=False)
    return seen


def evaluate(folder: Path, count: int) -> Row:
    """``count`` calls of ``align.evaluate``, each on other texts, none from the cache."""
    import align

    encoder = tiny(folder / "tiny")
    with sampled(folder) as seen:
        for number in range(count):
            data = folder / "data"
            data.mkdir(exist_ok=True)
            lines = [f"{word(i)} {word(number)}" for i in range(LINES)]
            (data / "eng_Latn.txt").write_text("".join(f"{line}\n" for line in lines))
            (data / "deu_Latn.txt").write_text("".join(f"{line[::-1]}\n" for line in lines))
            align.evaluate(encoder, f"retrieval={data}", resamples=20, use_cache=False)
    return seen


def tiny(folder: Path) -> Any:
    """An encoder of two blocks that knows letters, loaded from a folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    import align

    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(
        models.WordLevel({piece: i for i, piece in enumerate([*special, *LETTERS])}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(special) + len(LETTERS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return align.load_encoder(folder, device="cpu")


def word(number: int) -> str:
    """Letters that stand for a number."""
    letters = ""
    while number or not letters:
        number, digit = divmod(number, 26)
        letters += LETTERS[digit]
    return letters


@contextmanager
def sampled(cache: Path) -> Iterator[Row]:
    """While the block lasts: memory and open files; then what is said of them, in the row that was given."""
    os.environ["XDG_CACHE_HOME"] = str(cache / "cache")
    seen: Row = {}
    points: list[tuple[float, float, int]] = []
    began, used = time.monotonic(), processor_seconds()

    def look() -> None:
        opened = len(list(Path("/proc/self/fd").iterdir()))
        points.append((time.monotonic() - began, resident("RssAnon"), opened))

    with looking(look, EVERY):
        yield seen
    third = max(1, len(points) // 3)
    kept = points[:: max(1, len(points) // POINTS)]
    files = [path.stat().st_size for path in (cache / "cache").rglob("*") if path.is_file()]
    seen |= {
        "seconds": time.monotonic() - began, "processor": processor_seconds() - used,
        "most_mb": max(memory for _, memory, _ in points),
        "growth_mb": middle(points[-third:]) - middle(points[-2 * third : -third]),
        "files_open": {"first": points[min(len(points) - 1, third)][2], "last": points[-1][2],
                       "most": max(count for _, _, count in points)},
        "cache": {"files": len(files), "bytes": sum(files)},
        "curve": [[round(at, 2), round(memory, 1), count] for at, memory, count in kept],
    }  # fmt: skip


def middle(points: Sequence[tuple[float, float, int]]) -> float:
    """Median of the memory."""
    return statistics.median(memory for _, memory, _ in points) if points else 0.0


if __name__ == "__main__":
    command_line(steady)
