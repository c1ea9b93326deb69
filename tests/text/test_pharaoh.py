from __future__ import annotations

import pytest

from align.errors import InputError
from align.text.pharaoh import Link, read_links, written


def test_every_spelling_of_a_link():
    line = "0-1 2p3 4-5S 6-7P 8-9:0.5 10p11:1e-3"
    assert read_links(line, "x") == [
        Link(0, 1), Link(2, 3, False), Link(4, 5), Link(6, 7, False), Link(8, 9, True, 0.5), Link(10, 11, False, 0.001)
    ]  # fmt: skip
    assert read_links(" ", "x") == []
    assert written([(0, 3), (2, 1)], base=1) == "1-4 3-2"
    assert [one[:2] for one in read_links(written([(0, 3), (2, 1)]), "x")] == [(0, 3), (2, 1)]


@pytest.mark.parametrize("wrong", ["1", "-1-2", "1-x", "1_2", "1-2Q", "1-2:", "1-2:x", "1-2:--", "1 - 2"])
def test_what_is_no_link(wrong):
    with pytest.raises(InputError, match=r"gold, line 7: expected links such as 0-1, 0p1, 0-1S or 0-1P, got '"):
        read_links(f"0-0 {wrong}", "gold, line 7")
