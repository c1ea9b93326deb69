"""The column ``mention``: what it may hold, and that a table keeps it."""

from __future__ import annotations

import pytest

from align import read_pairs
from align.errors import InputError
from align.pairs.mentions import mention_place

HEAD = "source\ttarget\tsource_lang\ttarget_lang\tmention\n"


@pytest.mark.parametrize(("cell", "place"), [("0-4", (0, 4)), ("4-5", (4, 5)), ("", None), (None, None)])
def test_places(cell, place):
    assert mention_place(cell, "Oslo!", "line 1") == place


@pytest.mark.parametrize("cell", ["0-6", "4-4", "4-2", "-1-2", "4", "a-b", "0:4"])
def test_no_place(cell):
    expected = "line 7: expected in the column mention characters of the source, of which there are 5, such as 0-4, got"
    with pytest.raises(InputError, match=expected):
        mention_place(cell, "Oslo!", "line 7")


def test_a_table_keeps_it_and_tells_a_wrong_one(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{HEAD}Oslo lies\tOslo\teng_Latn\tdeu_Latn\t0-4\nA city\tOslo\teng_Latn\tdeu_Latn\t\n", "utf-8")
    assert [row["mention"] or "" for row in read_pairs(path).to_list()] == ["0-4", ""]
    path.write_text(f"{HEAD}Oslo\tOslo\teng_Latn\tdeu_Latn\t2-9\n", "utf-8")
    with pytest.raises(
        InputError, match=r"pairs\.tsv, line 2: expected in the column mention .* there are 4, .* got 2-9"
    ):
        read_pairs(path)
