"""A tagger out of a labelled file, and how well one does on tokens it has not been fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.whole import sha256
from align.pairs.reading.sources import language_of_name
from align.pairs.romanizers import Romanizer, chosen_romanizer, romanised_words
from align.pairs.tagging.tagger import Tagger, Texts
from align.pairs.tagging.word_tables import described_lexicon, lexicon_keys, read_labelled
from align.text.languages import check_language
from align.text.normal_forms import normalised


def fit_tagger(
    labelled: Path | str,
    *,
    lang: str | None = None,
    lexicon: Mapping[str, str] | None = None,
    closed: Iterable[str] = (),
    penalty: float | None = None,
    folds: int = 10,
    seed: int = 0,
    backend: str = "uroman",
    processes: int = 1,
    romanizer: Romanizer | None = None,
) -> Tagger:
    """Fit a tagger on a file of ``token TAB tag`` lines, with blank lines between sentences.

    Args:
        labelled: the file, plain or compressed.
        lang: code of its text, for the romaniser; None: the name begins with it, ``mlt_Latn.tsv``.
        lexicon: candidate translations of words, for the edit distances; the tagger then needs a lexicon to predict.
        closed: words of closed classes.
        penalty: as in ``Tagger.fit``.
        folds: of the ``cross_validate`` whose result the facts of the tagger hold; 0: none.
        seed: of its split.
        backend: romaniser, as ``align.text.romanize.romanizer`` names them.
        processes: processes that romanise.
        romanizer: a function to use instead of ``backend``.

    Raises:
        InputError: no such file, a bad line in it (file, line), an unknown language, or as ``cross_validate``.
    """
    path = Path(labelled)
    sentences = read_labelled(path)
    language = check_language(lang) if lang else language_of_name(path)
    run, version = chosen_romanizer(romanizer, backend=backend, processes=processes)
    tokens, tags = zip(*(pair for sentence in sentences for pair in sentence), strict=True)
    words = list(dict.fromkeys(tokens))
    latin = dict(zip(words, romanised_words(words, language, run), strict=True))
    keys = lexicon_keys(lexicon or {})
    candidates = [keys.get(normalised(token), "") for token in tokens] if lexicon is not None else None
    options: dict[str, Any] = {"romanised": [latin[token] for token in tokens], "translated": candidates}
    options |= {"closed": tuple(closed), "penalty": penalty}
    facts: dict[str, Any] = {"labelled": str(path), "sha256": sha256(path), "lang": language, "romaniser": version}
    facts |= {"tokens": len(tokens), "sentences": len(sentences), "tags": dict(sorted(Counter(tags).items()))}
    facts |= {"lexicon": described_lexicon(lexicon), "cross_validation": None}
    if folds:
        numbers = [number for number, sentence in enumerate(sentences) for _ in sentence]
        facts["cross_validation"] = cross_validate(tokens, tags, numbers, folds=folds, seed=seed, **options)
    return replace(Tagger.fit(tokens, tags, **options), facts=facts)


def cross_validate(
    tokens: Sequence[str],
    tags: Sequence[str],
    sentences: Sequence[int] | None = None,
    *,
    folds: int = 10,
    seed: int = 0,
    romanised: Texts = None,
    translated: Texts = None,
    closed: Sequence[str] = (),
    penalty: float | None = None,
) -> dict[str, Any]:
    """Accuracy of a tagger on each fold of the tokens, fitted on the other folds.

    Args:
        tokens: (n,).
        tags: (n,).
        sentences: (n,) number of each token's sentence: sentences are split among the folds whole. None, or fewer
            sentences than folds: single tokens are.
        folds: parts of nearly equal size, drawn at random; no more than there are tokens.
        seed: of the draw.
        romanised: (n,) as in ``Tagger.fit``.
        translated: (n,) as in ``Tagger.fit``.
        closed: as in ``Tagger.fit``.
        penalty: as in ``Tagger.fit``.

    Returns:
        ``accuracy``; ``majority``, the share of the most frequent tag; ``unseen``, how many tokens stand in no other
        fold, and ``unseen_accuracy`` of these (None without any); ``tokens``, ``folds``, ``by`` and ``seed``.

    Raises:
        InputError: fewer than two folds or tokens, unequal lengths, or a negative seed.
    """
    n = len(tokens)
    if folds < 2 or n < 2 or seed < 0:
        raise InputError(
            f"cross-validation needs at least 2 folds, 2 tokens and a seed from 0; got {folds}, {n} and {seed}"
        )
    if len(tags) != n or (sentences is not None and len(sentences) != n):
        raise InputError(f"expected a tag and a sentence for each of {n} tokens, got {len(tags)} tags")
    by = "sentence" if sentences is not None and len(set(sentences)) >= folds else "token"
    fold_of = _folds(sentences if sentences is not None and by == "sentence" else range(n), min(folds, n), seed)
    right, new = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for fold in range(min(folds, n)):
        inside = np.flatnonzero(fold_of == fold).tolist()
        outside = np.flatnonzero(fold_of != fold).tolist()
        here = {"romanised": _taken(romanised, inside), "translated": _taken(translated, inside)}
        rest = {"romanised": _taken(romanised, outside), "translated": _taken(translated, outside)}
        known = [tokens[i] for i in outside]
        tagger = Tagger.fit(known, [tags[i] for i in outside], closed=closed, penalty=penalty, **rest)
        found = tagger.predict([tokens[i] for i in inside], **here)
        right[inside] = [tag == tags[i] for tag, i in zip(found, inside, strict=True)]
        met = set(known)
        new[inside] = [tokens[i] not in met for i in inside]
    return {
        "accuracy": float(right.mean()),
        "majority": max(Counter(tags).values()) / n,
        "unseen": int(new.sum()),
        "unseen_accuracy": float(right[new].mean()) if new.any() else None,
        "tokens": n,
        "folds": min(folds, n),
        "by": by,
        "seed": seed,
    }


def _folds(units: Sequence[int], folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of each token; tokens of one unit share it."""
    names, unit = np.unique(np.asarray(units), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.asarray((order % folds)[unit], dtype=np.int64)


def _taken(texts: Texts, indices: Sequence[int]) -> Texts:
    return None if texts is None else [texts[i] for i in indices]
