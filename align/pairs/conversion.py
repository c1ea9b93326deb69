"""Conditional transliteration: each token romanised, translated or passed, as a tagger decides.

Micallef et al. (2024.eacl-long.61, arXiv:2401.16895) convert Maltese in this way: words of Arabic origin change their
script, others are translated or stay. Every token stays one token, so that labels of tokens keep their places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from align.errors import InputError
from align.files.whole import read_lines, whole_file
from align.pairs.choices import check_choices
from align.pairs.romanizers import Romanizer, chosen_romanizer, romanised_words
from align.pairs.tagging.tagger import Tagger
from align.pairs.tagging.word_tables import lexicon_keys
from align.text.languages import check_language
from align.text.normal_forms import normalised

Action = Literal["translit", "translate", "pass"]
Variant = Literal["full", "partial", "mixed"]
ACTIONS = get_args(Action)


@dataclass(frozen=True)
class Conversion:
    """What becomes of a token.

    A romanisation or translation of several words is joined by underscores. A token whose romanisation is empty (a
    combining mark alone) is passed.
    """

    variant: Variant = "partial"
    """``full``: every token is romanised. ``partial``: by its tag romanised or else passed. ``mixed``: by its tag
    romanised, translated or passed; a word that the lexicon lacks is romanised."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """``translit``, ``translate`` or ``pass`` for each tag; a tag that has the name of an action needs none."""
    lexicon: Mapping[str, str] | None = None
    """Translation of each word; case does not count (of words equal in ``normalised`` the first one holds)."""

    def __post_init__(self) -> None:
        check_choices(self)
        for tag, action in self.actions.items():
            if action not in ACTIONS:
                raise InputError(f"the action of the tag {tag!r} is one of {', '.join(ACTIONS)}; got {action!r}")
        if self.variant == "mixed" and self.lexicon is None:
            raise InputError("the variant mixed needs a lexicon to translate with")

    def action_of(self, tag: str) -> str:
        """Action of a tag in this variant."""
        action = self.actions.get(tag, tag if tag in ACTIONS else "")
        if not action:
            known = f"the actions are of {', '.join(self.actions)}" if self.actions else "no actions are given"
            raise InputError(f"the tag {tag!r} has no action: expected {', '.join(ACTIONS)}; {known}")
        return "pass" if self.variant == "partial" and action == "translate" else action


class Converted(NamedTuple):
    """Converted sentences, and ``Converter.counts`` of them."""

    sentences: list[list[str]]
    counts: dict[str, Any]


def convert(
    sentences: Iterable[Sequence[str]],
    tagger: Tagger | None = None,
    conversion: Conversion | None = None,
    *,
    lang: str,
    backend: str = "uroman",
    processes: int = 1,
    romanizer: Romanizer | None = None,
) -> Converted:
    """Convert lists of tokens: token j of sentence i stays token j of sentence i.

    Args:
        sentences: lists of tokens.
        tagger: tags each token; None with the variant ``full``, which needs no tags.
        conversion: what becomes of a token; None: partial, with actions for tags.
        lang: code of the text, such as ``rus_Cyrl``, for the romaniser, which sees each token on its own.
        backend: romaniser, as ``align.text.romanize.romanizer`` names them.
        processes: processes that romanise.
        romanizer: a function to use instead of ``backend``.

    Raises:
        InputError: an unknown language, a tag without an action, no tagger or lexicon where one is needed.
    """
    run, _ = chosen_romanizer(romanizer, backend=backend, processes=processes)
    converter = Converter(tagger, conversion or Conversion(), run)
    return Converted(converter.convert(sentences, check_language(lang)), converter.counts())


class Converter:
    """Converts text after text and counts what it does."""

    def __init__(self, tagger: Tagger | None, conversion: Conversion, romanizer: Romanizer) -> None:
        self._tagger = None if conversion.variant == "full" else tagger
        if self._tagger is None and conversion.variant != "full":
            raise InputError(f"the variant {conversion.variant} needs a tagger")
        if self._tagger and self._tagger.translated and conversion.lexicon is None:
            raise InputError("the tagger was fitted with candidate translations: give a lexicon")
        self._actions = {tag: conversion.action_of(tag) for tag in self._tagger.tags} if self._tagger else {}
        self._lexicon = lexicon_keys(conversion.lexicon or {})
        self._romanizer = romanizer
        self._counts: Counter[tuple[str, str]] = Counter()

    def convert(self, sentences: Iterable[Sequence[str]], lang: str) -> list[list[str]]:
        """Convert lists of tokens of one language.

        Raises:
            InputError: a sentence that is no list of strings, or a romaniser that loses a token.
        """
        sentences = [_checked(sentence) for sentence in sentences]
        tokens = Counter(token for sentence in sentences for token in sentence)
        outputs = dict(zip(tokens, self._outputs(tokens, lang), strict=True))
        return [[outputs[token] for token in sentence] for sentence in sentences]

    def counts(self) -> dict[str, Any]:
        """Tokens so far, by what was done to them and by tag.

        ``lexicon_misses`` were to be translated and are romanised instead; ``empty_romanisations`` were to be romanised
        and are passed; ``joined`` would have become several words.
        """

        def group(name: str) -> dict[str, int]:
            return {key: count for (kind, key), count in sorted(self._counts.items()) if kind == name}

        actions = {action: self._counts["action", action] for action in ACTIONS}
        events = {name: self._counts["event", name] for name in ("lexicon_misses", "empty_romanisations", "joined")}
        return {"tokens": sum(actions.values()), "actions": actions, "tags": group("tag")} | events

    def _outputs(self, tokens: Mapping[str, int], lang: str) -> list[str]:
        words = list(tokens)
        romanised = romanised_words(words, lang, self._romanizer)
        translated = [self._lexicon.get(normalised(word), "") for word in words]
        tags = [""] * len(words)
        if self._tagger:
            tags = self._tagger.predict(
                words,
                romanised=romanised if self._tagger.romanised else None,
                translated=translated if self._tagger.translated else None,
            )
        rows = zip(words, romanised, translated, tags, strict=True)
        return [self._output(*row, count=tokens[row[0]]) for row in rows]

    def _output(self, word: str, romanised: str, translated: str, tag: str, *, count: int) -> str:
        action = self._actions[tag] if self._tagger else "translit"
        missed = action == "translate" and not translated
        action = "translit" if missed else action
        empty = action == "translit" and not romanised
        action = "pass" if empty else action
        output = {"translit": romanised, "translate": translated, "pass": word}[action]
        one = output if output == word else "_".join(output.split())
        happened = {"lexicon_misses": missed, "empty_romanisations": empty, "joined": one != output}
        met = [("action", action), *(("event", name) for name, yes in happened.items() if yes)]
        self._counts.update(dict.fromkeys([*met, *([("tag", tag)] if self._tagger else [])], count))
        return one


def _checked(sentence: Sequence[str]) -> list[str]:
    if isinstance(sentence, str):
        raise InputError(f"expected lists of tokens, got the string {sentence!r}")
    for token in sentence:
        if not isinstance(token, str):
            raise InputError(f"expected tokens that are strings, got {type(token).__name__}")
    return list(sentence)


def convert_columns(
    source: Path | str,
    target: Path | str,
    tagger: Tagger | None = None,
    conversion: Conversion | None = None,
    *,
    lang: str,
    column: int = 1,
    backend: str = "uroman",
    processes: int = 1,
    romanizer: Romanizer | None = None,
) -> dict[str, Any]:
    r"""Write ``source`` to ``target`` with its tokens converted and all else as it is; return ``Converter.counts``.

    Lines end in ``\n``. Blank lines, and lines that begin with ``#`` and have no tab (comments of CoNLL-U), stay.

    ``source`` is text, plain or compressed: columns between tabs, a token a line; ``target`` appears whole or not at
    all. The token stands in column number ``column``, from 1 (2 in CoNLL-U). Other arguments: those of ``convert``.

    Raises:
        InputError: as ``convert``; also an empty file, a line without a tab, without this column or with nothing in it
            (file, line).
    """
    if column < 1:
        raise InputError(f"column is a number from 1, got {column}")
    run, _ = chosen_romanizer(romanizer, backend=backend, processes=processes)
    converter = Converter(tagger, conversion or Conversion(), run)
    check_language(lang)
    lines = list(read_lines(source))
    rows = {i: _columns(f"{source}, line {i + 1}", line, column) for i, line in enumerate(lines) if not _kept(line)}
    if not rows:
        raise InputError(f"{source} is empty: expected lines of columns between tabs")
    (tokens,) = converter.convert([[cells[column - 1] for cells in rows.values()]], lang)
    for token, (i, cells) in zip(tokens, rows.items(), strict=True):
        lines[i] = "\t".join([*cells[: column - 1], token, *cells[column:]])
    with whole_file(Path(target)) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)
    return converter.counts()


def _kept(line: str) -> bool:
    return not line.strip(" ") or (line.startswith("#") and "\t" not in line)


def _columns(place: str, line: str, column: int) -> list[str]:
    cells = line.split("\t")
    if len(cells) < max(2, column):
        many = f"{len(cells)} column{'s' if len(cells) > 1 else ''}"
        raise InputError(f"{place}: expected at least {max(2, column)} columns between tabs, got {many}")
    if not cells[column - 1].strip():
        raise InputError(f"{place}: expected a token in column {column}, got nothing")
    return cells
