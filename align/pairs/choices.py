"""Options that are one of a few words."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin, get_type_hints

from align.errors import InputError


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of a ``Literal``."""
    if value not in get_args(choices):
        raise InputError(f"{name} is one of {', '.join(get_args(choices))}; got {value!r}")


def check_choices(options: object) -> None:
    """Refuse a dataclass of which a field is none of the ``Literal`` that it is declared to be."""
    for name, kind in get_type_hints(type(options)).items():
        if get_origin(kind) is Literal:
            check_choice(name, getattr(options, name), kind)
