"""The module of sentence-transformers that romanises text in scripts which its tokenizer cannot read.

It stands first in ``modules.json`` of an encoder that was saved with a fallback. It is no part of
sentence-transformers, which therefore asks for the user's word, and needs this package installed:
``SentenceTransformer(folder, trust_remote_code=True)``. Nothing of it lies in the folder but the names of scripts and
romaniser, in ``sentence_bert_config.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from sentence_transformers.sentence_transformer.modules import Transformer

from align.encoders.fallback import Fallback
from align.text.romanize.registry import DEFAULT


class RomanisingTransformer(Transformer):
    """A Transformer that gives its tokenizer what :class:`align.encoders.fallback.Fallback` makes of the texts.

    Args:
        romanised_scripts: ISO 15924 codes.
        romanizer: a name of our romanisers.
        given: arguments of ``Transformer``.
    """

    config_keys: ClassVar[list[str]] = [*Transformer.config_keys, "romanised_scripts", "romanizer"]

    def __init__(
        self, *given: Any, romanised_scripts: Sequence[str] = (), romanizer: str = DEFAULT, **named: Any
    ) -> None:
        super().__init__(*given, **named)
        self.romanised_scripts, self.romanizer = list(romanised_scripts), romanizer
        self._fallback = Fallback(tuple(romanised_scripts), romanizer)

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **options: Any) -> dict[str, Any]:
        """Tokenise; the prompt, which is put before a text after it was romanised, has no say in its script."""
        read = [self._fallback([text])[0] if isinstance(text, str) else text for text in inputs]
        found: dict[str, Any] = super().preprocess(read, prompt=prompt, **options)
        return found
