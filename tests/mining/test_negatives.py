"""Hard negatives for a table: as a plain loop over all pairs finds them, never of the pair's own meaning."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.mining import searches
from align.mining.negatives import negative_pairs
from align.mining.neighbours import faiss_search
from align.mining.other_meanings import nearest_others
from align.pairs.reading.table import read_pairs
from align.pairs.table import write_pairs
from align.similarity.nearest import top_k
from align.text.normal_forms import normalised

N = 40


@pytest.fixture
def encoder(bert_folder):
    return load_encoder(bert_folder)


def words(n, seed):
    rng = np.random.default_rng(seed)
    return ["".join(chr(97 + c) for c in rng.integers(0, 24, rng.integers(3, 9))) for _ in range(n)]


def row(source, target, group, language="eng_Latn", **more):
    base = {"source": source, "target": target, "source_lang": "ell_Latn", "target_lang": language}
    return base | {"kind": "test", "group_id": str(group)} | more


def table():
    """Rows that share groups, sources and targets, also in another case, and two target languages."""
    sources, targets = words(N, 1), words(N, 2)
    sources[3], targets[7], targets[9] = sources[2], targets[6].upper(), targets[8]
    sources[12] = targets[11]
    groups = [i if i not in (5, 20) else 4 for i in range(N)]
    languages = ["eng_Latn" if i % 3 else "deu_Latn" for i in range(N)]
    return [row(*each) for each in zip(sources, targets, groups, languages, strict=True)]


def meanings(rows):
    """Of each row the set of all rows that are linked to it, by asking again and again."""
    keys = [{r["group_id"], "t " + normalised(r["source"]), "t " + normalised(r["target"])} for r in rows]
    found = [{i} for i in range(len(rows))]
    while True:
        wider = [{j for j in range(len(rows)) if any(keys[i] & keys[j] for i in one)} for one in found]
        if wider == found:
            return found
        found = wider


def by_definition(
    rows, encoder, *, number=5, ranks=(1, 100), margin=None, relative=None, guide=None, same_language=True
):
    """The negatives of each row, and how many texts were too near: one candidate at a time."""

    def cosines(model):
        x, y = (model.encode([r[side] for r in rows]).astype(np.float64) for side in ("source", "target"))
        return np.round(x @ y.T, 6)

    near, judged, own = cosines(encoder), cosines(guide or encoder), meanings(rows)
    answers, too_near = [], 0
    for i, one in enumerate(rows):
        others = {}
        for j, other in enumerate(rows):
            if j not in own[i] and (other["target_lang"] == one["target_lang"] or not same_language):
                others.setdefault(normalised(other["target"]), j)
        ranked = sorted(others.values(), key=lambda j: (-near[i, j], j))[ranks[0] - 1 : ranks[1]]
        bar = np.inf
        if margin is not None:
            bar = min(bar, judged[i, i] - margin)
        if relative is not None:
            bar = min(bar, judged[i, i] - relative * abs(judged[i, i]))
        right = [j for j in ranked if judged[i, j] <= bar]
        too_near += len(ranked) - len(right)
        answers.append([rows[j]["target"] for j in right[:number]])
    return answers, too_near


def mined(path):
    pairs = read_pairs(path)
    columns = [name for name in pairs.column_names if name.startswith("negative_")]
    return [[one[name] for name in columns if one[name] is not None] for one in pairs]


@pytest.mark.parametrize(
    "options",
    [
        {}, {"number": 2, "same_language": False}, {"ranks": (3, 9)}, {"margin": 0.05}, {"relative": 0.02},
        {"margin": -0.1, "relative": -0.3, "ranks": (2, 30)}, {"guide": True}, {"guide": True, "relative": 0.01},
    ],
)  # fmt: skip
@pytest.mark.parametrize("block", [7, 2048])
def test_it_finds_what_a_loop_finds(encoder, bert_folder, tmp_path, options, block):
    rows = table()
    write_pairs(rows, tmp_path / "pairs", manifest={"sources": [{"name": "a", "licence": "CC0"}]})
    options = dict(options)
    guide = load_encoder(bert_folder, layer=1, kind="cls") if options.pop("guide", False) else None
    wanted = dict(options)
    if guide and "relative" not in options:
        wanted["margin"] = 0.0
    expected, too_near = by_definition(rows, encoder, guide=guide, **wanted)
    named = {"relative_margin" if name == "relative" else name: value for name, value in options.items()}
    manifest = negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", guide=guide, block=block, **named)
    found = mined(tmp_path / "out")
    assert found == expected
    assert [{k: one[k] for k in rows[0]} for one in read_pairs(tmp_path / "out")] == rows
    counts = list(map(len, expected))
    assert manifest["negatives"] == {str(n): counts.count(n) for n in sorted(set(counts))}
    assert (manifest["too_near"], manifest["without"]) == (too_near, counts.count(0))
    assert manifest["largest_meaning"] == max(map(len, meanings(rows))) == 3
    assert manifest["licences"] == ["CC0"] and manifest["sources"] == [{"name": "a", "licence": "CC0"}]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")]


def test_no_row_gets_a_text_of_its_own_meaning(encoder, tmp_path):
    rows = [
        row("boat", "kahn", 1), row("skiff", "KAHN ", 2), row("Skiff", "ruderboot", 3), row("a", "b", 3),
        row("tree", "baum", 4), row("kahn", "barge", 5),
    ]  # fmt: skip
    write_pairs(rows, tmp_path / "pairs", manifest={})
    manifest = negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out")
    found = mined(tmp_path / "out")
    assert [set(texts) for texts in found] == [{"baum"}] * 4 + [{"kahn", "ruderboot", "b", "barge"}] + [{"baum"}]
    assert manifest["largest_meaning"] == 5


def test_all_that_is_linked_has_no_negative(encoder, tmp_path, caplog):
    linked = [row("a", "b", 1), row("c", "d", 1), row("e", "f", 1)]
    write_pairs(linked, tmp_path / "pairs", manifest={})
    with pytest.raises(InputError, match="no pair has a negative left: .* the largest meaning, .*, has 3 of"):
        negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_pairs([*linked, row("g", "h", 2), row("i", "j", 2, "deu_Latn")], tmp_path / "pairs", manifest={})
    with caplog.at_level(logging.WARNING):
        manifest = negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out")
    assert manifest["negatives"] == {"0": 1, "1": 3, "3": 1} and manifest["without"] == 1
    assert "1 of 5 pairs have no negative" in caplog.text
    assert mined(tmp_path / "out")[4] == []
    manifest = negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", least=2)
    assert (manifest["rows"], manifest["rejects"]) == (1, {"fewer than 2 negatives": 4})
    lines = (tmp_path / "out" / "rejects.tsv").read_text().splitlines()
    assert lines[4].split("\t")[2:] == ["5", "i\\tj"]


def test_negatives_of_the_table_stay_and_come_first(encoder, tmp_path):
    given = [("aa", "B B"), ("b b", None), ("cc", "zz")]
    rows = [row(f"s{i}", text, i, negative=wrong) for i, (text, wrong) in enumerate(given)]
    write_pairs(rows, tmp_path / "pairs", manifest={})
    negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", number=2)
    found = mined(tmp_path / "out")
    assert [texts[0] for texts in found][::2] == ["B B", "zz"]
    assert [set(texts) for texts in found] == [{"B B", "cc"}, {"aa", "cc"}, {"zz", "aa", "b b"}]
    pairs = read_pairs(tmp_path / "out")
    assert "negative" not in pairs.column_names and pairs.column_names[-1] == "negative_3"


def test_a_stopped_run_goes_on(encoder, tmp_path, monkeypatch):
    write_pairs(table(), tmp_path / "pairs", manifest={})
    negative_pairs(tmp_path / "pairs", encoder, tmp_path / "whole", block=8)
    plain, done = searches.Miner.block, []

    def stopping(self, pool, queries, find, number):
        if number == 3 and len(done) == 3:
            raise KeyboardInterrupt
        done.append(number)
        return plain(self, pool, queries, find, number)

    monkeypatch.setattr(searches.Miner, "block", stopping)
    with pytest.raises(KeyboardInterrupt):
        negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", block=8)
    assert done == [0, 1, 2] and not (tmp_path / "out").exists()
    done.append(-1)
    with monkeypatch.context() as context:
        context.setattr(type(encoder), "encode", lambda *_, **__: pytest.fail("a text is encoded again"))
        negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", block=8)
    assert done[4:] == list(range(3, 3 + len(done[4:])))
    assert mined(tmp_path / "out") == mined(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".out")) == []


def test_a_prompt_of_the_sources_alone(encoder, tmp_path):
    rows = table()
    rows[12] = row("kkkk", "llll", 12)  # else a text is on both sides
    write_pairs(rows, tmp_path / "pairs", manifest={})

    class Prompted:
        def encode(self, texts):
            return encoder.encode([f"q {text}" if text in {r["source"] for r in rows} else text for text in texts])

    expected, _ = by_definition(rows, Prompted())
    negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", query_prompt="q ")
    assert mined(tmp_path / "out") == expected != by_definition(rows, encoder)[0]
    assert encoder.prompt == ""


def test_a_sample_is_of_the_window_and_seeded(encoder, tmp_path):
    rows = table()
    write_pairs(rows, tmp_path / "pairs", manifest={})
    window, _ = by_definition(rows, encoder, number=99, ranks=(2, 8))
    found = []
    for seed in (0, 0, 1):
        negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", ranks=(2, 8), number=3, sample=True, seed=seed)
        found.append(mined(tmp_path / "out"))
        for one, whole in zip(found[-1], window, strict=True):
            assert len(one) == 3 and [text for text in whole if text in one] == one
    assert found[0] == found[1] != found[2]
    assert any(one != whole[:3] for one, whole in zip(found[0], window, strict=True))


def test_faiss_finds_the_same(encoder, tmp_path):
    pytest.importorskip("faiss")
    write_pairs(table(), tmp_path / "pairs", manifest={})
    for engine in ("exact", "faiss"):
        negative_pairs(tmp_path / "pairs", encoder, tmp_path / engine, engine=engine, block=7)
    assert mined(tmp_path / "exact") == mined(tmp_path / "faiss")


def test_as_many_more_are_looked_for_as_mean_the_same():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 4)), rng.standard_normal((30, 4))
    meanings, of = np.array([0, 1, 2, 3, 9]), rng.integers(0, 4, 30)
    cosines, rows = nearest_others(lambda queries, k: top_k(queries, y, k), x, meanings, of, 6)
    everything = top_k(x, y, 30)
    for i in range(5):
        assert rows[i].tolist() == [j for j in everything.rows[i].tolist() if of[j] != meanings[i]][:6]
        assert cosines[i].tolist() == [everything.cosines[i][everything.rows[i].tolist().index(j)] for j in rows[i]]
    few = nearest_others(lambda queries, k: top_k(queries, y, k), x, np.zeros(5, int), np.array([0] * 28 + [1, 2]), 6)
    assert [sorted(one.tolist()) for one in few.rows] == [[-1] * 4 + [28, 29]] * 5
    assert np.isneginf(few.cosines[few.rows < 0]).all()


def test_an_empty_index_finds_nothing():
    pytest.importorskip("faiss")
    assert faiss_search(np.empty((0, 3)))(np.ones((2, 3)), 4).rows.shape == (2, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": 0}, "number must be at least 1, got 0"),
        ({"ranks": (5, 4)}, "ranks are the first and the last, from 1, got 5 and 4"),
        ({"ranks": (0, 4)}, "ranks are the first and the last, from 1, got 0 and 4"),
        ({"margin": float("nan")}, "margin must be a finite number, got nan"),
        ({"relative_margin": float("inf")}, "relative_margin must be a finite number, got inf"),
        ({"engine": "milvus"}, "engine is one of exact, faiss; got 'milvus'"),
        ({"block": 0}, "block must be at least 1, got 0"),
        ({"probes": 0}, "probes must be at least 1, got 0"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"number": 3, "least": 4}, "least is from 0 to number, here 3; got 4"),
        ({"layer": 1}, "an encoder in memory is as it is: give the name of a model instead, with its options"),
    ],
)
def test_options_that_make_no_sense(encoder, tmp_path, options, message):
    write_pairs(table(), tmp_path / "pairs", manifest={})
    with pytest.raises(InputError, match=f"^{message}"):
        negative_pairs(tmp_path / "pairs", encoder, tmp_path / "out", **options)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_the_table_is_not_its_own_place(encoder, tmp_path):
    write_pairs(table(), tmp_path / "pairs", manifest={})
    with pytest.raises(InputError, match="pairs is the table that is read: give another folder to write to"):
        negative_pairs([tmp_path / "pairs"], encoder, tmp_path / "pairs")
    with pytest.raises(InputError, match="^no text is given: expected a table of pairs"):
        negative_pairs([], encoder, tmp_path / "out")


def test_the_verb_mines_and_training_reads(align, bert_folder, tmp_path):
    pairs = zip(words(24, 1), words(24, 2), strict=True)
    lines = ["\t".join([*pair, "ell_Latn", "eng_Latn"]) for pair in pairs]
    (tmp_path / "pairs.tsv").write_text("\n".join(["source\ttarget\tsource_lang\ttarget_lang", *lines]))
    words_of = ("--model", bert_folder, "--layer", 1, "--number", 3, "--ranks", 2, 9, "--margin", "-0.2")
    printed = json.loads(align("pairs", "negatives", "pairs.tsv", *words_of, "--any-language", "--out", "mined").out)
    assert printed["rows"] == 24 and sum(printed["negatives"].values()) == 24 and printed["out"] == "mined"
    asked = json.loads((tmp_path / "mined" / "manifest.json").read_text())
    assert asked["sources"] == [{"name": "pairs.tsv", "licence": "unknown"}]
    assert asked["encoder"]["pooling"]["layer"] == 1 and asked["options"]["rule"]["ranks"] == [2, 9]
    (tmp_path / "mine.toml").write_text('name = "mine"\n[multiple_negatives]\n[train]\nsteps = 2\nbatch_size = 4\n')
    facts = json.loads(align("train", "mine.toml", "--pairs", "mined", "--model", bert_folder, "--out", "model").out)
    mean = sum(int(n) * rows for n, rows in printed["negatives"].items()) / 24
    assert facts["negatives"] == 3 + round(4 * mean)
