"""How help looks: verbs in groups, the options of the encoder apart, examples at the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from align.cli.options.encoder_choice import EncoderChoice
from align.cli.options.examples import EXAMPLES

ENCODER = {field.name for field in fields(EncoderChoice)}


SEVERAL = re.compile(r"<(\w+(?:,\w+)+)>(?:\.\.\.)?")
"""How typer shows an option of several values."""


class Verb(TyperCommand):
    """A verb, whose help has the options of the encoder apart, examples, and what there is of engines or tasks."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What the verb does, and its engines or tasks, which are looked for only here."""
        super().format_help_text(ctx, formatter)
        asked = {one.name for one in self.get_params(ctx) if one.param_type_name == "argument"}
        if "engine" in asked:
            from align.engines.registry import engines

            with formatter.section("Engines, and what TO is"):
                formatter.write_dl([(engine.name, engine.to) for engine in engines().values()])
        if "what" in asked:
            from align.tasks.task import tasks

            with formatter.section("Tasks"):
                formatter.write_dl([(f"{task.name}=PATH", task.asks) for task in tasks().values()])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, options, options of the encoder."""
        records = [(parameter, parameter.get_help_record(ctx)) for parameter in self.get_params(ctx)]
        loads = any(parameter.name == "model" for parameter, _ in records)
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Encoder": []}
        for parameter, record in records:
            if record is not None:
                record = (SEVERAL.sub(_one_by_one, record[0]), record[1])
                kind = "Encoder" if loads and parameter.name in ENCODER else "Options"
                sections["Arguments" if parameter.param_type_name == "argument" else kind].append(record)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples."""
        words = ctx.command_path.removeprefix(ctx.find_root().command_path).strip()
        if words in EXAMPLES:
            with formatter.section("Examples"):
                indent = " " * formatter.current_indent
                formatter.write("".join(f"{indent}{line}\n" for line in EXAMPLES[words]))


def _one_by_one(match: re.Match[str]) -> str:
    """Values of one option as they are to be written: with spaces, where typer shows commas."""
    return " ".join(f"<{kind}>" for kind in match[1].split(","))


class Verbs(TyperGroup):
    """Verbs that are listed in their order, under the titles of :attr:`groups` if it has any."""

    groups: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the verbs, group by group."""
        return [name for group in self.groups.values() for name in group] or list(self.commands)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What it is; of the first page directly below the usage, so that this page fits a screen."""
        if self.groups:
            formatter.write(f"  {self.help}\n")
        else:
            super().format_help_text(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A section for each group: what each verb does, in a line where it fits."""
        widest = max(map(len, self.commands))
        width = formatter.width - widest - 6
        for title, group in (self.groups or {"Verbs": self.commands}).items():
            with formatter.section(title):
                rows = {name.ljust(widest): _in_short(self.commands[name].help or "", width) for name in group}
                formatter.write_dl(list(rows.items()))


def _in_short(help: str, width: int) -> str:
    """The first sentence; one that is too long for a line, up to the last colon, semicolon or comma that leaves one."""
    sentence = re.split(r"\.(?:\s|$)", " ".join(help.split("\n\n")[0].split()))[0]
    ends = [sign.start() for sign in re.finditer(r"[:;,] ", sentence) if " " in sentence[: sign.start()]]
    fitting = [end for end in ends if end <= width]
    return sentence if len(sentence) <= width or not ends else sentence[: max(fitting, default=ends[0])]


def add_verbs(app: typer.Typer, verbs: Mapping[str, Callable[..., None] | typer.Typer]) -> None:
    """Give an app its verbs, and groups of verbs, by their names."""
    for name, verb in verbs.items():
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name)
        else:
            app.command(name, cls=Verb)(verb)
