"""The task of word alignment: gold files, conventions, measures, what is chosen on the first lines."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from align.errors import InputError
from align.evaluation.encoding import Asked, encode_of
from align.evaluation.evaluate import evaluate
from align.evaluation.layers import Layers
from align.tasks.measures.links import agreement, expected_hits, line_counts, ratio_items
from align.tasks.task import Unit, task
from align.tasks.texts.gold_links import NULL, GoldAlignment, find_alignments, read_alignment
from align.tasks.word_alignment import (
    PROTOCOLS,
    TASK,
    LinkProtocol,
    Part,
    chosen_threshold,
    compared,
    counted,
    is_sign,
    predicted,
    score_links,
)
from align.text.pharaoh import Link

TEXT = "a b ||| A B C\nc ||| D\n, d ||| . E\n"
GOLD = "1-1 2p2 2-3\n1-1\n2-2 1p1\n"


def written(folder, text=TEXT, gold=GOLD, name="engdeu"):
    (folder / f"{name}.src-tgt").write_text(text, encoding="utf-8")
    (folder / f"{name}.gold").write_text(gold, encoding="utf-8")
    return folder / f"{name}.src-tgt", folder / f"{name}.gold"


def test_a_gold_file(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    gold = read_alignment("engdeu", *written(tmp_path))
    assert gold.source == (("a", "b"), ("c",), (",", "d"))
    assert gold.target[0] == ("A", "B", "C")
    assert gold.links[0] == (Link(0, 0), Link(1, 1, False), Link(1, 2))
    assert gold.languages == ("eng_Latn", "deu_Latn")
    assert "engdeu.gold counts words from 1: 0 stands in 0 lines, the number of words in 3" in caplog.text
    zero = read_alignment("x", *written(tmp_path, gold="0-0 1p1S\n0-0\n1-1\n".replace("p1S", "-1P")))
    assert zero.links[0] == (Link(0, 0), Link(1, 1, False))
    assert zero.languages == ("und", "und")
    null = read_alignment("x", *written(tmp_path, gold="1-0 2-3\n1-1\n1-1 2-2\n"))
    assert null.links[0] == (Link(0, NULL), Link(1, 2))
    assert read_alignment("x", *written(tmp_path, gold="1-1\n\n1-1\n"), base=1).links[0] == (Link(0, 0),)


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"gold": "1-1\n1-1 5-1\n2-2\n"}, r"gold, line 2: the link 5-1 is beyond the sentences of 1 and 1 words.*from 1"),
    ({"gold": "0-0\n0-0 1-0\n0-0\n"}, r"gold, line 2: the link 1-0 is beyond the sentences of 1 and 1 words.*from 0"),
    ({"gold": "1-1\n\n1-1\n"}, r"the numbers of the links do not tell if words are counted from 0 or 1: set base"),
    ({"base": 0}, r"gold, line 1 has a link behind the last word and none has word 0: it counts from 1, base is 0"),
    ({"gold": "0-0\n\n\n", "base": 1}, r"line 1 has a link with word 0 and none has the last: it counts from 0"),
    ({"base": 2}, r"words are counted from 0 or 1, base is 2"),
    ({"gold": "1-1 x\n\n\n"}, r"gold, line 1: expected links such as 0-1, 0p1, 0-1S or 0-1P, got 'x'"),
    ({"gold": "1-1\n"}, r"src-tgt has 3 lines and .*gold 1: expected links for each line$"),
    ({"text": "a ||| b\nc\n", "gold": "1-1\n1-1\n"}, r"line 2: expected two sentences with ' \|\|\| ' between, got 1"),
    ({"text": "a ||| A\nb c d ||| B C D\ne ||| E\n", "gold": "1-1\n1-1\n"},
     r"expected links for each line; they fit if line 1 or 2 or 3 of the text has none \(without=x:1\)"),
])  # fmt: skip
def test_what_a_gold_file_must_not_be(tmp_path, changes, sentence):
    given = {name: changes.pop(name) for name in ("text", "gold") if name in changes}
    with pytest.raises(InputError, match=sentence):
        read_alignment("x", *written(tmp_path, **given), **changes)


def test_the_line_without_links_is_found_and_left_out(tmp_path):
    files = written(tmp_path, "a b c ||| A B C\nd ||| D\ne f ||| E F\n", "3-3\n2-2\n")
    with pytest.raises(InputError, match=r"they fit if line 2 of the text has none \(without=x:2\)"):
        read_alignment("x", *files)
    assert read_alignment("x", *files, without=[2]).source == (("a", "b", "c"), ("e", "f"))


def test_sets_are_found_by_name(tmp_path):
    written(tmp_path, name="b")
    (tmp_path / "alignment_grc_eng.txt").write_text("0-0\n")
    with pytest.raises(InputError, match=r"alignment_grc_eng.txt has no text beside it: expected NAME.gold beside"):
        find_alignments(tmp_path)
    (tmp_path / "text_grc_eng.txt").write_text("a ||| b\n")
    found = find_alignments(tmp_path)
    assert {name: text.name for name, (text, _) in found.items()} == {"grc_eng": "text_grc_eng.txt", "b": "b.src-tgt"}
    assert list(find_alignments(tmp_path / "b.gold")) == ["b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no gold alignment"):
        find_alignments(tmp_path / "empty")


def test_measures_by_hand():
    assert line_counts({(0, 0), (1, 1)}, {(0, 0), (2, 2)}, {(1, 1)}) == (2, 2, 1, 2)
    found = agreement([(2, 2, 1, 2), (2, 1, 1, 1)])
    assert found.precision == 3 / 4
    assert found.recall == 2 / 3
    assert found.f1 == pytest.approx(2 * 3 / 4 * 2 / 3 / (3 / 4 + 2 / 3))
    assert found.aer == pytest.approx(1 - (2 + 3) / (4 + 3))
    assert agreement([(0, 0, 0, 0)]) == (0, 1, 1, 1)
    assert agreement([(0, 2, 0, 0)]) == (1, 0, 0, 0)
    assert agreement([(2, 0, 0, 0)]) == (1, 0, 0, 0)


def test_items_have_the_ratio_for_mean_and_its_spread():
    rng = np.random.default_rng(0)
    wholes = rng.integers(1, 30, 300)
    parts = rng.binomial(wholes, 0.3)
    items = ratio_items(parts, wholes)
    assert items.mean() == pytest.approx(parts.sum() / wholes.sum(), abs=1e-12)
    drawn = rng.integers(0, 300, (4000, 300))
    ratios = parts[drawn].sum(1) / wholes[drawn].sum(1)
    assert items[drawn].mean(1).std() == pytest.approx(ratios.std(), rel=0.02)
    assert ratio_items([0, 0], [0, 0]).tolist() == [0, 0]


GOLD_SET = GoldAlignment(
    "x", ("eng_Latn", "deu_Latn"), (("a", ",", "b"), ("c",)), (("A", "B"), ("D", "!")),
    ((Link(0, 0), Link(2, 1, False), Link(1, NULL)), (Link(0, 1),)),
)  # fmt: skip
FOUND = [{(0, 0): 0.9, (1, 1): 0.8, (2, 1): 0.4}, {(0, 0): 0.3, (0, 1): 0.2}]


@pytest.mark.parametrize(("protocol", "least", "counts"), [
    (LinkProtocol(), -1, [(3, 1, 1, 2), (2, 1, 1, 1)]),
    (LinkProtocol(), 0.4, [(3, 1, 1, 2), (0, 1, 0, 0)]),
    (LinkProtocol(possible=False), -1, [(3, 2, 2, 2), (2, 1, 1, 1)]),
    (LinkProtocol(punctuation=False), -1, [(2, 1, 1, 2), (1, 0, 0, 0)]),
    # all words of the first pair are linked; in gold word 1 is said to have no partner, of the second D has none
    (LinkProtocol(null_links="counted"), -1, [(3, 2, 1, 2), (2, 2, 1, 1)]),
    # at .85: 1, 2 and B have none; at .25 of the second pair ! has none
    (LinkProtocol(null_links="counted"), 0.85, [(4, 2, 2, 2), (3, 2, 1, 1)]),
])  # fmt: skip
def test_conventions_by_hand(protocol, least, counts):
    assert counted(GOLD_SET, FOUND, least, protocol) == counts


@pytest.mark.parametrize("protocol", [
    LinkProtocol(), LinkProtocol(possible=False), LinkProtocol(punctuation=False), LinkProtocol(null_links="counted"),
])  # fmt: skip
@pytest.mark.parametrize("least", [-1, 0.4, 0.85])
def test_chance_is_the_mean_over_all_orders_of_words(protocol, least):
    for (sets, sizes), words in zip(compared(GOLD_SET, FOUND, least, protocol), GOLD_SET.source, strict=True):
        linked, sure, possible = sets
        numbers = [i for i, word in enumerate(words) if protocol.punctuation or not is_sign(word)]
        orders = [dict(zip([*numbers, NULL], [*order, NULL], strict=True)) for order in permutations(numbers)]
        others = range(2) if protocol.punctuation else (range(2), range(1))[words == ("c",)]
        turned = [dict(zip([*others, NULL], [*order, NULL], strict=True)) for order in permutations(others)]
        hits = [
            sum(line_counts({(one[i], other[j]) for i, j in linked}, sure, possible)[2:])
            for one in orders for other in turned
        ]  # fmt: skip
        assert sizes == (len(numbers), len(others))
        assert expected_hits(linked, sure, possible, sizes) == pytest.approx(np.mean(hits))


def test_the_chance_of_a_row_is_that_of_the_scored_lines():
    gold = replace(GOLD_SET, target=(GOLD_SET.target[0], ("D", "!", "E")))
    (row,) = TASK.score(lambda words, *_, **__: [(np.eye(3)[: len(of)], np.arange(len(of)), 0) for of in words],
                        Unit("x", lambda: None), Part(gold), LinkProtocol(dev=1, threshold=0.5))  # fmt: skip
    # c is linked with D, by gold with !; one link among 3 cells hits the sure one by 1/3, the possible one by 1/3
    assert (row["value"], TASK.chance(row, LinkProtocol())) == (1, pytest.approx(1 - (1 / 3 + 1 / 3) / (1 + 1)))


def random_set(lines=30, seed=0):
    """Words with vectors, and gold links that are those of the highest cosine for most."""
    rng = np.random.default_rng(seed)
    words = [tuple(f"w{rng.integers(20)}" for _ in range(rng.integers(3, 8))) for _ in range(lines)]
    links = tuple(
        tuple(Link(i, i, bool(rng.random() < 0.7)) for i in range(len(of)) if rng.random() < 0.8) for of in words
    )  # fmt: skip
    return GoldAlignment("x", ("und", "und"), tuple(words), tuple(words), links)


def encode(sentences, language, *, pooling="mean"):
    rng = np.random.default_rng(1)
    table = rng.standard_normal((20, 4)).astype(np.float32)
    noise = np.random.default_rng(len(sentences))
    return [
        (table[[int(word[1:]) for word in words]] + noise.standard_normal((len(words), 4)).astype(np.float32),
         np.arange(len(words)), 0)
        for words in sentences
    ]  # fmt: skip


def test_the_threshold_is_chosen_on_the_first_lines_alone():
    gold = random_set()
    protocol = LinkProtocol(method="argmax", dev=10)
    found, _ = predicted(encode, gold, protocol)
    found = [line | {(98, 0): -0.5} for line in found]  # wrong, and the least of all
    least = chosen_threshold(gold, found, protocol)
    assert least > -0.5
    scores = [score for line in found[:10] for score in line.values()]
    tried = [-1, *np.quantile(scores, np.linspace(0, 0.6, 31))]
    errors = [agreement(counted(gold, found, one, protocol)[:10]).aer for one in tried]
    assert least == tried[int(np.argmin(errors))]
    other = found[:10] + [{(0, 0): 5.0}] * 20
    assert chosen_threshold(gold, other, protocol) == least
    assert chosen_threshold(gold, [{}] * 30, protocol) == -1


def test_a_score_is_of_the_lines_after_them():
    gold = random_set()
    for protocol in (
        LinkProtocol(method="argmax", dev=10),
        LinkProtocol(threshold=0.3, dev=0),
        LinkProtocol(dev=10, centred=True),
    ):
        result, counts, facts = score_links(encode, Part(gold), protocol)
        found, _ = predicted(encode, gold, protocol)
        lines = []
        for line, links in list(zip(found, gold.links, strict=True))[protocol.dev :]:
            kept = {pair for pair, score in line.items() if score >= facts["least"]}
            sure = {one[:2] for one in links if one.sure}
            every = {one[:2] for one in links}
            lines.append((len(kept), len(sure), len(kept & sure), len(kept & every)))
        assert counts == lines
        a, s, both, any_ = np.array(lines).sum(0)
        assert result.aer == pytest.approx(1 - (both + any_) / (a + s))
    part = score_links(encode, Part(gold, choosing=True), LinkProtocol(method="argmax", dev=10))
    assert len(part[1]) == 10
    with pytest.raises(InputError, match="x has 30 lines: expected more than the 30 that choose"):
        score_links(encode, Part(gold), LinkProtocol(dev=30))


def test_protocols_are_named_and_said():
    assert set(PROTOCOLS) == {"sure-possible", "all-sure", "null-links", "no-punctuation"}
    assert len({one.describe() for one in PROTOCOLS.values()}) == 4
    assert "least score chosen on the first 100 lines" in TASK.protocols[TASK.default].describe()
    with pytest.raises(InputError, match="null_links is dropped or counted, got 'x'"):
        LinkProtocol(null_links="x")
    with pytest.raises(InputError, match="a threshold is chosen on the first lines: dev must be above 0"):
        LinkProtocol(dev=0)
    with pytest.raises(InputError, match="unknown method of word alignment"):
        LinkProtocol(method="x")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    text = [" ".join(f"w{i}" for i in rng.permutation(9)[: rng.integers(2, 6)]) for _ in range(24)]
    gold = [" ".join(f"{i + 1}-{i + 1}" for i in range(len(line.split()))) for line in text]
    written(tmp_path, "".join(f"{line} ||| {line}\n" for line in text), "".join(f"{line}\n" for line in gold))
    return tmp_path


def test_an_evaluation_with_intervals_and_layers(folder, caplog):
    from align.encoders.checkpoint import load_encoder

    encoder = load_encoder("seed")
    settings = {"dev": "8", "method": "argmax"}
    result = evaluate(encoder, f"word_alignment={folder}", settings=settings, use_cache=False)
    (score,) = result["scores"]
    assert score["value"] == pytest.approx(0, abs=0.2)  # a text with itself
    assert score["n"] == 16
    assert score["left_out"] == 8
    assert set(score["metrics"]) == {"aer", "precision", "recall", "f1"}
    assert result["lower_is_better"] and result["encoder"]["word_layer"] == 3
    swept = evaluate(encoder, f"word_alignment={folder}", settings=settings, layers=Layers(), use_cache=False)
    assert swept["layers"]["layers"] == [0, 1, 2, 3, 4]
    dev = swept["layers"]["dev"]["mean"]
    assert swept["layers"]["best"] == dev.index(min(dev))
    assert swept["layers"]["curves"]["engdeu"][3] == pytest.approx(score["value"])
    json.dumps(result)
    with pytest.raises(InputError, match="without names lines of texts that have no links.* got '7'"):
        evaluate(encoder, f"word_alignment={folder}", settings={"without": "7"}, use_cache=False)
    with pytest.raises(InputError, match="words in sentences need an encoder"):
        encode_of(object(), task("word_alignment"), Asked())
