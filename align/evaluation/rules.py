"""How a benchmark is scored: its protocol, changed by settings, and what the task's reader is told."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from align.errors import InputError, there_are, unknown
from align.evaluation.benchmarks import Benchmark
from align.tasks.retrieval.protocols import with_twin
from align.tasks.task import OneWay, Task, task


@dataclass(frozen=True)
class Rules:
    """What a score depends on beside the encoder and the text, and which text is read."""

    protocol: Any
    reading: Mapping[str, Any]
    """Settings of the task's reader."""


def rules_of(benchmark: Benchmark, protocol: Any = None, settings: Mapping[str, Any] | None = None) -> Rules:
    """The protocol that a benchmark is scored by, and the settings of the reader.

    Args:
        benchmark: what is scored.
        protocol: a name, or a protocol of one's own; ``None``: the benchmark's, or the task's default.
        settings: fields of the protocol, which is then a changed one by its name, and options of the reader; text is
            read as JSON where that is what the option takes.

    Raises:
        InputError: an unknown protocol or setting, or a value of another kind.
    """
    kind = task(benchmark.task)
    chosen = _protocol(kind, benchmark, protocol)
    own, read = _fields(chosen), _options(kind)
    changes: dict[str, Any] = {}
    reading: dict[str, Any] = {}
    for name, given in (settings or {}).items():
        if name in own:
            changes[name] = _value(given, own[name], f"{kind.name}.{name}")
        elif name in read:
            reading[name] = _value(given, read[name], f"{kind.name}.{name}")
        else:
            known = there_are(name, [*own, *read])
            raise InputError(f"{benchmark.name}: {kind.name} has no setting {name!r}: expected one of {known}")
    if "twin" in changes:
        chosen = with_twin(chosen, changes.pop("twin"))
    other = replace(chosen, **changes)
    return Rules(chosen if other == chosen else replace(other, name=_changed(chosen.name)), reading)


def reranked_rules(benchmark: Benchmark, rules: Rules, depth: int) -> Rules:
    """The same rules, but that the nearest ``depth`` of each query are re-ranked.

    Raises:
        InputError: a task that does not search, or a protocol that cannot be re-ranked.
    """
    if "rerank_depth" not in _fields(rules.protocol):
        raise InputError(f"{benchmark.name}: {benchmark.task} searches nothing: re-ranked are retrieval and bli")
    name = rules.protocol.name
    return replace(rules, protocol=replace(rules.protocol, rerank_depth=depth, name=f"{name}, re-ranked"))


def _changed(name: str) -> str:
    return name if name.endswith("(changed)") else f"{name} (changed)"


def settings_of(kind: Task) -> dict[str, Any]:
    """What may be set of a task, with its defaults."""
    return _fields(kind.protocols[kind.default]) | _options(kind)


def described(rules: Rules) -> dict[str, Any]:
    """The protocol as plain values."""
    protocol = rules.protocol
    return (
        {"name": protocol.name}
        if isinstance(protocol, OneWay)
        else asdict(protocol) | {"described": protocol.describe()}
    )


def _protocol(kind: Task, benchmark: Benchmark, given: Any) -> Any:
    if given is not None and not isinstance(given, str):
        return given
    if given is not None and len(kind.protocols) == 1 and given not in kind.protocols:
        raise InputError(f"{benchmark.name} has no protocols: {kind.name} is scored in one way")
    name = given or benchmark.protocol or kind.default
    if name not in kind.protocols:
        raise InputError(unknown("protocol", name, kind.protocols))
    return kind.protocols[name]


def _fields(protocol: Any) -> dict[str, Any]:
    if isinstance(protocol, OneWay):
        return {}
    return {one.name: getattr(protocol, one.name) for one in fields(protocol) if one.name not in ("name", "version")}


def _options(kind: Task) -> dict[str, Any]:
    every = inspect.signature(kind.read).parameters.values()
    return {one.name: one.default for one in every if one.kind is one.KEYWORD_ONLY and one.name != "revision"}


def _value(given: Any, default: Any, name: str) -> Any:
    """What was given, of the kind of the default; of an option without one, a number where it is one."""
    if not isinstance(given, str) or isinstance(default, str):
        return given
    try:
        value = json.loads(given)
    except ValueError:
        value = given
    if isinstance(default, tuple):
        value = tuple(given.split(","))
    kinds = {type(value), type(default)}
    if value is not None and default is not None and len(kinds) > 1 and kinds != {int, float}:
        raise InputError(f"{name}: expected {type(default).__name__}, such as {json.dumps(default)}, got {given!r}")
    return value
