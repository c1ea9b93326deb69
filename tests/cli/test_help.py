"""What ``--help`` shows: groups of verbs, options of the encoder apart, examples that are true."""

from __future__ import annotations

import shlex
from functools import partial

import pytest
import typer

from align import cli
from align.cli.options.examples import EXAMPLES


def leaves(group, *before):
    """Every verb of the command line: what is typed, and the command."""
    for name, command in group.commands.items():
        words = (*before, name)
        yield from leaves(command, *words) if hasattr(command, "commands") else [(" ".join(words), command)]


VERBS = dict(leaves(typer.main.get_command(cli.app)))


def test_every_verb_stands_in_one_group(align):
    lines = align("--help").out.splitlines()
    found, title = {}, ""
    for line in lines:
        if line.endswith(":") and not line.startswith(" "):
            title = line[:-1]
            found[title] = []
        elif line.startswith("  ") and line[2:3].strip() and title:
            found[title].append(line.split()[0])
    assert list(found) == ["Options", "Prepare", "Train", "Measure", "Search"]
    named = [name for title, names in found.items() if title != "Options" for name in names]
    assert sorted(named) == sorted({verb.split()[0] for verb in VERBS})
    assert found["Train"] == ["train", "recipe", "lab", "head", "map", "merge", "route", "demo"]
    assert len(lines) < 54 and max(map(len, lines)) < 110 and "..." not in "".join(lines[1:])


@pytest.mark.parametrize("group", ["pairs", "head"])
def test_a_group_lists_its_verbs_in_words_of_whole_sentences(group, align):
    printed = align(group, "--help").out
    for verb in VERBS:
        if verb.startswith(f"{group} "):
            assert f"\n  {verb.split()[1]} " in printed


def test_every_verb_ends_with_examples(align):
    assert set(EXAMPLES) == set(VERBS)
    for verb, lines in EXAMPLES.items():
        printed = align(*verb.split(), "--help").out
        assert printed.endswith("\nExamples:\n" + "".join(f"  {line}\n" for line in lines)), verb


def noted(called, verb, /, **_):
    called.append(verb)


def test_examples_are_what_their_verb_understands():
    for verb, lines in EXAMPLES.items():
        for line in lines:
            root, called = typer.main.get_command(cli.app), []
            for name, command in leaves(root):
                command.callback = partial(noted, called, name)
            program, *words = shlex.split(line.partition(" > ")[0])
            assert program == "align"
            root.main(["-q", *words], standalone_mode=False)
            assert called == [verb], line


def test_the_options_of_the_encoder_stand_apart(align):
    assert "[default: 0 5]" in " ".join(align("pairs", "sts", "--help").out.split())  # as it is to be written
    before, _, encoder = align("eval", "--help").out.partition("\nEncoder:\n")
    for name in ("--layer", "--revision", "--device", "--max-tokens", "--attention"):
        assert f"\n  {name} " in f"\n{encoder}" and f"\n  {name} " not in before
    assert "\n  --protocol " in before and "\n  --protocol " not in encoder
    assert "\nEncoder:\n" not in align("romanize", "--help").out  # its --backend is another


@pytest.mark.parametrize(("verb", "shown"), [("sts", "--scale <float> <float>"), ("negatives", "--ranks <int> <int>")])
def test_values_of_one_option_are_shown_as_they_are_written(align, verb, shown):
    assert shown in align("pairs", verb, "--help").out
