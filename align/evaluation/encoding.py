"""What gives a task its vectors: an encoder, every layer of one, static vectors of words, or a mix."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.evaluation.reading import content_hash
from align.tasks.bli.word_vectors import mixed
from align.tasks.embedding import Encode, remembered
from align.tasks.texts.bitext import PIVOT
from align.tasks.texts.named_files import files_by_language, language_of_name
from align.text.hashing import text_sha256
from align.vectors.static import StaticVectors, read_vectors, static_covered, static_encode

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.tasks.task import Task

log = logging.getLogger(__name__)


@dataclass
class StaticWords:
    """Static vectors of words by language, read from files when they are asked for."""

    sources: Sequence[str]
    """``CODE=FILE``, files named by their language, folders of such; or one file for all languages."""
    lowercase: bool = False
    """Fold vectors and words to lower case."""
    limit: int | None = None
    """Words of each file to read, from the top; ``None``: all."""
    only: set[str] | None = None
    """Words to read; ``None``: all."""
    _read: dict[str, StaticVectors] = field(default_factory=dict, repr=False)

    def vectors(self, language: str) -> StaticVectors:
        """Those of a language."""
        alone = self._for_all()
        key = "" if alone and language not in self._read else language
        if key not in self._read:
            path = alone or files_by_language(self.sources, [language], "static vectors")[language]
            self._read[key] = read_vectors(path, limit=self.limit, lowercase=self.lowercase, words=self.only)
        return self._read[key]

    def _for_all(self) -> Path | None:
        path = Path(self.sources[0])
        alone = len(self.sources) == 1 and path.is_file() and language_of_name(path) is None
        return path if alone else None

    def words(self, language: str) -> Sequence[str]:
        """The words of its file, in their order."""
        return self.vectors(language).words

    def among(self, words: Sequence[str], language: str) -> list[str]:
        """Those of the words that have a vector; how many have none is logged."""
        path = self._for_all() or files_by_language(self.sources, [language], "static vectors")[language]
        only = {word.lower() if self.lowercase else word for word in words}
        self._read[language] = read_vectors(path, lowercase=self.lowercase, words=only)
        kept = [word for word, has in zip(words, self.covered(words, language), strict=True) if has]
        if len(kept) < len(words):
            lacking = len(words) - len(kept)
            log.warning("%s: %d of %d words of the vocabulary have no static vector", language, lacking, len(words))
        return kept

    def __call__(self, words: Sequence[str], language: str) -> NDArray[np.float32]:
        """(n, d) vectors of words that are covered."""
        return static_encode(self.vectors(language), lowercase=self.lowercase)(words, language)

    def covered(self, words: Sequence[str], language: str) -> NDArray[np.bool_]:
        """(n,) whether each word has a vector."""
        return static_covered(self.vectors(language), lowercase=self.lowercase)(words, language)

    def identity(self) -> dict[str, Any]:
        """What decides the vectors: the files, by what they hold."""
        digests = {}
        for source in self.sources:
            path = Path(source if Path(source).exists() else source.partition("=")[2])
            for file in [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file()):
                with open(file, "rb") as opened:
                    digests[str(file)] = hashlib.file_digest(opened, "sha256").hexdigest()
        fingerprint = text_sha256(json.dumps(list(digests.values())))
        return {"fingerprint": fingerprint, "static": list(self.sources), "lowercase": self.lowercase}


@dataclass(frozen=True)
class Mixed:
    """Static vectors and those of an encoder, as unit vectors, weight * static + (1 - weight) * encoder."""

    static: StaticWords
    encoder: Encoder
    weight: float = 0.8


@dataclass(frozen=True)
class Asked:
    """How an encoder is asked for vectors, beyond what it was saved with."""

    bf16: bool = False
    template: str | None = None
    """Of words in context, see :func:`align.encoders.words.word_encoder`."""
    kind: str | None = None
    """Pooling of every layer, for tasks on layers; ``None``: an encoder's own; weighted for a decoder."""
    batch_tokens: int = 4096
    """Padded tokens of one forward pass over layers."""


def encode_of(encoder: Any, task: Task, asked: Asked = Asked()) -> Any:
    """(texts, language) -> vectors, as the task is given them; a ``Learner`` for one that learns from labels."""
    if task.inputs == "tokens":
        return words_of_sentences(encoder, asked)
    if task.inputs == "labels":
        from align.encoders.encoder import Encoder
        from align.evaluation.finetuning.learner import EncoderLearner

        if not isinstance(encoder, Encoder):
            raise InputError(f"{task.name} reads and tunes an encoder, not {type(encoder).__name__}")
        return EncoderLearner(encoder, bf16=asked.bf16)
    if isinstance(encoder, StaticWords):
        return encoder
    if isinstance(encoder, Mixed):
        return mixed(encoder.static, encode_of(encoder.encoder, task, asked), weight=encoder.weight)
    import torch

    inner = _layers(encoder, asked) if task.inputs == "layers" else _texts(encoder, task, asked)

    def encode(texts: Sequence[str], language: str) -> ArrayLike:
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=asked.bf16):
            return inner(texts, language)

    return remembered(encode, PIVOT) if task.inputs == "sentences" else encode  # sets share English, by line in Tatoeba


def _texts(encoder: Encoder, task: Task, asked: Asked) -> Encode:
    from align.encoders.words import word_encoder

    if task.inputs == "words":
        return word_encoder(encoder, template=asked.template)
    return lambda texts, language: encoder.encode(texts, language=language)


def words_of_sentences(encoder: Any, asked: Asked, layer: int | None = None) -> Any:
    """(sentences as words, language, pooling=) -> of each what :func:`align.encoders.pretokenised.word_vectors` gives.

    At a layer, or at the usual one.

    Raises:
        InputError: vectors of no encoder.
    """
    import torch

    from align.encoders.encoder import Encoder
    from align.encoders.pretokenised import usual_layer, word_vectors

    if not isinstance(encoder, Encoder):
        raise InputError("words in sentences need an encoder: static vectors and decoders are not read so")
    chosen = usual_layer(encoder) if layer is None else layer

    def encode(sentences: Sequence[Sequence[str]], language: str, *, pooling: str = "mean") -> Any:
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=asked.bf16):
            found = word_vectors(encoder, sentences, layers=[chosen], pooling=pooling)
        return [one._replace(vectors=one.vectors[0]) for one in found]

    return encode


def _layers(encoder: Any, asked: Asked) -> Encode:
    from align.encoders.layers import encode_layers

    kind = layer_kind(encoder, asked)
    return lambda texts, language: encode_layers(
        encoder, texts, language=language, kinds=[kind], batch_tokens=asked.batch_tokens
    )[kind]


def layer_kind(encoder: Any, asked: Asked) -> str:
    """Pooling of every layer: by position for a decoder, whose first tokens see little."""
    from align.encoders.decoder import Decoder

    return asked.kind or ("weighted" if isinstance(encoder, Decoder) else str(encoder.pooling.kind))


def identity_of(encoder: Any, task: Task, asked: Asked) -> dict[str, Any]:
    """All that decides the vectors, as JSON values."""
    if isinstance(encoder, Mixed):
        own = identity_of(encoder.encoder, task, asked)
        return own | {"mixed_with": encoder.static.identity(), "mix": encoder.weight}
    found: dict[str, Any] = encoder.identity()  # hashes all weights
    if task.inputs == "layers":
        found |= {"poolings": [layer_kind(encoder, asked)]}
    if task.inputs == "words" and asked.template:
        found |= {"template": asked.template}
    if task.inputs == "tokens" and hasattr(encoder, "pooling"):
        from align.encoders.pretokenised import usual_layer

        found |= {"word_layer": usual_layer(encoder)}
    return found


def keeping_lists(encode: Encode, *, rows: int = 400_000) -> Encode:
    """The function that keeps the vectors of its last lists, at most ``rows`` of them, for units that share a list.

    A list of texts is known by language and hash; the list that was not asked for the longest is forgotten first.
    """
    kept: dict[tuple[str, str], NDArray[Any]] = {}

    def encode_once(texts: Sequence[str], language: str) -> ArrayLike:
        key = (language, content_hash(list(texts)))
        vectors = kept.pop(key, None)
        if vectors is None:
            vectors = np.asarray(encode(texts, language))
        kept[key] = vectors
        while sum(one.size // one.shape[-1] for one in kept.values()) > rows and len(kept) > 1:
            kept.pop(next(iter(kept)))
        return vectors

    return encode_once


def tokenizer_hash(encoder: Any) -> str:
    """SHA-256 of all that the tokenizer does: normaliser, pieces, post-processing; "": there is none."""
    encoder = getattr(encoder, "encoder", encoder)
    tokenizer = getattr(encoder, "tokenizer", None)
    if tokenizer is None:
        return ""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return text_sha256(backend.to_str() if backend is not None else str(sorted(tokenizer.get_vocab().items())))


def words_of(static: StaticWords, vocabulary: str | None) -> Callable[[str], Sequence[str]]:
    """The vocabulary of each language: the words listed for it that have a static vector, or all that have one."""
    from align.tasks.texts.vocabulary import read_vocabulary

    def words(language: str) -> Sequence[str]:
        if not vocabulary:
            return static.words(language)
        path = files_by_language(vocabulary.split(","), [language], "vocabulary")[language]
        return static.among(read_vocabulary(path), language)

    return words


def texts_needed(task: Task, units: Iterable[Any]) -> set[str]:
    """Every text of the units that can be read."""
    found: set[str] = set()
    for unit in units:
        try:
            content = unit.load()
        except InputError:
            continue  # said when it is scored
        for _, texts in task.texts(content):
            found.update(texts)
    return found
