"""MTEB: an encoder from here as a model of MTEB, and local text as a task of MTEB (extra ``mteb``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.errors import InputError

MISSING = "MTEB is not installed: pip install 'align-encoders[mteb]'"
StsRows = tuple[Sequence[str], Sequence[str], Sequence[float]]


def mteb_model(encoder: Encoder | str, *, name: str | None = None, batch_tokens: int | None = None) -> Any:
    """An encoder as ``mteb.evaluate(model, tasks=...)`` takes it: its own layer, pooling, prompt and length.

    MTEB's own prompts for tasks are not used: the encoder's prompt goes before every text, as everywhere here. Its
    similarity is the cosine. MTEB's cache of results knows it by its name and the fingerprint of its weights.

    Args:
        encoder: an encoder, or what ``align.load_encoder`` takes.
        name: for MTEB, "owner/name" by its custom; by default from where the encoder was loaded.
        batch_tokens: padded tokens of one forward pass; None: what the encoder finds best.

    Raises:
        InputError: MTEB is not installed, or there is no such encoder.
    """
    if find_spec("mteb") is None:
        raise InputError(MISSING)
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ScoringFunction

    loaded = load_encoder(encoder) if isinstance(encoder, str) else encoder
    identity = loaded.identity()
    called = name or f"align/{re.sub('[^A-Za-z0-9._-]+', '-', loaded.name or 'encoder').strip('-')}"

    class AlignModel(AbsEncoder):  # type: ignore[misc, unused-ignore]  # of mteb, which need not be there
        """What MTEB calls an encoder."""

        def __init__(self) -> None:
            self.model = loaded
            self.mteb_model_meta = ModelMeta(
                loader=None, name=called, revision=identity["fingerprint"], release_date=None, languages=None,
                license=None, open_weights=None,
                n_parameters=sum(p.numel() for p in loaded.body.parameters()), memory_usage_mb=None,
                max_tokens=loaded.max_tokens, embed_dim=loaded.dimension, public_training_code=None,
                public_training_data=None, framework=["PyTorch"], similarity_fn_name=ScoringFunction.COSINE,
                use_instructions=bool(loaded.prompt), training_datasets=None,
                experiment_kwargs={
                    "pooling": str(identity["pooling"]), "prompt": loaded.prompt,
                    **({"offsets": str(identity["offsets"])} if "offsets" in identity else {}),
                },
            )  # fmt: skip

        def encode(self, inputs: Any, **_: Any) -> NDArray[np.float32]:
            """(n, D) vectors of batches of texts."""
            return loaded.encode([text for batch in inputs for text in batch["text"]], batch_tokens=batch_tokens)

    return AlignModel()


def mteb_task(
    name: str, subsets: Mapping[str, tuple[Sequence[str], Sequence[str]] | StsRows], *, licence: str = "not specified"
) -> Any:
    """A task of MTEB from text at hand: bitext mining of two sides, or STS of two sides with scores.

    Bitext mining asks for line i of the second side among all its lines, given line i of the first: for sides without
    equal texts the accuracy is P@1 of ``align.tasks.retrieval.task``, first to second.

    Args:
        name: of the task.
        subsets: by the two languages of the sides, as in "hin_Deva-eng_Latn": (first, second), or (first, second,
            scores). All of one kind. Rows that are blank on a side have no place here.
        licence: of the text, in MTEB's words.

    Raises:
        InputError: MTEB is not installed; no subset, subsets of two kinds, sides of unequal length, a blank text, or
            a name that is no two languages.
    """
    if find_spec("mteb") is None:
        raise InputError(MISSING)
    from datasets import Dataset
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining

    columns = _columns(subsets)
    scored = "score" in next(iter(columns.values()))
    kind: Any = AbsTaskSTS if scored else AbsTaskBitextMining
    about = TaskMetadata(
        dataset={"path": name, "revision": "local"}, name=name, description=f"{name}, from local text",
        type="STS" if scored else "BitextMining", category="t2t", modalities=["text"], eval_splits=["test"],
        eval_langs={subset: [code.replace("_", "-") for code in subset.split("-")] for subset in columns},
        main_score="cosine_spearman" if scored else "accuracy", license=licence,
    )  # fmt: skip
    values = [score for one in columns.values() for score in one.get("score", ())]
    span = {"min_score": min(values), "max_score": max(values)} if scored else {}
    task = type(name, (kind,), {"metadata": about, **span})()
    task.dataset = {subset: {"test": Dataset.from_dict(one)} for subset, one in columns.items()}
    task.data_loaded = True
    return task


def _columns(subsets: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, dict[str, list[Any]]]:
    """Columns of each subset as MTEB names them."""
    found: dict[str, dict[str, list[Any]]] = {}
    for subset, sides in subsets.items():
        if not re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}-[a-z]{3}_[A-Z][a-z]{3}", subset):
            raise InputError(f"expected a subset named by two languages, such as hin_Deva-eng_Latn, got {subset!r}")
        if len(sides) not in (2, 3) or len({len(side) for side in sides}) > 1:
            sizes = " and ".join(str(len(side)) for side in sides)
            raise InputError(f"{subset}: expected two sides, and scores or none, of one length, got {sizes}")
        blank = [i for i, pair in enumerate(zip(*sides[:2], strict=True), 1) if not all(map(str.strip, pair))]
        if blank or not len(sides[0]):
            raise InputError(f"{subset}: {f'row {blank[0]} is blank on a side' if blank else 'there is no row'}")
        found[subset] = dict(zip(("sentence1", "sentence2", "score"), map(list, sides), strict=False))
    if not found or len({len(one) for one in found.values()}) > 1:
        raise InputError("expected one or more subsets, all of two sides or all with scores")
    return found
