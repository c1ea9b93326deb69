"""What is learnt of an encoder, by name, and whether two encoders have the same."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from align.encoders.adapters.bottleneck import bottlenecks, without_bottlenecks
from align.encoders.encoder import Encoder
from align.errors import InputError


def weights_of(encoder: Encoder) -> dict[str, Tensor]:
    """All that is learnt, by name: of the model with its head, and of what comes after the pooling; tied ones once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for part, module in _parts(encoder).items():
        for name, value in module.state_dict().items():
            if value.data_ptr() not in seen:
                found[f"{part}.{name}"] = value
            seen.add(value.data_ptr())
    return found


def put_weights(encoder: Encoder, weights: Mapping[str, Tensor]) -> None:
    """Give an encoder the weights that :func:`weights_of` names."""
    for name, own in weights_of(encoder).items():
        own.copy_(weights[name])


def _parts(encoder: Encoder) -> dict[str, nn.Module]:
    return {"model": encoder.model, "tail": encoder.tail}


def check_alike(first: Encoder, other: Encoder, one: str, two: str) -> None:
    """Refuse encoders that no formula joins; the reason is the first thing in which they differ."""
    kinds = type(first.model).__name__, type(other.model).__name__
    if kinds[0] != kinds[1]:
        raise InputError(f"{one} is a {kinds[0]}, {two} a {kinds[1]}: only encoders of one architecture merge")
    with without_bottlenecks(first.model), without_bottlenecks(other.model):
        shapes = [{name: tuple(value.shape) for name, value in weights_of(each).items()} for each in (first, other)]
    for name in (*shapes[0], *shapes[1]):
        here, there = (str(each.get(name, "none")) for each in shapes)
        if here != there:
            raise InputError(f"only encoders of one architecture merge: {name} is {here} in {one}, {there} in {two}")
    pieces = [each.tokenizer.get_vocab() for each in (first, other)]
    if pieces[0] != pieces[1]:
        differ = sorted(dict(pieces[0].items() ^ pieces[1].items()))[:3]
        raise InputError(f"{one} and {two} have other vocabularies ({', '.join(map(repr, differ))}): they do not merge")
    ways = [(each.pooling.kind, each.layer, each.pooling.special_tokens, each.prompt) for each in (first, other)]
    if ways[0] != ways[1]:
        raise InputError(
            f"{one} and {two} make vectors in other ways (kind, layer, special tokens, prompt: {ways[0]} and {ways[1]})"
        )


def check_adapters(first: Encoder, other: Encoder, method: str, one: str, two: str) -> None:
    """Refuse bottleneck adapters that cannot stand side by side."""
    if not (bottlenecks(first.model) or bottlenecks(other.model)):
        return
    if method != "linear":
        raise InputError(f"{method} merges weights, bottleneck adapters stay beside them: expected linear")
    if bottlenecks(first.model).keys() != bottlenecks(other.model).keys():
        raise InputError(f"{one} and {two} have bottleneck adapters on other blocks: they do not merge")
    with without_bottlenecks(first.model), without_bottlenecks(other.model):
        if first.fingerprint() != other.fingerprint():
            raise InputError(f"{one} and {two} have bottleneck adapters on other weights: they do not merge")
