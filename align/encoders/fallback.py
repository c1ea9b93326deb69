"""Text in a script that the tokenizer cannot read: it is romanised before it is tokenised, all other text is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import regex

from align.errors import InputError
from align.text.languages import check_script, dominant_script
from align.text.romanize.registry import DEFAULT
from align.text.romanize.romanizer import romanize, romanizer_version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fallback:
    """Which scripts are romanised, and by what. :func:`align.scripts` fits it to a tokenizer.

    A text is romanised if most of its letters (those of one script alone; the others do not count) are of one of
    ``scripts``. Words in other scripts stay in it as they are. A text of which most letters are of another script, or
    that has none, stays whole, whatever else is in it. Nothing but the text decides: no language, no neighbour.

    Raises:
        InputError: no script, or an unknown one; a romaniser that does not exist.
    """

    scripts: tuple[str, ...]
    """ISO 15924 codes."""
    romanizer: str = DEFAULT
    """A name of :func:`align.text.romanize.registry.romanizers`; its rules for all languages are used."""
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """How it was fitted, kept in the encoder's folder."""

    def __post_init__(self) -> None:
        if not self.scripts:
            raise InputError("a fallback needs scripts to romanise, such as Tibt, got none")
        object.__setattr__(self, "scripts", tuple(sorted(set(map(check_script, self.scripts)))))
        romanizer_version(self.romanizer)

    @cached_property
    def _letter(self) -> regex.Pattern[str]:
        return regex.compile("[" + "".join(rf"\p{{sc={script}}}" for script in self.scripts) + "]")

    @cached_property
    def _kept(self) -> regex.Pattern[str]:
        """Words in other scripts."""
        return regex.compile(rf"((?:(?!{self._letter.pattern})\p{{L}}\p{{M}}*)+)")

    def romanises(self, text: str) -> bool:
        """Whether a text is one that it romanises."""
        return bool(self._letter.search(text)) and dominant_script(text) in self.scripts

    def __call__(self, texts: Iterable[str]) -> list[str]:
        """The texts as they are to be tokenised.

        >>> Fallback(("Tibt",))(["ཀ་ཁ།", "Москва ཀ"])
        ['ka·kha,', 'Москва ཀ']
        """
        found = list(texts)
        parts = {i: self._kept.split(text) for i, text in enumerate(found) if self.romanises(text)}
        roman = iter(romanize([part for some in parts.values() for part in some[::2]], backend=self.romanizer))
        for i, some in parts.items():
            some[::2] = [next(roman) for _ in some[::2]]
            found[i] = "".join(some)
        return found

    def identity(self) -> dict[str, Any]:
        """What of it decides a vector: another release of the romaniser may write otherwise."""
        return {"scripts": list(self.scripts), "romanizer": romanizer_version(self.romanizer)}

    def saved(self) -> dict[str, Any]:
        """What an encoder's folder keeps."""
        return self.identity() | {"backend": self.romanizer, "about": dict(self.about)}

    def card(self) -> str:
        """A section of a model card."""
        return CARD.format(title=TITLE, scripts=", ".join(self.scripts), romanizer=romanizer_version(self.romanizer))


TITLE = "## Scripts that the tokenizer cannot read"
CARD = """{title}

Text most of whose letters are of one of these scripts is romanised by {romanizer} before it is tokenised: {scripts}.
sentence-transformers does the same by a module of the package align-encoders, which it asks to trust:
`SentenceTransformer(folder, trust_remote_code=True)`.
"""


def opened(saved: Mapping[str, Any]) -> Fallback:
    """What :meth:`Fallback.saved` gave; a warning where the romaniser is another release than it was."""
    made = Fallback(tuple(saved["scripts"]), saved["backend"], saved["about"])
    now = romanizer_version(made.romanizer)
    if now != saved["romanizer"]:
        log.warning("the encoder was saved with %s, here is %s: text that it romanises may get other vectors",
                    saved["romanizer"], now)  # fmt: skip
    return made


def with_card(card: str, fallback: Fallback | None) -> str:
    """A model card that says what is romanised."""
    before = card.partition(TITLE)[0].rstrip()
    return card if fallback is None or TITLE in card else f"{before}\n\n{fallback.card()}"
