"""Reading word similarity sets: Multi-SimLex, SimLex-999, WordSim-353, SimVerb, SemEval-2017 task 2, MUSE's files."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path

from align.errors import InputError, nearest
from align.files.archives import files_in, is_folder
from align.files.packed import plain_name
from align.files.whole import existing_file
from align.tasks.texts.named_files import USUAL_CODES
from align.tasks.texts.sts_sets import StsSet
from align.tasks.texts.wordsim_files import Pair, read_pairs, read_translations

logger = logging.getLogger(__name__)

_LABEL = "[a-z]{3}_[A-Z][a-z]{3}"
_NAMED = re.compile(rf"({_LABEL}|[A-Za-z]{{2,3}})(?:-({_LABEL}|[A-Za-z]{{2,3}}))?(?=$|[._ -])")
_CODES = {
    **USUAL_CODES, **{code.partition("_")[0]: code for code in USUAL_CODES.values()},
    "cmn": "cmn_Hans", "yue": "yue_Hant", "croatian": "hrv_Latn", "english": "eng_Latn", "german": "deu_Latn",
    "hebrew": "heb_Hebr", "italian": "ita_Latn", "russian": "rus_Cyrl",
}  # fmt: skip
"""Codes of what the published files are named by: two letters, three, or a word."""


def read_wordsim(sources: str | Path | Sequence[str | Path]) -> dict[str, StsSet]:
    """Word similarity sets by name: that of the file, without its ending.

    A source is a file, a folder of such files, or ``eng_Latn=FILE`` or ``eng_Latn-cmn_Hans=FILE`` for a file whose name
    does not say its languages. A file is one of

    - Multi-SimLex across languages: CSV with the header ``ID,CMN,ENG,PoS,score``;
    - Multi-SimLex within languages: ``translation.csv`` (columns ``ENG 1``, ``ENG 2``, ...) with ``scores.csv``
      (``ENG``, ...) beside it: a set for each language, by its code;
    - ``word TAB word TAB score``, or a header that names them (``word 1``, ``word 2``, ``score``; maybe others, in any
      order): SimLex-999, WordSim-353, SimVerb, SemEval-2017 with its phrases;
    - ``word word score`` between spaces, as MUSE has them;
    - ``<name>.data.txt`` of SemEval-2017, with ``<name>.gold.txt`` beside it or in ``../keys``.

    A name says its languages as ``CMN-ENG``, ``EN_SIMLEX-999``, ``de-es-SEMEVAL17`` or ``simlex-german`` do; the
    script is the usual one, ``cmn_Hans`` and ``yue_Hant`` for Chinese. A line that is no pair with a score is refused,
    but Multi-SimLex has pairs of score ``nan``: they are kept as such and logged, and ``wordsim`` leaves them out.

    Raises:
        InputError: no such file or layout, an unknown language, two sets of one name, a web page, a row with the wrong
            number of columns or a score that is no number (with path and line), a header whose columns cannot be told.
    """
    sets: dict[str, StsSet] = {}
    for source in [sources] if isinstance(sources, str | Path) else sources:
        for name, one in _read(source).items():
            if name in sets:
                raise InputError(f"{source}: there is a set named {name} already; expected different names")
            sets[name] = one
    if not sets:
        raise InputError("no word similarity file was given")
    return sets


def _read(source: str | Path) -> dict[str, StsSet]:
    if named := re.fullmatch(rf"({_LABEL})(?:-({_LABEL}))?=(.+)", str(source)):
        path = existing_file(named[3])
        return {_stem(path): _as_set(_stem(path), read_pairs(path), named[1], named[2] or named[1])}
    if not is_folder(source):
        return _read_file(existing_file(source))
    sets: dict[str, StsSet] = {}
    passed = []
    for path in files_in(source):
        if path.name == "scores.csv" or path.name.endswith(".gold.txt"):
            continue  # read with their words
        if path.name == "translation.csv" or (not path.is_dir() and _languages(_stem(path))):
            found = _read_file(path)
            if twice := sets.keys() & found.keys():
                raise InputError(f"{source} holds two sets named {min(twice)}; expected different names")
            sets |= found
        else:
            passed.append(path.name)
    if passed:
        logger.info("%s: %d entries name no language: %s", source, len(passed), ", ".join(passed[:5]))
    if not sets:
        raise InputError(
            f"{source} has no word similarity set: expected names such as CMN-ENG.csv, EN_SIMLEX-999.txt, "
            "simlex-german.txt or translation.csv"
        )
    return sets


def _read_file(path: Path) -> dict[str, StsSet]:
    if path.name in ("translation.csv", "scores.csv"):
        pairs = read_translations(path.with_name("translation.csv"))
        return {name: _as_set(name, rows, _code(name), _code(name)) for name, rows in pairs.items()}
    languages = _languages(_stem(path))
    if languages is None:
        raise InputError(f"the name of {path} does not say the language of its words: write eng_Latn={path}")
    return {_stem(path): _as_set(_stem(path), read_pairs(path), *languages)}


def _stem(path: Path) -> str:
    return re.sub(r"(\.data)?\.(csv|tsv|txt)$", "", plain_name(path))


def _languages(name: str) -> tuple[str, str] | None:
    """Languages of word 1 and 2 that the name of a file says."""
    if match := _NAMED.match(name):
        first, second = _code(match[1]), _code(match[2] or match[1])
    else:
        first = second = next((_code(word) for word in re.split(r"[\W_]+", name) if len(word) > 3 and _code(word)), "")
    return (first, second) if first and second else None


def _code(label: str) -> str:
    """``eng_Latn`` of ``eng_Latn``, ``ENG``, ``en`` or ``english``; empty if it is none of these."""
    return label if "_" in label else _CODES.get(label.lower(), "")


def _as_set(name: str, pairs: Sequence[Pair], first: str, second: str) -> StsSet:
    if not first:
        raise InputError(
            f"the language {name} is not known here; expected one of {', '.join(sorted(_CODES))}{nearest(name, _CODES)}"
        )
    left, right, scores = zip(*pairs, strict=True)
    lacking = [pair for pair in pairs if math.isnan(pair[2])]
    if lacking:
        logger.warning("%s: %d pairs have no score (nan), the first is %s, %s", name, len(lacking), *lacking[0][:2])
    return StsSet(scores, left, right, (first, second))
