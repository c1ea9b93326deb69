"""Which premises are the same: equal texts, and translations of each other where that can be told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from align.errors import InputError
from align.pairs.directions import ENGLISH
from align.pairs.filters.lines import SURROGATE
from align.pairs.groups import missing_group, text_group
from align.pairs.reading.nli_rows import NliRow
from align.pairs.reading.row_sources import AnyRows
from align.pairs.reading.rows import place_of


def premise_groups(rows: Sequence[NliRow]) -> list[str]:
    """``group_id`` of each row: of its premise, or of the premise of the same ``pair`` in one language.

    That language is English or, without it, the first to name the pair. Only rows of several languages are compared.
    """
    anchors: dict[str, str] = {}
    if len({row.premise_lang for row in rows}) > 1:
        for row in rows:
            if row.pair and (row.pair not in anchors or row.premise_lang == ENGLISH):
                anchors[row.pair] = _group(row)
    return [anchors.get(row.pair) or _group(row) for row in rows]


def _group(row: NliRow) -> str:
    usable = row.premise and not SURROGATE.search(row.premise)
    return text_group(row.premise) if usable else ""


class Parallel:
    """Row-aligned translations, one source after another: row i of each has the premise of row i of the first."""

    def __init__(self) -> None:
        self._first: tuple[AnyRows, list[tuple[int, str]]] | None = None
        self._groups: list[str] = []

    def groups(self, source: AnyRows, rows: Sequence[NliRow]) -> list[str]:
        """``group_id`` of each row of the next source.

        Raises:
            InputError: it has another number of rows than the first, or other labels; with the first that differs.
        """
        if self._first is None:
            self._first = (source, [(row.number, row.label) for row in rows])
            # a premise that is missing in the first source is still one premise in the others
            self._groups = [_group(row) or missing_group(source, row.number) for row in rows]
        before, expected = self._first
        for one, row in zip_longest(expected, rows):
            if one is None or row is None:
                raise InputError(
                    f"{source.name} has {len(rows)} rows and {before.name} has {len(expected)}: expected row-aligned "
                    "translations of each other"
                )
            if one[1] != row.label:
                raise InputError(
                    f"{place_of(source, row.number)} has the label {row.label or '-'}, {place_of(before, one[0])} has "
                    f"{one[1] or '-'}: expected row-aligned translations of each other"
                )
        return self._groups
