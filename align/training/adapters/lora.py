"""Low-rank adapters (LoRA, DoRA) through peft: beside the weights in training, merged into them at its end."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from align.encoders.adapters.low_rank import Adapter
from align.encoders.blocks import blocks, word_table
from align.encoders.encoder import Encoder
from align.encoders.mixture.layers import MixtureOptions, add_mixture
from align.errors import InputError, there_are
from align.streams import drawn_from
from align.training.adapters.blocks import adapted_blocks
from align.training.options import LoraOptions
from align.training.recipe import Recipe

MARK = "lora_"  # in the name of every parameter of an adapter, and of no other
QUERY_VALUE = (("query", "value"), ("q_lin", "v_lin"), ("Wqkv",))  # BERT and XLM-R; DistilBERT; ModernBERT


def adapted_modules(encoder: Encoder, recipe: Recipe) -> list[str]:
    """Paths in the encoder's body of the linear modules that the recipe's adapter changes.

    They are in the blocks that it trains: see :func:`align.training.adapters.blocks.adapted_blocks`.

    Raises:
        InputError: peft is not installed, a target that no module has, or no block left to train.
    """
    if find_spec("peft") is None and not (recipe.lora and recipe.lora.experts > 1):
        raise InputError("lora needs peft: pip install 'align-encoders[lora]'")
    every = blocks(encoder.model)
    chosen = [every[number] for number in adapted_blocks(encoder, recipe)]
    linear = [name for name, module in chosen[0].named_modules() if isinstance(module, nn.Linear)]
    targets = recipe.lora.targets if recipe.lora else ()
    families = [names for names in QUERY_VALUE if all(_matching(linear, name) for name in names)]
    if not targets and not families:
        raise InputError(
            f"lora.targets is needed for this model: the linear modules of a block are {', '.join(linear)}"
        )
    for target in targets or families[0]:
        if not _matching(linear, target):
            raise InputError(f"lora.targets: no module is called {target!r}; a block has {there_are(target, linear)}")
    wanted = {name for target in targets or families[0] for name in _matching(linear, target)}
    modules = {block[name] for block in (dict(b.named_modules()) for b in chosen) for name in wanted if name in block}
    return [name for name, module in encoder.body.named_modules() if module in modules]


def _matching(names: list[str], suffix: str) -> list[str]:
    return [name for name in names if f".{name}".endswith(f".{suffix}")]


@contextmanager
def adapter(encoder: Encoder, recipe: Recipe, kept: MutableMapping[str, Adapter]) -> Iterator[None]:
    """While the context lasts, the encoder has the adapter that ``recipe.lora`` asks for, if it does.

    A mixture stays: its weights depend on the text. Any other adapter is put into ``kept`` at the end, under the
    recipe's name, and merged: W + (alpha / rank) B A takes the place of each adapted W (Hu et al. 2022,
    arXiv:2106.09685, eq. 3). B starts at 0, and A from the recipe's seed.
    """
    if recipe.lora is None:
        yield
        return
    if recipe.lora.experts > 1:
        mix(encoder, recipe, recipe.lora)
        yield
        return
    from peft import LoraConfig, LoraModel, get_peft_model_state_dict

    options = recipe.lora
    config = LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, use_dora=options.dora,
        use_rslora=options.rslora, target_modules=adapted_modules(encoder, recipe), task_type="FEATURE_EXTRACTION",
    )  # fmt: skip
    with drawn_from(recipe.train.seed, "lora"):  # peft draws A on the CPU
        tuned = LoraModel(encoder.body, config, "default")  # changes the body in place
    try:
        yield
    finally:
        state = get_peft_model_state_dict(tuned, save_embedding_layers=False)
        weights = {f"base_model.{name}": value.detach().cpu().clone() for name, value in state.items()}
        kept[recipe.name] = Adapter(_as_json(config.to_dict(), base=None if recipe.name else encoder.name), weights)
        tuned.merge_and_unload()


def mix(encoder: Encoder, recipe: Recipe, lora: LoraOptions) -> None:
    """Put the mixture that the recipe asks for on the encoder: A and the router from its seed, B at 0."""
    modules = tuple(adapted_modules(encoder, recipe))
    options = MixtureOptions(modules, experts=lora.experts, rank=lora.rank, alpha=lora.alpha, top=lora.top)
    with drawn_from(recipe.train.seed, "lora"):
        add_mixture(encoder, options)


def check_mixture(encoder: Encoder, recipe: Recipe) -> None:
    """Refuse a mixture where there is nothing for its router to read, before any step.

    Raises:
        InputError: the model has no table of word embeddings.
    """
    if recipe.lora and recipe.lora.experts > 1 and word_table(encoder.body) is None:
        raise InputError(f"{type(encoder.body).__name__} has no table of word embeddings, which lora.experts needs")


def _as_json(config: dict[str, Any], *, base: str | None) -> dict[str, Any]:
    """The configuration as peft saves it: of an adapter that is not trained on, on the encoder ``base``."""
    table = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    return table | {"base_model_name_or_path": base, "inference_mode": True}


@torch.no_grad()
def scale_adapter(encoder: Encoder, share: float) -> None:
    """Make the adapter's change of each weight ``share`` times as large: the change is linear in B."""
    for name, parameter in encoder.named_parameters():
        if "lora_B" in name:
            parameter.mul_(share)
