"""Which language a file of words is of, by its name: ``deu_Latn.txt.gz``, ``de_vocab.txt.gz``, ``en-de.test.tsv``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from align.errors import InputError, there_are
from align.files.archives import files_in, is_folder, is_there
from align.text.languages import DEPRECATED, check_language
from align.text.tags import locale_language

Pair = tuple[str, str]

_USUAL = """
af afr_Latn am amh_Ethi ar ara_Arab as asm_Beng az aze_Latn be bel_Cyrl bg bul_Cyrl bn ben_Beng bs bos_Latn ca cat_Latn
cs ces_Latn cy cym_Latn da dan_Latn de deu_Latn el ell_Grek en eng_Latn eo epo_Latn es spa_Latn et est_Latn eu eus_Latn
fa fas_Arab fi fin_Latn fr fra_Latn ga gle_Latn gl glg_Latn gu guj_Gujr ha hau_Latn he heb_Hebr hi hin_Deva hr hrv_Latn
hu hun_Latn hy hye_Armn id ind_Latn ig ibo_Latn is isl_Latn it ita_Latn ja jpn_Jpan ka kat_Geor kk kaz_Cyrl km khm_Khmr
kn kan_Knda ko kor_Hang ky kir_Cyrl la lat_Latn lo lao_Laoo lt lit_Latn lv lav_Latn mk mkd_Cyrl ml mal_Mlym mn mon_Cyrl
mr mar_Deva ms msa_Latn my mya_Mymr ne nep_Deva nl nld_Latn no nor_Latn or ori_Orya pa pan_Guru pl pol_Latn ps pus_Arab
pt por_Latn ro ron_Latn ru rus_Cyrl si sin_Sinh sk slk_Latn sl slv_Latn so som_Latn sq sqi_Latn sr srp_Cyrl sv swe_Latn
sw swa_Latn ta tam_Taml te tel_Telu tg tgk_Cyrl th tha_Thai tl tgl_Latn tr tur_Latn uk ukr_Cyrl ur urd_Arab uz uzb_Latn
vi vie_Latn xh xho_Latn yo yor_Latn zh zho_Hans zu zul_Latn
"""
USUAL_CODES: Mapping[str, str] = dict(re.findall(r"([a-z]{2})\s+(\w{3}_\w{4})", _USUAL))
"""Code of a language with its usual script, for the two letters that word lists are named with."""

_LABEL = r"[a-z]{3}_[A-Z][a-z]{3}|[a-z]{2}"
_ONE = re.compile(rf"(?<![A-Za-z0-9])({_LABEL})(?![A-Za-z0-9])")
_TWO = re.compile(rf"(?<![A-Za-z0-9])({_LABEL})-({_LABEL})(?![A-Za-z0-9])")
_ENDING = re.compile(r"(\.(txt|tsv|vec|trans|gz|zst|xz|bz2|npy))+$")


def language_code(label: str) -> str:
    """The code of ``de`` or ``deu_Latn``; of withdrawn codes, too.

    >>> language_code("he"), language_code("iw")
    ('heb_Hebr', 'heb_Hebr')

    Raises:
        InputError: no such code, or two letters whose usual script is not known here.
    """
    withdrawn = locale_language(label) if label in DEPRECATED else ""
    return withdrawn or USUAL_CODES.get(label) or check_language(label)


def language_of_name(path: Path) -> str | None:
    """The language that a file or folder is named by, the first of them; ``None``: by none."""
    labels = _ONE.findall(_ENDING.sub("", path.name))
    return next((_known(label) for label in labels if _known(label)), None)


def pair_of_name(path: Path) -> Pair | None:
    """The languages that a dictionary is named by: ``eng_Latn-deu_Latn.tsv``, ``x.test.en-de.tsv``; or ``None``."""
    for first, second in _TWO.findall(_ENDING.sub("", path.name)):
        one, two = _known(first), _known(second)
        if one and two:
            return one, two
    return None


def files_by_language(paths: Sequence[Path | str], languages: Sequence[str], what: str) -> dict[str, Path]:
    """A file for each of ``languages``: ``CODE=PATH``, files named by their language, or folders of such.

    Args:
        paths: where to look, in this order; of a folder only the entries themselves.
        languages: codes.
        what: is read from them, for the sentence: ``vocabulary``.

    Raises:
        InputError: no such file, one without a language, a language that has none or two.
    """
    found: dict[str, list[Path]] = {}
    for given in paths:
        label, equals, name = str(given).partition("=")
        if equals and "/" not in label and not is_there(given):
            found.setdefault(language_code(label), []).append(Path(name))
            continue
        path = Path(given)
        if not is_there(path):
            raise InputError(f"no such file or folder: {path}")
        inside = [file for file in files_in(path) if file.name[0] != "."] if is_folder(path) else []
        named = [(language_of_name(file), file) for file in inside]
        if not any(code for code, _ in named):  # a file, or a folder that is the vectors of one language
            named = [(language_of_name(path), path)]
        if not any(code for code, _ in named):
            raise InputError(f"{path}: no name in it holds a language such as deu_Latn; give CODE={path}")
        for code, file in named:
            if code is not None:
                found.setdefault(code, []).append(file)
    for code in languages:
        if code not in found:
            given = ", ".join(map(str, paths))
            raise InputError(f"no {what} of {code} in {given}; there are those of {there_are(code, sorted(found))}")
        if len(found[code]) > 1:
            raise InputError(f"two files are the {what} of {code}: {found[code][0]} and {found[code][1]}; give one")
    return {code: found[code][0] for code in languages}


def _known(label: str) -> str | None:
    try:
        return language_code(label)
    except InputError:
        return None
