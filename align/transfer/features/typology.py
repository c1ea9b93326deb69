"""Typology: how alike grammar, sounds, family and place of two languages are, from the tables of lang2vec (URIEL).

The tables are read where the extra ``typology`` has put them, and never copied: they are CC BY-SA 4.0. The package
itself is not imported: it needs a module (pkg_resources) that setuptools has dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from math import nan
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.text.languages import macrolanguage
from align.transfer.evidence import Evidence
from align.transfer.feature import Feature, Measure

PACKAGE = "lang2vec"
SETS = {
    "syntax": ("feature_predictions.npz", "S_"),
    "phonology": ("feature_predictions.npz", "P_"),
    "inventory": ("feature_predictions.npz", "INV_"),
    "family": ("family_features.npz", "F_"),
    "geography": ("geocoord_features.npz", "GC_"),
}
"""Feature -> the file, and how the names of its columns begin. What is predicted (k nearest neighbours) has no gaps."""


def lacks(evidence: Evidence) -> str:
    """That lang2vec is not installed, and what installs it; ``""``: it is."""
    return "" if tables() else "typology needs lang2vec: pip install 'align-encoders[typology]'"


def tables() -> Path | None:
    """The folder of the tables; ``None``: the package is not installed."""
    try:
        folder = Path(str(distribution(PACKAGE).locate_file(f"{PACKAGE}/data")))
    except PackageNotFoundError:
        return None
    return folder


def vectors(name: str, languages: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The vector of each language that the table has; of one that it lacks, that of its macrolanguage.

    Raises:
        InputError: the table is not where lang2vec 1.1 has it.
    """
    file, prefix = SETS[name]
    path = (tables() or Path()) / file
    try:
        with open(path, "rb") as opened, np.load(opened) as table:
            rows = {code: row for row, code in enumerate(table["langs"].tolist())}
            columns = [column.startswith(prefix) for column in table["feats"].tolist()]
            values = table["data"][..., 0]  # one source a table
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path} is no table of lang2vec 1.1 ({error}): pip install 'lang2vec>=1.1'") from error
    found = {}
    for language in languages:
        own = language.partition("_")[0]
        row = rows.get(own, rows.get(macrolanguage(own)))
        if row is not None:
            found[language] = values[row, columns].astype(np.float64)
    return found


def cosines(name: str, evidence: Evidence, languages: Sequence[str]) -> Measure:
    """cos(a, b) = a . b / (|a| |b|) of the two languages' vectors in one table; NaN if one has none, or only zeros."""
    units: Mapping[str, NDArray[np.float64]] = {
        code: vector / length
        for code, vector in vectors(name, languages).items()
        if (length := float(np.linalg.norm(vector)))
    }
    return lambda source, target: float(units[source] @ units[target]) if {source, target} <= units.keys() else nan


FEATURES = tuple(Feature(name, "typology", partial(cosines, name), lacks) for name in SETS)
