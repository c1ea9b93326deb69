"""Which of two encoders reads a text: romanised text of the languages that were named has an encoder of its own.

align.json            the rule (``route``); modules.json and router_config.json are for sentence-transformers
native/, romanised/   the two encoders, each as save_encoder writes one
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from align.errors import InputError
from align.files.nested import differences
from align.text.languages import check_language, check_script, dominant_script

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

UNKNOWN = "und"
"""ISO 639-3: undetermined; the language of a text for which none is given."""
NATIVE, ROMANISED = "native", "romanised"  # folders, and tasks of sentence-transformers


class Route(nn.Module):
    """An encoder for romanised text, and which text that is.

    A text is romanised if most of its letters are Latin and its language, whatever script its code names, is one of
    ``languages``. Where no language is given it is ``und``, so that ``und_Latn`` among them takes in all such text.
    So is a text most of whose letters are of one of ``scripts``, which the encoders romanise before they read it. Any
    other text is not, whatever language is said.

    Args:
        encoder: of romanised text; it differs from the one that has the route in its weights alone.
        languages: codes in Latin script, such as hin_Latn.
        scripts: ISO 15924 codes, such as Tibt.

    Raises:
        InputError: no language and no script, an unknown one, or a language of another script.
    """

    def __init__(self, encoder: Encoder, languages: Sequence[str] = (), scripts: Sequence[str] = ()) -> None:
        super().__init__()
        wrong = [code for code in map(check_language, languages) if not code.endswith("_Latn")]
        if wrong or not (languages or scripts):
            named = wrong[0] if wrong else "none"
            raise InputError(f"romanised text has codes in Latin script, such as hin_Latn, got {named}")
        self.encoder, self.languages = encoder, tuple(sorted(set(languages)))
        self.scripts = tuple(sorted(set(map(check_script, scripts))))
        self._iso = {code.partition("_")[0] for code in self.languages}

    def check(self, native: Encoder) -> None:
        """Refuse an encoder of other vectors than those that the romanised one learnt.

        Raises:
            InputError: the fields in which they differ beside the weights are named.
        """
        first, second = ({**one.identity(), "fingerprint": None, "route": None} for one in (native, self.encoder))
        differ = differences(first, second, "of native text", "of romanised text")
        if not differ and native.tokenizer.get_vocab() != self.encoder.tokenizer.get_vocab():
            differ = "their tokenizers"
        if differ:
            raise InputError(f"the two encoders may differ in their weights alone, they differ in {differ}")
        if native.offsets or self.encoder.offsets or native.route or self.encoder.route:
            raise InputError("an encoder of a route takes no offsets off, and has no route of its own")

    def romanised(self, texts: Sequence[str], language: str | Sequence[str] | None) -> NDArray[np.bool_]:
        """(n,) whether each text is romanised; arguments as of ``Encoder.encode``.

        Raises:
            InputError: another number of languages than of texts.
        """
        given = [language or ""] * len(texts) if language is None or isinstance(language, str) else list(language)
        if len(given) != len(texts):
            raise InputError(f"{len(texts)} texts but {len(given)} languages: expected one for each text")
        named = ((code or UNKNOWN).partition("_")[0] in self._iso for code in given)
        here = (self._reads(text, has) for text, has in zip(texts, named, strict=True))
        return np.fromiter(here, dtype=bool, count=len(texts))

    def _reads(self, text: str, named: bool) -> bool:
        script = dominant_script(text) if named or self.scripts else ""
        return (named and script == "Latn") or script in self.scripts

    def encode(
        self,
        native: Encoder,
        texts: Sequence[str],
        language: str | Sequence[str] | None,
        vectors: NDArray[Any],
        encode: Callable[[Encoder, Sequence[str]], NDArray[Any]],
    ) -> NDArray[Any]:
        """Each text's vector by its encoder, written to its row of ``vectors``, which are returned.

        The texts that are not romanised are encoded as if the others were not there.
        """
        if vectors.shape != (len(texts), native.dimension):
            shape = (len(texts), native.dimension)
            raise InputError(f"expected an array of shape {shape} to write the vectors to, got {vectors.shape}")
        self.encoder.prompt, self.encoder.attention = native.prompt, native.attention
        romanised = self.romanised(texts, language)
        for encoder, chosen in ((native, ~romanised), (self.encoder, romanised)):
            here = np.flatnonzero(chosen)
            if len(here):
                vectors[here] = encode(encoder, [texts[i] for i in here.tolist()])
        return vectors

    def identity(self) -> dict[str, Any]:
        """What of it decides a vector."""
        scripts = {"scripts": list(self.scripts)} if self.scripts else {}
        return {"fingerprint": self.encoder.fingerprint(), "languages": list(self.languages)} | scripts


def refuse_route(encoder: Any, what: str) -> None:
    """For what knows of one encoder only, whose weights are the same for all texts.

    Raises:
        InputError: it has two, or a mixture of adapters.
    """
    if getattr(getattr(encoder, "body", None), "mixture", None) is not None:
        raise InputError(
            f"{encoder.name} has a mixture of adapters, which the text decides between, so that they cannot be merged: "
            f"give {what} an encoder without"
        )
    if getattr(encoder, "route", None) is not None:
        raise InputError(f"{encoder.name} is two encoders, of native and of romanised text: give one to {what}")
