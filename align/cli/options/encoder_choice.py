"""Which encoder a verb uses, and how: the same options everywhere, written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from align.cli.options.arguments import one_of
from align.errors import InputError

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.encoders.light import LightEncoder
    from align.tasks import Protocol

ModelOption = Annotated[str, typer.Option("--model", "-m", help="seed, a folder, or a name on the Hugging Face Hub.")]
QueryPrompt = Annotated[
    str | None, typer.Option(help='Before every query, such as "query: " for E5; that of the texts may differ.')
]


@dataclass(frozen=True)
class EncoderChoice:
    """An encoder by name, and what is asked of it; ``None``: as it was saved."""

    model: Annotated[str, typer.Argument(help="seed, a folder, or a name on the Hugging Face Hub.")]
    layer: Annotated[
        int | None, typer.Option(help="k of hidden_states[k]; by default what the model was saved with.")
    ] = None
    pooling: Annotated[str | None, typer.Option(help="mean, cls or weighted (by position).")] = None
    special_tokens: Annotated[
        bool | None, typer.Option("--special-tokens/--no-special-tokens", help="Whether <s>, </s> count.")
    ] = None
    average_layers: Annotated[
        bool | None,
        typer.Option("--average-layers/--no-average-layers", help="Pool the mean of hidden_states[0..layer]."),
    ] = None
    prompt: Annotated[str | None, typer.Option(help='Text before every input, such as "query: " for E5.')] = None
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longer texts are cut; by default at what the model was saved with.")
    ] = None
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a model on the Hub.")] = None
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; by default a GPU if there is one.")] = None
    bf16: Annotated[bool, typer.Option("--bf16", help="Encode in bfloat16: faster where the hardware has it.")] = False
    backend: Annotated[
        str, typer.Option(help="torch; or openvino, onnx (extras): where the transformer runs, on the CPU.")
    ] = "torch"
    attention: Annotated[
        str, typer.Option(help="auto: no token is computed on padding where the model allows it; or padded.")
    ] = "auto"
    offsets: Annotated[
        Path | None, typer.Option(help="Folder of align offsets: what is taken off the vectors of each language.")
    ] = None

    head: Annotated[
        Path | None, typer.Option(help="Folder of align head words: what the vectors of words are mapped by.")
    ] = None

    language_tags: Annotated[
        bool, typer.Option("--language-tags", help="Put the tag of its language before each text: train.language_tags.")
    ] = False

    def __post_init__(self) -> None:
        one_of(("auto", "padded"), self.attention, "--attention")

    def options(self) -> dict[str, Any]:
        """Options of :func:`align.load_encoder`."""
        given = asdict(self)
        given["kind"] = given.pop("pooling")
        return {name: value for name, value in given.items() if name not in ("model", "backend", "attention")}

    def for_few(self) -> Encoder | LightEncoder:
        """What encodes a few texts soonest: without torch, if the model is one that can do without.

        That is so where nothing else is asked of it than a prompt, a length and the CPU.
        """
        from align.encoders.light import light_encoder

        usual = EncoderChoice(self.model, prompt=self.prompt, max_tokens=self.max_tokens, device=self.device)
        if self == usual and self.device in (None, "cpu"):
            found = light_encoder(self.model, prompt=self.prompt, max_tokens=self.max_tokens)
            if found is not None:
                return found
        return self.load()

    def load(self) -> Encoder:
        """The encoder."""
        if self.backend == "torch":
            from align.encoders.checkpoint import load_encoder

            encoder = load_encoder(self.model, **self.options())
        else:
            from align.encoders.backends import load_backend

            encoder = load_backend(self.model, self.backend, **self.options())
        encoder.attention = self.attention
        return encoder

    def followed(self, protocol: Protocol) -> tuple[Protocol, EncoderChoice]:
        """The protocol that is scored by, and the choice to load: of a protocol that names a layer, that one.

        What the options say is put into such a protocol, which is then a changed one by its name.

        Raises:
            InputError: layers are to be averaged, and the protocol names one.
        """
        from align.tasks.retrieval.protocols import changed

        if protocol.layer is None:
            return protocol, self
        if self.average_layers:
            raise InputError(f"protocol {protocol.name} pools layer {protocol.layer} alone, --average-layers several")
        chosen = changed(protocol, layer=self.layer, pooling=self.pooling, special_tokens=self.special_tokens)
        return chosen, replace(
            self, layer=chosen.layer, pooling=chosen.pooling, special_tokens=chosen.special_tokens, average_layers=False
        )


def takes_encoder(*, without: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the fields of the verb's :class:`EncoderChoice` become arguments and options of the command line.

    The model stands where the choice stands among the verb's parameters, the options come last. A field that the verb
    has as a parameter of its own is declared there, in the verb's words and place, and goes into the choice too.

    Args:
        without: fields, with spaces between, that make no sense for the verb: they keep their defaults.
    """

    def decorated(verb: Callable[..., None]) -> Callable[..., None]:
        hints, kinds = get_type_hints(verb, include_extras=True), get_type_hints(EncoderChoice, include_extras=True)
        own = inspect.signature(verb).parameters
        chosen = [field for field in fields(EncoderChoice) if field.name not in without.split()]
        asked = {
            field.name: _keyword(field.name, kinds[field.name], field.default)
            for field in chosen
            if field.name not in own
        }
        taker = next(name for name in own if hints[name] is EncoderChoice)
        parameters: list[inspect.Parameter] = []
        for name, parameter in own.items():
            if name != taker:
                parameters.append(_keyword(name, hints[name], parameter.default))
            elif "model" in asked:
                parameters.append(asked.pop("model"))
        parameters += asked.values()

        @wraps(verb)
        def called(**given: Any) -> None:
            choice = EncoderChoice(**{field.name: given[field.name] for field in chosen})
            verb(**{name: choice if name == taker else given[name] for name in own})

        called.__dict__["__signature__"] = inspect.Signature(parameters)  # what typer reads
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return called

    return decorated


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
