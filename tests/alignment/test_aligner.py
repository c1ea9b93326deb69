"""Word alignment from an encoder, as a function and as a verb."""

from __future__ import annotations

import numpy as np
import pytest
from encoder_folders import bert

from align.alignment import aligner, files
from align.alignment.aligner import word_alignments, words_linked
from align.alignment.files import aligned_lines, write_alignments
from align.encoders.checkpoint import load_encoder
from align.encoders.pretokenised import usual_layer, word_vectors
from align.errors import InputError
from align.similarity.links import Linking, Links, link

PAIRS = [
    (["abc", "no", "on"], ["no", "abc", "x"]), ([], ["a"]), (["a", "", "b"], ["b", "a"]), (["zebra"], []),
    (["xy", "z", "no", "abc"], ["abc", "xy"]),
]  # fmt: skip


@pytest.fixture
def encoder(tmp_path):
    return load_encoder(bert(tmp_path / "model"))


def by_hand(encoder, pairs, linking, *, layer, pooling="mean", means=(0, 0)):
    """One pair at a time: vectors, links of rows, words."""
    made = []
    for pair in pairs:
        (s,), (t,) = (word_vectors(encoder, [words], layers=[layer], pooling=pooling) for words in pair)
        (found,) = link([s.vectors[0] - means[0]], [t.vectors[0] - means[1]], linking)
        made.append(sorted({(int(s.words[i]), int(t.words[j])) for i, j in zip(*found[:2], strict=True)}))
    return made


@pytest.mark.parametrize("method", ["argmax", "itermax", "match", "softmax"])
@pytest.mark.parametrize("pooling", ["mean", "first", "all"])
def test_links_of_words_in_chunks(encoder, method, pooling, monkeypatch):
    monkeypatch.setattr(aligner, "CHUNK", 2)
    how = Linking(method, 0.1, probability=0.05)
    found = list(word_alignments(encoder, PAIRS, how, layer=1, pooling=pooling))
    assert [one.links for one in found] == by_hand(encoder, PAIRS, how, layer=1, pooling=pooling)
    assert all(len(one.links) == len(one.scores) and one.cut == (0, 0) for one in found)


def test_the_layer_is_two_thirds_up_unless_one_is_named(encoder):
    assert usual_layer(encoder) == 1  # of two
    assert usual_layer(load_encoder("seed")) == 3  # of four
    how = Linking("argmax")
    assert [one.links for one in word_alignments(encoder, PAIRS)] == by_hand(encoder, PAIRS, Linking(), layer=1)
    encoder.pooling = type(encoder.pooling)(layer=2)
    assert usual_layer(encoder) == 2
    assert [one.links for one in word_alignments(encoder, PAIRS, how)] == by_hand(encoder, PAIRS, how, layer=2)


def test_means_of_the_first_pairs_are_taken_off_also_where_a_run_goes_on(encoder):
    how = Linking("argmax")
    first = [word_vectors(encoder, [pair[side] for pair in PAIRS[:3]], layers=[1]) for side in (0, 1)]
    means = [np.concatenate([one.vectors[0] for one in side]).mean(0) for side in first]
    expected = by_hand(encoder, PAIRS, how, layer=1, means=means)
    found = list(word_alignments(encoder, iter(PAIRS), how, layer=1, centred=3))
    assert [one.links for one in found] == expected
    plain = next(word_alignments(encoder, PAIRS, how, layer=1))
    assert abs(found[0].scores[0] - plain.scores[0]) > 1e-4
    for start in (2, 4):
        rest = word_alignments(encoder, PAIRS, how, layer=1, centred=3, start=start)
        assert [one.links for one in rest] == expected[start:]


def test_words_are_linked_once_by_their_best_pieces():
    links = Links(np.array([0, 1, 2]), np.array([0, 0, 1]), np.array([0.25, 0.75, 0.5], dtype=np.float32))
    assert words_linked(links, np.array([4, 4, 1]), np.array([2, 3])) == ([(1, 3), (4, 2)], [0.5, 0.75])


def test_words_beyond_the_length_are_counted_and_never_linked(tmp_path, caplog):
    encoder = load_encoder(bert(tmp_path / "model"), max_tokens=6)
    (one,) = word_alignments(encoder, [(["abc", "de", "f"], ["abc", "d"])], Linking("argmax"))
    assert one.links == [(0, 0)] or one.links == [(0, 1)] or one.links == [(0, 0), (0, 1)]
    assert one.cut == (2, 0)
    for name, text in (("a", "abc de f\nabc\n"), ("b", "abc d\nx\n")):
        (tmp_path / name).write_text(text)
    list(aligned_lines(encoder, tmp_path / "a", tmp_path / "b", Linking("argmax")))
    assert f"2 words of {tmp_path / 'a'} and 0 of {tmp_path / 'b'}, in 1 lines, lie beyond the 6 tokens" in caplog.text


@pytest.fixture
def texts(tmp_path):
    for name, side in (("a.txt", 0), ("b.txt", 1)):
        lines = [" ".join(pair[side]) for pair in PAIRS * 2]
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def test_lines_stay_in_step_and_are_counted_from_one(encoder, texts):
    plain = list(aligned_lines(encoder, texts / "a.txt", texts / "b.txt", Linking()))
    assert [bool(line) for line in plain] == [True, False, True, False, True] * 2
    moved = list(aligned_lines(encoder, texts / "a.txt", texts / "b.txt", Linking(), base=1, scores=True))
    for line, other in zip(plain, moved, strict=True):
        pairs = [tuple(map(int, text.split("-"))) for text in line.split()]
        assert [text.partition(":")[0] for text in other.split()] == [f"{i + 1}-{j + 1}" for i, j in pairs]
    with pytest.raises(InputError, match="words are counted from 0 or 1, got 2"):
        list(aligned_lines(encoder, texts / "a.txt", texts / "b.txt", Linking(), base=2))


def test_an_interrupted_run_goes_on(encoder, texts, monkeypatch):
    monkeypatch.setattr(aligner, "CHUNK", 3)
    monkeypatch.setattr(files, "CHUNK", 3)
    given = (encoder, texts / "a.txt", texts / "b.txt")
    assert write_alignments(*given, texts / "whole", Linking()) == 10
    whole = (texts / "whole").read_text()
    assert whole.splitlines() == list(aligned_lines(*given, Linking()))
    seen = []

    def broken(*args, **options):
        for number, line in enumerate(aligned_lines(*args, **options)):
            if number == 7:
                raise KeyboardInterrupt
            yield line

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "aligned_lines", broken)
        write_alignments(*given, texts / "out", Linking())
    assert not (texts / "out").exists()
    with open(texts / "out.partial", "a") as file:
        file.write("0-0 half a li")
    with pytest.raises(
        InputError, match=r"out.partial is of another run, which differs in linking.method \(\"itermax\""
    ):
        write_alignments(*given, texts / "out", Linking("argmax"))

    def watched(*args, start=0, **options):
        seen.append(start)
        return aligned_lines(*args, start=start, **options)

    monkeypatch.setattr(files, "aligned_lines", watched)
    (texts / "other.partial").write_text("mine")
    with pytest.raises(
        InputError, match=r"other.partial is there without other.partial.json, which says what it is of"
    ):
        write_alignments(*given, texts / "other", Linking())
    assert write_alignments(*given, texts / "out", Linking()) == 10
    assert seen == [6]
    assert (texts / "out").read_text() == whole
    assert sorted(path.name for path in texts.glob("out*")) == ["out"]


def test_the_verb(align, tmp_path):
    for name, text in (("a.txt", "the dog .\n\nyes"), ("b.txt", "the dog .\n\nyes")):
        (tmp_path / name).write_text(text)
    assert align("words-align", "a.txt", "b.txt", "--model", "seed").out == "0-0 1-1 2-2\n\n0-0\n"
    align("words-align", "a.txt", "b.txt", "--model", "seed", "--base", 1, "--out", "out.pharaoh", "--centred", 2)
    assert (tmp_path / "out.pharaoh").read_text() == "1-1 2-2 3-3\n\n1-1\n"
    (tmp_path / "b.txt").write_text("one\n")
    printed = align("words-align", "a.txt", "b.txt", "--model", "seed", code=2)
    assert (
        printed.err == "align: a.txt has more sentences than b.txt, which ends after 1: expected a line for each line\n"
    )
    assert (
        "unknown method of word alignment 'max'"
        in align("words-align", "a.txt", "b.txt", "-m", "seed", "--method", "max", code=2).err
    )
    with pytest.raises(InputError, match="centred is a number of pairs, 0 or more, got -1"):
        next(word_alignments(load_encoder("seed"), [], centred=-1))
