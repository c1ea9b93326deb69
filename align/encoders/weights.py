"""Weights of transformers models: all that decide a vector come from the model's files, or it is refused."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from align.encoders.blocks import some_blocks, word_table
from align.errors import InputError

log = logging.getLogger(__name__)


def load_weights(auto: Any, place: str, **options: Any) -> PreTrainedModel:
    """``auto.from_pretrained(place, **options)``, without weights made up at random in the model's body.

    What a wrapper put before the name of every weight (``module.``, ``0.auto_model.``, ``_orig_mod.``, ...) is taken
    off, and logged. A pooler or a head that the files lack is made anew: no vector reads it.

    Raises:
        InputError: the files lack weights of the body, or have them in another size (the sentence says which and how
            many); or two wrapped encoders, either of which could be meant.
    """
    model, found = _loaded(auto, place, options)
    lost = _lost(model, found)
    wrappers = _wrappers(model, lost, found["unexpected_keys"]) if lost else []
    if len(wrappers) > 1:
        raise InputError(
            f"{place} has the weights of {len(wrappers)} encoders, under {' and '.join(wrappers)}: expected one"
        )
    if wrappers:
        mapping = {f"^{re.escape(wrappers[0])}": ""}
        model, found = _loaded(auto, place, options | {"key_mapping": mapping})
        lost = _lost(model, found)
        # transformers would put the prefix back when it saves: what is made from the weights alone knows of none
        model = type(model).from_pretrained(
            None, config=model.config, state_dict=model.state_dict(), dtype=model.dtype
        )  # fmt: skip
        log.warning("%s: the names of its weights begin with %r, which was taken off", place, wrappers[0])
    if lost:
        raise InputError(_sentence(place, model, lost, found))
    return model


def check_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise an InputError if the tokenizer has ids that the model has no embedding for."""
    table: Any = word_table(model)
    if table is None:
        return
    rows = int(table.weight.shape[0])
    piece, last = max(tokenizer.get_vocab().items(), key=lambda item: item[1])
    if last >= rows:
        raise InputError(
            f"the tokenizer does not fit the model: it has ids up to {last} ({piece!r}), but there are embeddings for "
            f"{rows} ids, 0 to {rows - 1}"
        )


def without_pooler(model: PreTrainedModel) -> PreTrainedModel:
    """No vector here reads BERT's pooler; where the checkpoint lacks it, its weights would be random."""
    if getattr(model.base_model, "pooler", None) is not None:
        model.base_model.pooler = None
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and no notes about BERT's pooler from transformers while the context lasts."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _loaded(auto: Any, place: str, options: Mapping[str, Any]) -> tuple[PreTrainedModel, dict[str, Any]]:
    with quiet():
        model, found = auto.from_pretrained(
            place, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )  # fmt: skip
    return model, found


def _body_names(model: PreTrainedModel, names: Collection[str]) -> list[str]:
    """Those of the names that belong to the model's body, without its pooler."""
    prefix = f"{model.base_model_prefix}." if model.base_model is not model else ""
    return sorted(name for name in names if name.startswith(prefix) and "pooler" not in name.split("."))


def _lost(model: PreTrainedModel, found: Mapping[str, Any]) -> list[str]:
    """Names of the body's weights that were not in the files, or were there in another size."""
    return _body_names(model, {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})


def _wrappers(model: PreTrainedModel, lost: Collection[str], unexpected: Collection[str]) -> list[str]:
    """What stands before the names of the lost weights, or of most, in the files: the same before each."""
    base = f"{model.base_model_prefix}."
    bare, there = [name.removeprefix(base) for name in lost], set(unexpected)
    starts = {name.removesuffix(last) for last in bare for name in there if name.endswith(f".{last}")}
    most = [start for start in starts if sum(start + name in there for name in bare) > len(bare) / 2]
    # of "module.bert." only "module." is the wrapper's: a masked-LM head stands beside "bert."
    return sorted(start.removesuffix(base) or start for start in most)


def _sentence(place: str, model: PreTrainedModel, lost: Collection[str], found: Mapping[str, Any]) -> str:
    sizes = {name: (tuple(has), tuple(needs)) for name, has, needs in found["mismatched_keys"]}
    described = [f"{name} is {sizes[name][0]} instead of {sizes[name][1]}" if name in sizes else name for name in lost]
    count = len(_body_names(model, model.state_dict()))
    more = f", and {len(described) - 3} more" if len(described) > 3 else ""
    others = sorted(found["unexpected_keys"])
    instead = f"; names that nothing here has: {', '.join(others[:3])}, {len(others)} in all" if others else ""
    return (
        f"{place} lacks {len(lost)} of the {count} weights of {type(model.base_model).__name__}, or has them in "
        f"another size: {', '.join(described[:3])}{more}{instead}"
    )


def with_blocks(model: PreTrainedModel, layers: Sequence[int]) -> PreTrainedModel:
    """A model of these blocks of another, counted from 1; embeddings, head and all else are copied.

    Raises:
        InputError: the blocks of the model are not alike, so that one cannot stand in another's place.
    """
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = len(layers)
    if getattr(config, "layer_types", None) is not None:  # ModernBERT: one entry a block
        config.layer_types = [config.layer_types[k - 1] for k in layers]
    with some_blocks(model, layers):
        state = {name: value.clone() for name, value in model.state_dict().items()}
    with quiet():
        made, found = type(model).from_pretrained(
            None, config=config, state_dict=state, dtype=model.dtype, output_loading_info=True
        )
    wrong = _body_names(made, {*found["missing_keys"], *found["unexpected_keys"]})
    if wrong or found["mismatched_keys"]:
        raise InputError(
            f"the blocks of {type(model).__name__} are not alike, so that {', '.join(map(str, layers))} alone are no "
            f"model: {', '.join(wrong[:2]) or found['mismatched_keys']} does not fit"
        )
    return without_pooler(made)
