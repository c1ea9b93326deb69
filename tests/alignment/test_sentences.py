from __future__ import annotations

import pytest

from align.alignment.sentences import read_parallel, read_sentences
from align.errors import InputError

CONLLU = """# sent_id = a1
# text = don't go
1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tdo\t_\t_\t_\t_\t_\t_\t_\t_
2\tn't\t_\t_\t_\t_\t_\t_\t_\t_
2.1\tnever\t_\t_\t_\t_\t_\t_\t_\t_
3\tgo\t_\t_\t_\t_\t_\t_\t_\t_

# sent_id = a2
1\tYes\t_\t_\t_\t_\t_\t_\t_\t_
"""


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("split", "line", "words"), [
    ("spaces", "a  b\t\u3000 c.", ["a", "b", "\u3000", "c."]),
    ("words", "l’eau, n't हिन्दी 3.5!", ["l’eau", ",", "n't", "हिन्दी", "3", ".", "5", "!"]),
    ("characters", "天狗の ก็ a", ["天", "狗", "の", "ก็", "a"]),
])  # fmt: skip
def test_lines_become_words(tmp_path, split, line, words):
    path = written(tmp_path, "a.txt", f"{line}\n\nx\n")
    assert [one.words for one in read_sentences(path, split=split)] == [words, [], ["x"]]
    assert [one.line for one in read_sentences(path, split=split)] == [1, 2, 3]


def test_syntactic_words_of_conllu(tmp_path):
    one, two = read_sentences(written(tmp_path, "a.conllu", CONLLU))
    assert one[:3] == (["do", "n't", "go"], 1, "a1")
    assert two[:3] == (["Yes"], 9, "a2")


@pytest.mark.parametrize(("line", "sentence"), [
    ("3\tgo", "line 7: expected the 10 columns of CoNLL-U, got 2"),
    ("4\tgo\t_\t_\t_\t_\t_\t_\t_\t_", "line 7: expected word 3, got '4'"),
    ("x\tgo\t_\t_\t_\t_\t_\t_\t_\t_", "line 7: expected the number of a word, got 'x'"),
])  # fmt: skip
def test_damaged_conllu(tmp_path, line, sentence):
    path = written(tmp_path, "a.conllu", CONLLU.replace("3\tgo\t_\t_\t_\t_\t_\t_\t_\t_", line))
    with pytest.raises(InputError, match=f"a.conllu, {sentence}"):
        list(read_sentences(path))


def test_parallel_files(tmp_path):
    one, other = written(tmp_path, "a.txt", "a b\n\nc\n"), written(tmp_path, "b.txt", "A\nB\nC\n")
    assert [(a.words, b.words) for a, b in read_parallel(one, other)] == [
        (["a", "b"], ["A"]),
        ([], ["B"]),
        (["c"], ["C"]),
    ]
    short = written(tmp_path, "c.txt", "A\nB\n")
    for files in ((one, short), (short, one)):
        with pytest.raises(InputError, match=r"a.txt has more sentences than .*c.txt, which ends after 2"):
            list(read_parallel(*files))
    first, second = (
        written(tmp_path, name, CONLLU.replace("a2", id_)) for name, id_ in (("1.conllu", "a2"), ("2.conllu", "a3"))
    )
    with pytest.raises(InputError, match=r"sentence 2 is 'a2' in .*1.conllu, line 9, and 'a3' in .*2.conllu, line 9"):
        list(read_parallel(first, second))
    with pytest.raises(
        InputError, match="unknown splitter 'word': expected one of spaces, words, characters; did you mean words"
    ):
        list(read_sentences(one, split="word"))
