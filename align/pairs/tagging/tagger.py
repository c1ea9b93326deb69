"""A tagger of single tokens: what the training text says of a word, or a guess by its form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.whole import read_json, write_json
from align.pairs.tagging.tokens import token_features
from align.similarity.logistic import minimise
from align.text.normal_forms import normalised

FORMAT, VERSION = "align-tagger", 1
Texts = Sequence[str] | None
Row = tuple[str, str | None, str | None]
"""A token, its romanisation and its candidate translation, as far as they are given."""


@dataclass(frozen=True, eq=False)
class Tagger:
    """A fitted tagger; ``Tagger.fit`` makes it. The tag of a token does not depend on its neighbours."""

    tags: tuple[str, ...]
    """Sorted."""
    seen: Mapping[str, str]
    """Tag of each token that has had this one only."""
    features: tuple[str, ...]
    """(d,) names, sorted; ``token_features`` gives their values."""
    weights: NDArray[np.float64]
    """(d, c) of the logistic regression."""
    bias: NDArray[np.float64]
    """(c,)."""
    closed: frozenset[str] = frozenset()
    """Words of closed classes, normalised."""
    romanised: bool = False
    """Whether it was fitted with romanisations, and so needs them."""
    translated: bool = False
    """Whether it was fitted with candidate translations, and so needs them."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from and how good it is, for manifests; saved with it."""

    @classmethod
    def fit(
        cls,
        tokens: Sequence[str],
        tags: Sequence[str],
        *,
        romanised: Texts = None,
        translated: Texts = None,
        closed: Iterable[str] = (),
        penalty: float | None = None,
    ) -> Tagger:
        """Fit on labelled tokens.

        A token met with exactly one tag has that tag ever after. Any other has the most probable tag of a multinomial
        logistic regression on ``token_features``, fitted on all tokens.

        Args:
            tokens: (n,) in any order.
            tags: (n,) their tags.
            romanised: (n,) their romanisations; None: no distances to them.
            translated: (n,) their candidate translations, ``""`` where there is none; None: no distances to them.
            closed: words of closed classes (articles, pronouns, prepositions).
            penalty: of ``minimise``; None: 1 / n, which is C = 1 in the terms of scikit-learn.

        Raises:
            InputError: no token, unequal lengths, or a penalty that is not above 0.
        """
        rows = _rows(tokens, romanised, translated)
        if not rows or len(tags) != len(rows):
            raise InputError(f"expected at least one token and a tag for each, got {len(rows)} and {len(tags)} tags")
        if penalty is None:
            penalty = 1 / len(rows)
        if not penalty > 0:
            raise InputError(f"penalty must be above 0, got {penalty}")
        names, words = tuple(sorted(set(tags))), frozenset(normalised(word) for word in closed)
        met: dict[str, set[str]] = {}
        table: dict[Row, NDArray[np.float64]] = {}
        for row, tag in zip(rows, tags, strict=True):
            met.setdefault(row[0], set()).add(tag)
            table.setdefault(row, np.zeros(len(names)))[names.index(tag)] += 1
        values = [_features(row, words) for row in table]
        features = tuple(sorted(set().union(*values)))
        counts = np.stack(list(table.values()))
        weights, bias = minimise(_matrix(values, features), counts, penalty=penalty)
        seen = {token: next(iter(found)) for token, found in met.items() if len(found) == 1}
        return cls(names, seen, features, weights, bias, words, romanised is not None, translated is not None)

    def predict(self, tokens: Sequence[str], *, romanised: Texts = None, translated: Texts = None) -> list[str]:
        """The tag of each token; of equally probable ones the first in ``tags``.

        Args:
            tokens: (n,).
            romanised: (n,) as in ``fit``.
            translated: (n,) as in ``fit``.

        Raises:
            InputError: unequal lengths, or it was fitted with what is not given here, or the reverse.
        """
        for name, needed, given in (
            ("romanisations", self.romanised, romanised),
            ("candidate translations", self.translated, translated),
        ):
            if needed != (given is not None):
                fitted, asked = ("with", "none") if needed else ("without", "some")
                raise InputError(f"the tagger was fitted {fitted} {name} of the tokens, got {asked}")
        rows = _rows(tokens, romanised, translated)
        unknown = list(dict.fromkeys(row for row in rows if row[0] not in self.seen))
        values = [_features(row, self.closed) for row in unknown]
        scores = _matrix(values, self.features) @ self.weights + self.bias  # (m, c)
        guessed = {row: self.tags[best] for row, best in zip(unknown, np.argmax(scores, axis=1), strict=True)}
        return [self.seen[row[0]] if row[0] in self.seen else guessed[row] for row in rows]

    def save(self, path: Path | str) -> None:
        """Write the tagger as JSON, whole or not at all."""
        weights = dict(zip(self.features, self.weights.tolist(), strict=True))
        head = {"format": FORMAT, "version": VERSION, "tags": self.tags, "facts": self.facts}
        head |= {"closed": sorted(self.closed), "romanised": self.romanised, "translated": self.translated}
        write_json(Path(path), head | {"seen": self.seen, "bias": self.bias.tolist(), "weights": weights})

    @classmethod
    def load(cls, path: Path | str) -> Tagger:
        """Read what ``save`` wrote; it predicts the same.

        Raises:
            InputError: no such file, not JSON, or no complete tagger.
        """
        value = read_json(Path(path))
        if not isinstance(value, dict) or (value.get("format"), value.get("version")) != (FORMAT, VERSION):
            raise InputError(f"{path}: expected format {FORMAT!r}, version {VERSION}")
        try:
            tags, features = tuple(value["tags"]), tuple(sorted(value["weights"]))
            rows = [value["weights"][name] for name in features]
            weights = np.array(rows, dtype=np.float64).reshape(len(features), len(tags))
            bias = np.array(value["bias"], dtype=np.float64).reshape(len(tags))
            candidates = bool(value["romanised"]), bool(value["translated"])
            seen, closed, facts = dict(value["seen"]), frozenset(value["closed"]), dict(value["facts"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a complete tagger: {error!r}") from error
        if not (np.isfinite(weights).all() and np.isfinite(bias).all() and tags and {*seen.values()} <= {*tags}):
            raise InputError(f"{path} is not a complete tagger: expected finite weights and known tags")
        return cls(tags, seen, features, weights, bias, closed, *candidates, facts)


def _rows(tokens: Sequence[str], romanised: Texts, translated: Texts) -> list[Row]:
    for texts in (romanised, translated):
        if texts is not None and len(texts) != len(tokens):
            raise InputError(f"expected a text for each of {len(tokens)} tokens, got {len(texts)}")
    nothing = [None] * len(tokens)
    return list(zip(tokens, romanised or nothing, translated or nothing, strict=True))


def _features(row: Row, closed: frozenset[str]) -> dict[str, float]:
    token, romanised, translated = row
    return token_features(token, closed=closed, romanised=romanised, translated=translated)


def _matrix(values: Sequence[Mapping[str, float]], features: Sequence[str]) -> Any:
    """(m, d) sparse array of the known features."""
    from scipy.sparse import csr_array  # 0.2 s to import

    columns = {name: column for column, name in enumerate(features)}
    cells = [
        (i, columns[name], value) for i, row in enumerate(values) for name, value in row.items() if name in columns
    ]
    where = [cell[0] for cell in cells], [cell[1] for cell in cells]
    return csr_array(([cell[2] for cell in cells], where), shape=(len(values), len(features)), dtype=np.float64)
