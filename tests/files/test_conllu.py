"""CoNLL-U as people have it: multiword tokens, empty nodes, comments, CRLF, no blank line at the end."""

from __future__ import annotations

import pytest

from align.errors import InputError
from align.files.conllu import read_conllu

CELLS = "_\t" * 7 + "_"


def word(number, form, upos="NOUN"):
    return f"{number}\t{form}\t_\t{upos}\t_\t_\t_\t_\t_\tSpaceAfter=No"


LINES = [
    "# newpar", "# sent_id = a-1", "# text = Zum Haus # 3", word("1-2", "Zum", "_"), word(1, "zu", "ADP"),
    word(2, "dem", "DET"), word(3, "Haus"), word("3.1", "ist", "VERB"), word(4, "#", "SYM"), word(5, "New York"), "",
    "", "# sent_id = leer", "", word(1, "Ja"),
]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_by_hand(tmp_path, end):
    path = tmp_path / "a.conllu"
    path.write_bytes(end.join(LINES).encode())
    first, empty, last = read_conllu(path)
    assert first.column("form") == ("zu", "dem", "Haus", "#", "New York")
    assert first.column("upos") == ("ADP", "DET", "NOUN", "SYM", "NOUN")
    assert first.column("misc") == ("SpaceAfter=No",) * 5
    assert (first.name, first.text, first.lines) == ("a-1", "Zum Haus # 3", (5, 6, 7, 9, 10))
    assert (empty.rows, empty.name) == ((), "leer")
    assert (last.column("form"), last.name, last.lines) == (("Ja",), "", (15,))


def test_nothing_is_no_sentence(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("\n\n")
    assert list(read_conllu(path)) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1\tJa\tja"], "a.conllu, line 1: expected ten cells between tabs (CoNLL-U), got 3: '1\\tJa\\tja'"),
        ([word(1, "Ja"), word(3, "so")], "a.conllu, line 2: expected word 2 of the sentence, got id '3'"),
        ([word(0, "Ja")], "line 1: expected word 1 of the sentence, got id '0'"),
        ([word(1, " ")], "line 1: word 1 has no form"),
    ],
)
def test_other_files_are_refused(tmp_path, lines, said):
    path = tmp_path / "a.conllu"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as refused:
        list(read_conllu(path))
    assert said in str(refused.value)
