"""Which language a text is in, by py3langid: a test of translations that their script cannot make."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from align.errors import InputError
from align.text.languages import macrolanguage, three_letters


@dataclass(frozen=True)
class LanguageIdentifier:
    """``identifier(text)`` is the language that py3langid sees, as ISO 639-3, or ``""`` where it is not certain."""

    model: Any
    """py3langid's, with probabilities."""
    languages: frozenset[str]
    """Macrolanguages (``macrolanguage`` of ISO 639-3 codes) that it tells apart; of the others it can say nothing."""
    certainty: float
    """Least probability of a language that counts."""

    def __str__(self) -> str:
        """For the manifest."""
        return f"py3langid, certainty {self.certainty:g}"

    def __call__(self, text: str) -> str:
        """The language of one text."""
        code, probability = self.model.classify(text)
        return three_letters(code) if probability >= self.certainty else ""


def language_identifier(*, certainty: float = 0.9) -> LanguageIdentifier:
    """The identifier for ``translation_pairs(..., identify=language_identifier())``.

    Short texts of close relatives are easily taken for each other, hence the certainty. Languages that the model does
    not know (it knows some hundred) are never judged, and members of one macrolanguage (``pes``, ``prs``) pass for each
    other.

    Args:
        certainty: probability from which a language counts, in (0, 1].

    Raises:
        InputError: py3langid is not installed, or the certainty is outside its range.
    """
    if not 0 < certainty <= 1:
        raise InputError(f"certainty must lie in (0, 1], got {certainty}")
    if importlib.util.find_spec("py3langid") is None:
        raise InputError("language identification needs py3langid: pip install 'align-encoders[langid]'")
    from py3langid import langid

    model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    known = frozenset(macrolanguage(three_letters(code)) for code in model.labels)
    return LanguageIdentifier(model, known, certainty)
