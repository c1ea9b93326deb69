"""What a saved encoder says of itself: versions, recipe, data."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from align.encoders.encoder import Encoder
from align.encoders.mixture.layers import mixture_of
from align.errors import InputError
from align.files.whole import whole_file
from align.pairs.overlap_result import overlap_table
from align.provenance import versions
from align.training.config import as_table
from align.training.recipe import Recipe
from align.training.store import PairStore

TAGS = ("sentence-transformers", "align", "cross-lingual")
KEPT = ("license", "license_name", "license_link", "base_model", "datasets")
"""What a card says of the encoder before, and is still true of it after."""


def provenance(recipe: Recipe, stores: Sequence[PairStore], about: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values saved beside the weights."""
    return {
        "recipe": as_table(recipe),
        "versions": versions(),
        "seed": (recipe.stages or (recipe,))[0].train.seed,
        "pairs_sha256": " ".join(store.digest for store in stores),
        "languages": sorted({name for store in stores for name in store.names}),
        "about_pairs": dict(about),
    }


def model_card(encoder: Encoder, facts: Mapping[str, Any]) -> str:
    """README.md of a trained encoder."""
    stages, about = facts["summary"].get("stages", [facts["summary"]]), facts["about_pairs"]
    pooling = encoder.pooling
    states = f"hidden_states[{encoder.layer}]"
    if pooling.average_layers:
        states = f"the mean of hidden_states[0..{encoder.layer}]"
    tokens = "with" if pooling.special_tokens else "without"
    said, text = card_before(encoder.card)
    languages = {code.partition("_")[0] for code in facts["languages"]}
    lines = [
        *front_matter(said, languages), "",
        "# Sentence encoder aligned with Align", "",
        f"Vectors: {encoder.dimension} dimensions, {pooling.kind} pooling of {states} {tokens} "
        f"special tokens, {'unit length' if encoder.unit else 'raw length'}, at most {encoder.max_tokens} tokens.", "",
        *how_to_load(encoder),
        *map(stage_line, stages), f"Seed {facts['seed']}.", "",
        f"Romaniser of the pairs: {about.get('romaniser', 'not recorded')}. Licences of the text: "
        f"{', '.join(sorted({s['licence'] for s in about.get('sources', [])})) or 'not recorded'}.", "",
        *overlap_lines(about.get("overlap")),
        "## Recipe", "", "```json", json.dumps(facts["recipe"], indent=2), "```", "",
        "## Versions", "", "```json", json.dumps(facts["versions"], indent=2), "```", "",
        *(["## The card of the encoder that was trained", "", text, ""] if text else []),
    ]  # fmt: skip
    return "\n".join(lines)


def how_to_load(encoder: Encoder) -> list[str]:
    """The lines of code that load it, and why they are other ones for a mixture of adapters."""
    if mixture_of(encoder.body) is None:
        code = [
            "from sentence_transformers import SentenceTransformer",
            "",
            'model = SentenceTransformer("this-folder")',
        ]
        return ["```python", *code, "```", ""]
    return [
        "The text decides which of its adapters read it, so that they cannot be merged into the weights: "
        "sentence-transformers does not load this folder.", "",
        "```python", "import align", "", 'encoder = align.load_encoder("this-folder")', "```", "",
    ]  # fmt: skip


def card_before(card: str) -> tuple[dict[str, Any], str]:
    """What the head of a card says, and its text."""
    if not card.startswith("---"):
        return {}, card.strip()
    try:
        read = ModelCard(card, ignore_metadata_errors=True)
        return read.data.to_dict(), str(read.text).strip()  # type: ignore[no-untyped-call]
    except Exception:  # whatever its author wrote there: a training that has come to its end is not lost for it
        return {}, card.strip()


def front_matter(before: Mapping[str, Any], languages: Collection[str]) -> list[str]:
    """What the Hub reads of a card: tags and languages with those of the card before, and its licence."""
    tags = dict.fromkeys([*TAGS, *_listed(before.get("tags"))])
    spoken = sorted({*languages, *_listed(before.get("language"))})
    kept = [f"{name}: {json.dumps(before[name], ensure_ascii=False)}" for name in KEPT if before.get(name)]
    lists = [f"{name}: [{', '.join(map(_word, words))}]" for name, words in (("tags", tags), ("language", spoken))]
    return ["---", "library_name: sentence-transformers", *lists, *kept, "---"]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value or ()]


def _word(text: str) -> str:
    """As YAML has it: what might be read as something else in quotation marks."""
    plain = re.fullmatch(r"(?!yes|off|null|true|false)[a-z][a-z-]{2,}", text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def stage_line(stage: Mapping[str, Any]) -> str:
    """What one stage was trained on."""
    name = f"Stage {stage['name']}: trained" if "name" in stage else "Trained"
    end = ""
    if stopped := stage.get("stopped"):
        end = f" Stopped early at step {stopped['step']}: no better evaluation since step {stopped['best_step']}."
    if learned := stage.get("temperatures"):
        end += " Learned temperatures: " + ", ".join(f"{n} {value:.4g}" for n, value in learned.items()) + "."
    if routing := stage.get("routing"):
        of = sum(one["entropy"] for one in routing["languages"].values()) / len(routing["languages"])
        end += (
            f" Mixture of {routing['experts']} adapters: the entropy of a text's weights is {of:.3f} nats, the purity "
            f"of the adapters by language {routing['purity']:.3f} (one for all has {routing['purity_of_one']:.3f})."
        )
    return (
        f"{name} on {stage['pairs']:,} pairs in {stage['languages']} languages and {len(stage['scripts'])} scripts "
        f"({' '.join(stage['scripts'])}); {stage['negatives']} negatives per anchor.{end}\n"
    )


def overlap_lines(overlap: Mapping[str, Any] | None) -> list[str]:
    """The section on test texts in the training pairs; []: nobody looked for them."""
    if overlap is None:
        return []
    table = overlap_table(overlap, most=20)
    return ["## Overlap with test sets", "", "Test texts found in the training pairs:", "", table]


START, END = "<!-- certificate -->", "<!-- end of certificate -->"


def check_card(folder: Path) -> None:
    """Refuse a place that has no model card of Align's.

    Raises:
        InputError: it is no folder that Align saved an encoder in.
    """
    if not (folder / "align.json").is_file():
        raise InputError(f"{folder} has no model card of Align to write to: expected a folder that it saved")


def put_certificate(folder: Path, table: str) -> None:
    """Write a table into the model card of a folder, in the place of an older one.

    Raises:
        InputError: see :func:`check_card`.
    """
    check_card(folder)
    path = folder / "README.md"
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, _, rest = card.partition(START)
    after = rest.partition(END)[2]
    title = "## What rose and what fell"
    parts = [before.rstrip(), f"{START}\n{title}\n\n{table}\n{END}", after.strip()]
    with whole_file(path) as temporary:
        temporary.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
