"""``align pairs``: a verb for each kind of pairs that the registry has, made of its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import typer

from align.cli.options.arguments import AllowLicences, Out, listed, show
from align.cli.options.help_pages import Verbs, add_verbs
from align.files.licences import allowing

if TYPE_CHECKING:
    from align.pairs.builder import Builder


LICENCES = inspect.Parameter("allow_licences", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=AllowLicences)
OUT = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=Path("pairs"), annotation=Out)
Made = Callable[[Mapping[str, Any]], Any]
"""What a field is, of the values of all options."""


def verb_of(builder: Builder) -> Callable[..., None]:
    """The verb that asks for the options of a builder, builds, and prints what it returns."""
    (first, *others), options = _of_dataclass(builder.options)
    kind, about = get_args(first.annotation)
    argument = typer.Argument(help=about.help, metavar=about.metavar)
    parameters = [_keyword(first.name, kind, first.default, argument), OUT, *others, LICENCES]

    def verb(**given: Any) -> None:
        with allowing(listed(given["allow_licences"])):
            show({**builder.build(options(given), given["out"]), "out": str(given["out"])})

    verb.__doc__ = builder.options.__doc__
    verb.__dict__["__signature__"] = inspect.Signature(parameters)  # what typer reads
    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return verb


def _of_dataclass(kind: Any) -> tuple[list[inspect.Parameter], Made]:
    """The parameters of the fields that are annotated, and what makes the dataclass of their values."""
    parameters, made, hints = list[inspect.Parameter](), dict[str, Made](), get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint) or get_origin(hint) is Annotated:
            several, made[field.name] = _of_dataclass(hint) if is_dataclass(hint) else _of_field(field, hint)
            parameters += several
    return parameters, lambda given: kind(**{name: make(given) for name, make in made.items()})


def _of_field(field: Field[Any], hint: Any) -> tuple[list[inspect.Parameter], Made]:
    """The parameter of a field, or those of all options that it stands for."""
    kind, about, *more = get_args(hint)
    about = about() if callable(about) else about
    if isinstance(about, dict):
        several = {
            name: _keyword(name.replace("-", "_"), list[str] | None, None, typer.Option(f"--{name}", help=help))
            for name, help in about.items()
        }
        return list(several.values()), lambda given: {name: given[one.name] or [] for name, one in several.items()}
    if isinstance(field.default, tuple):  # as it is to be written, without the comma that typer would show
        about = f"{about}  [default: {' '.join(map(str, field.default))}]"
    names = [text for text in more if text.startswith("--")]
    flag = [f"--{field.name.replace('_', '-')}"] if kind is bool else []
    asked = typer.Option(
        *(names or flag),
        help=about,
        show_default=not isinstance(field.default, tuple),
        metavar=next((text for text in more if text not in names), None),
    )
    return [_keyword(field.name, kind, field.default, asked)], lambda given: given[field.name]


def _keyword(name: str, kind: Any, default: Any, asked: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is MISSING else default
    annotation = Annotated[kind, asked]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


class PairVerbs(Verbs):
    """The verbs of the registry, which is asked only when one of them is wanted."""

    @property
    def commands(self) -> Any:
        """By name."""
        return self._made

    @commands.setter
    def commands(self, none: Any) -> None:
        """There are none before the registry is asked."""

    @cached_property
    def _made(self) -> Any:
        from align.pairs.registry import builders

        app = typer.Typer(rich_markup_mode=None)
        add_verbs(app, {name: verb_of(builder) for name, builder in builders().items()})
        return typer.main.get_group(app).commands


app = typer.Typer(cls=PairVerbs, no_args_is_help=True, help="Build a table of pairs from raw data.")
