"""Language families, by ISO 639-3 code: the top level of Glottolog, creoles and constructed languages apart."""

from __future__ import annotations

import functools
from importlib.resources import files


@functools.cache
def _families() -> dict[str, str]:
    table = files("align").joinpath("data/families.tsv").read_text(encoding="utf-8")
    lines = (line.partition("\t") for line in table.splitlines())
    return {code: family for family, _, codes in lines for code in codes.split()}


def family(language: str) -> str | None:
    """Family of ``hin`` or ``hin_Deva``; ``None``: not known here.

    >>> family("hin_Deva"), family("qaa")
    ('Indo-European', None)
    """
    return _families().get(language.partition("_")[0])
