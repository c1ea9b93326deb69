"""What all objectives are tried on: an encoder with a clone, pairs of original and clone, lines held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.route import refuse_route
from align.encoders.trimming import with_pieces
from align.encoders.vocabulary import pieces_to_keep
from align.errors import InputError
from align.files.whole import read_lines
from align.laboratory.cloning import clone, cloned, is_cloned, mixed, shares, switched
from align.laboratory.likeness import retrieval
from align.streams import stream

if TYPE_CHECKING:
    from datasets import Dataset

ORIGINAL, CLONE, OTHER = "eng_Latn", "qaa_Qaaa", "rus_Cyrl"
"""The language that is cloned, its clone (a code for private use), and one whose translations show what is kept."""
SWITCHED = 0.35
"""Share of the words of a text that are in the clone, for objectives of switched words; that of the plan, if less."""


@dataclass(frozen=True)
class Plan:
    """How long, and on how much, each objective is tried."""

    steps: int = 60
    """Optimiser steps."""
    every: int = 10
    """Steps between two looks at the held-out lines."""
    batch: int = 32
    """Pairs of a step."""
    words: int = 10
    """First words of each line that are read."""
    held_out: int = 100
    """Lines that are asked about, none of them trained on."""
    rate: float = 2e-4
    """Learning rate of the encoder."""
    embedding_rate: float = 5e-3
    """That of the pieces: those of the clone have all to learn."""
    share: str = "1"
    """Share of the pairs whose second text is in the clone (in the others it is the original), in equal parts of the
    run: ``0.05_0.65``."""
    loans: float = 0.0
    """Share of the pieces that the clone has from the original."""
    bf16: bool = False
    """bfloat16 autocast, in training."""
    seed: int = 0
    """Of clones, lots and training."""


@dataclass(frozen=True)
class Bench:
    """What all objectives are tried on."""

    start: Encoder
    """The cloned encoder."""
    knowing: Encoder
    """The same, but the clone's pieces have the original's rows: the teacher, and the guide."""
    tables: Mapping[str, Mapping[str, Dataset]]
    """Pairs, ``parallel`` and ``graded``: by part of the schedule, a table each."""
    originals: list[str]
    """Held-out lines."""
    clones: list[str]
    """The same in the clone."""
    others: list[str]
    """The same in the other language."""

    def scores(self, encoder: Encoder) -> dict[str, float]:
        """P@1 of original and clone, and of original and other language."""
        return {
            "clone": retrieval(encoder, self.originals, self.clones),
            "translation": retrieval(encoder, self.originals, self.others),
        }


def set_up(model: Encoder | str | Path, plan: Plan, text: Mapping[str, Sequence[str]] | None) -> Bench:
    """The cloned encoder and the pairs."""
    from datasets import Dataset

    encoder = model if isinstance(model, Encoder) else load_encoder(model)
    refuse_route(encoder, "the laboratory")
    given = text or verses()
    lines = [
        [" ".join(line.split()[: plan.words]) for line in given[code]] for code in (ORIGINAL, OTHER)
    ]  # fmt: skip
    ids = encoder.tokenizer([encoder.prompt + line for of in lines for line in of], verbose=False)["input_ids"]
    small = with_pieces(encoder, pieces_to_keep(encoder.tokenizer, sorted({i for row in ids for i in row})))
    original, other = lines
    trained = len(original) - plan.held_out
    if trained < 2 * plan.batch or plan.held_out < 4:
        raise InputError(f"{len(original)} lines are too few: expected 4 held out, and {2 * plan.batch} to train on")
    start = clone(small, loans=plan.loans, seed=plan.seed)
    twins = cloned(small.tokenizer, original)
    base = {
        "source": original[:trained], "source_lang": [ORIGINAL] * trained,
        "group_id": [str(i) for i in range(trained)],
        "class": [line.partition(" ")[0] for line in original[:trained]],  # their first words
        "negative": [twins[(i + trained // 2) % trained] for i in range(trained)],
    }  # fmt: skip
    graded, about = graded_targets(original[:trained], plan.seed)

    def table(share: float, texts: Sequence[str], more: Mapping[str, Sequence[Any]]) -> Dataset:
        targets = mixed(small.tokenizer, texts, share, seed=plan.seed)
        languages = [CLONE if is_cloned(target) else ORIGINAL for target in targets]
        return Dataset.from_dict({**base, **more, "target": targets, "target_lang": languages})

    parts = {f"part-{number}": share for number, share in enumerate(shares(plan.share))}
    originals = {"target": original[:trained], "target_lang": [ORIGINAL] * trained}
    tables = {
        "parallel": {part: table(share, original[:trained], {}) for part, share in parts.items()},
        "graded": {part: table(share, graded, about) for part, share in parts.items()},
        "switched": {
            part: Dataset.from_dict({
                **base, **originals,
                "source": switched(small.tokenizer, original[:trained], min(share, SWITCHED), seed=plan.seed),
            })
            for part, share in parts.items()
        },
    }  # fmt: skip
    knowing = clone(small, loans=1.0, seed=plan.seed)
    return Bench(start, knowing, tables, original[trained:], twins[trained:], other[trained:])


def graded_targets(lines: Sequence[str], seed: int) -> tuple[list[str], dict[str, list[Any]]]:
    """For each line one of which all, the first half or nothing is the line's own and the rest another's; its grade."""
    lots = stream(seed, "graded").integers(0, 3, len(lines)).tolist()
    targets = []
    for number, (line, lot) in enumerate(zip(lines, lots, strict=True)):
        own, other = line.split(), lines[(number + 1 + len(lines) // 3) % len(lines)].split()
        keep = len(own) // 2 if lot == 1 else 0
        targets.append(line if lot == 2 else " ".join(own[:keep] + other[keep:]))
    labels = [("contradiction", "neutral", "entailment")[lot] for lot in lots]
    return targets, {"score": [lot / 2 for lot in lots], "label": labels}


def verses() -> dict[str, list[str]]:
    """The demo's text, its training part first."""
    demo = files("align") / "data" / "demo"
    return {
        code: [line for part in ("train", "test") for line in read_lines(Path(str(demo / part / f"{code}.txt.gz")))]
        for code in (ORIGINAL, OTHER)
    }
