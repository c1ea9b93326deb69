"""Letters in common: character trigrams of the two languages' texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import nan, sqrt

from align.text.normal_forms import normalised
from align.transfer.evidence import Evidence
from align.transfer.feature import Feature, Measure

N = 3


def trigrams(lines: Iterable[str]) -> Counter[str]:
    """How often each run of three characters stands in the words, a space before and behind each word.

    >>> sorted(trigrams(["Ab ab"]).items())
    [(' ab', 2), ('ab ', 2)]
    """
    counts: Counter[str] = Counter()
    for word, times in Counter(word for line in lines for word in normalised(line).split()).items():
        padded = f" {word} "
        for start in range(len(padded) - N + 1):
            counts[padded[start : start + N]] += times
    return counts


def cosines(evidence: Evidence, languages: Sequence[str]) -> Measure:
    """Cosine of the counts: sum_g a_g b_g / sqrt(sum_g a_g^2 * sum_g b_g^2); NaN without text of one of the two."""
    counts = {code: trigrams(evidence.texts[code]) for code in languages if code in evidence.texts}
    lengths = {code: sqrt(sum(times**2 for times in of.values())) for code, of in counts.items()}

    def cosine(source: str, target: str) -> float:
        if not (lengths.get(source) and lengths.get(target)):
            return nan
        one, other = counts[source], counts[target]
        return sum(times * other[gram] for gram, times in one.items()) / (lengths[source] * lengths[target])

    return cosine


FEATURE = Feature(
    "trigrams", "lexical", cosines, lambda evidence: "" if evidence.texts else "trigrams need texts (--text)"
)
