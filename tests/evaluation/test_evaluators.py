from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from toy import greek, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.evaluation.evaluators import _slice, evaluators
from align.tasks import Dictionary, LabelledTexts, bli_pairs, read_classification, read_sts
from align.tasks.classification import classification
from align.tasks.mexa import mexa
from align.tasks.retrieval import retrieval
from align.tasks.sts import sts
from align.tasks.xsim import xsim


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def sets(tmp_path):
    """Test sets of every task, of 40 toy words in Greek and Latin letters."""
    latin = words(40, seed=5)
    for place in ("flores", "sib"):
        write(tmp_path / place / "ell_Latn.txt", latin)
        write(tmp_path / place / "ell_Grek.txt", greek(latin))
    classes = [f"{'train' if i < 20 else ('dev', 'test')[i % 2]}\t{'ab'[i % 3 == 0]}" for i in range(40)]
    write(tmp_path / "sib" / "index.tsv", ["split\tcategory", *classes])
    write(tmp_path / "ell_Grek-ell_Latn.tsv", [f"{a}\t{b}" for a, b in zip(greek(latin), latin, strict=True)])
    scored = [f"{i % 5}\t{a}\t{b}" for i, (a, b) in enumerate(zip(latin, latin[::-1], strict=True))]
    write(tmp_path / "sts" / "ell_Latn.dev.tsv", ["score\tsentence1\tsentence2", *scored])
    write(tmp_path / "sts" / "ell_Latn.test.tsv", ["score\tsentence1\tsentence2", "1\ta\tb"])
    write(tmp_path / "EN.txt", [f"{a}\t{b}\t{i % 7}" for i, (a, b) in enumerate(zip(latin, latin[::-1], strict=True))])
    return tmp_path


def rows(n, lines):
    return sorted(np.random.default_rng(0).permutation(n)[:lines].tolist())


def test_retrieval_is_the_task_on_a_slice_of_the_same_lines(bert_folder, sets):
    encoder = load_encoder(bert_folder)
    (evaluate,) = evaluators([f"retrieval={sets / 'flores'}"], lines=10).values()
    latin = words(40, seed=5)
    mine = [latin[row] for row in rows(40, 10)]
    result = retrieval(
        lambda texts, _: encoder.encode(texts), {"ell_Latn": mine, "ell_Grek": greek(mine)}, check_alignment=False
    )
    expected = {name: np.mean([s.metrics[name] for s in result.scores]) for name in ("P@1", "P@5", "P@10", "MRR")}
    assert evaluate(encoder) == pytest.approx(expected)
    assert evaluate(encoder) == evaluate(encoder)
    assert expected["P@10"] == 1.0  # of ten candidates
    assert 0 < expected["MRR"] < 1


def test_a_slice_prefers_lines_that_all_languages_have():
    texts = {"a": [f"a{i}" for i in range(6)], "b": ["", "b1", " ", "b3", "", "b5"]}
    assert _slice(texts, 3, 0) == {"a": ["a1", "a3", "a5"], "b": ["b1", "b3", "b5"]}
    assert _slice(texts, 99, 0) == texts
    assert len({tuple(_slice(texts, 2, seed)["a"]) for seed in range(9)}) > 1


def test_bli_asks_a_slice_among_all_words(bert_folder, sets):
    encoder = load_encoder(bert_folder)
    (evaluate,) = evaluators([f"bli={sets / 'ell_Grek-ell_Latn.tsv'}"], lines=10).values()
    latin = words(40, seed=5)
    asked = Dictionary(("ell_Grek", "ell_Latn"), tuple((greek([latin[i]])[0], latin[i]) for i in rows(40, 10)))
    result = bli_pairs(
        lambda texts, _: encoder.encode(texts), [asked], {"ell_Grek": greek(latin), "ell_Latn": latin},
        both=True, csls=False,
    )  # fmt: skip
    assert [score.candidates for score in result.scores] == [40, 40]
    assert [score.lines for score in result.scores] == [10, 10]
    expected = np.mean([score.methods["NN"].metrics["MRR"] for score in result.scores])
    assert evaluate(encoder)["MRR"] == pytest.approx(expected)


def test_sts_reads_the_dev_split(bert_folder, sets):
    encoder = load_encoder(bert_folder)
    found = evaluators([f"sts={sets / 'sts'}", f"wordsim={sets / 'EN.txt'}"], lines=99)
    whole = sts(lambda texts, _: encoder.encode(texts), read_sts(sets / "sts", split="dev"))
    assert found["sts"](encoder) == {"spearman": pytest.approx(whole.headline())}
    assert -1 < found["wordsim"](encoder)["spearman"] < 1
    fewer = evaluators([f"sts={sets / 'sts'}"], lines=12)["sts"]
    assert fewer(encoder) == fewer(encoder) != found["sts"](encoder)


def test_classification_judges_by_the_dev_split(bert_folder, sets):
    encoder = load_encoder(bert_folder)
    (evaluate,) = evaluators([f"classification={sets / 'sib'}"], lines=99).values()
    data = read_classification(sets / "sib")
    kept = [row for row, split in enumerate(data.splits) if split != "test"]
    renamed = LabelledTexts(
        {code: [texts[row] for row in kept] for code, texts in data.texts.items()},
        [data.classes[row] for row in kept],
        [{"dev": "test"}.get(data.splits[row], "train") for row in kept],
    )
    whole = classification(lambda texts, _: encoder.encode(texts), renamed, train="ell_Grek")
    expected = {probe: np.mean([score.accuracy[probe] for score in whole.scores]) for probe in ("knn", "logistic")}
    assert evaluate(encoder) == pytest.approx(expected)
    assert set(evaluators([f"classification={sets / 'sib'}"], lines=6)["classification"](encoder)) == set(expected)


def test_the_tasks_log_nothing_of_their_own(bert_folder, sets, caplog):
    (evaluate,) = evaluators([f"retrieval={sets / 'flores'}"]).values()
    with caplog.at_level(logging.INFO):
        evaluate(load_encoder(bert_folder))
        assert not caplog.records
        logging.getLogger("align.tasks.retrieval.task").info("again")
    assert [record.message for record in caplog.records] == ["again"]


def test_messages(sets):
    known = "retrieval, xsim, mexa, bli, sts, wordsim, classification, bias, entity_alignment, identity"
    known += ", token_classification, topic, word_alignment"
    for spec in ("retrieval", "retrieval=", "nothing=x", "retrieval:a/b=x", str(sets / "flores")):
        with pytest.raises(InputError, match=f"expected TASK=PATH or TASK:NAME=PATH with a task of {known}; got"):
            evaluators([spec])
    twice = f"retrieval={sets / 'flores'}"
    with pytest.raises(InputError, match="two evaluators are called retrieval; give retrieval:NAME=PATH"):
        evaluators([twice, twice])
    assert list(evaluators([twice, f"retrieval:b={sets / 'flores'}"])) == ["retrieval", "retrieval:b"]
    with pytest.raises(InputError, match="a slice to evaluate on needs at least 2 lines, got 1"):
        evaluators([twice], lines=1)
    write(sets / "sib" / "index.tsv", ["split\tcategory", *["train\ta", "test\tb"] * 20])
    with pytest.raises(InputError, match="sib has no line of the split dev to evaluate on"):
        evaluators([f"classification={sets / 'sib'}"])


@pytest.fixture
def command(align, bert_folder, sets):
    """``align train`` on toy pairs, with these arguments."""
    toy = table()
    columns = ("source", "target", "source_lang", "target_lang", "group_id")
    write(sets / "pairs.tsv", ["\t".join(columns), *("\t".join(row[c] for c in columns) for row in toy)])
    write(sets / "recipe.toml", ["[nt_xent]", "[train]", "steps = 8", "batch_size = 16", "evaluate_every = 2"])

    def run(*arguments, code=0):
        return align("train", "recipe.toml", "-p", "pairs.tsv", "-o", "out", "-m", bert_folder, *arguments, code=code)

    return run


def test_the_command_evaluates_and_stops(command, sets):
    toy = table()
    write(sets / "seen" / "ell_Latn.txt", [*toy["target"][:30], "unseen"])
    shown = command(
        "--evaluate", "retrieval=flores", "--evaluate", "sts=sts", "--evaluate-lines", "10", "--best", "retrieval/P@10",
        "--patience", "2", "--check-overlap", "seen", "--set", "train.save_every=4",
    )  # fmt: skip
    printed = json.loads(shown.out)
    assert printed["stopped"] == {"step": 6, "best_step": 2, "retrieval/P@10": 1.0}  # always 1: of ten candidates
    saved = json.loads((sets / "out" / "align.json").read_text())
    assert saved["recipe"]["train"]["patience"] == 2
    scores = saved["summary"]["evaluations"]
    assert [row["step"] for row in scores] == [2, 4, 6]
    assert {"retrieval/MRR", "sts/spearman"} <= scores[0].keys()
    (count,) = saved["about_pairs"]["overlap"]["counts"]
    assert (count["benchmark"], count["texts"], count["equal"]) == ("seen", 31, 30)
    card = (sets / "out" / "README.md").read_text()
    assert "## Overlap with test sets\n\nTest texts found in the training pairs:\n\n| benchmark |" in card
    assert "| seen | ell_Latn | 31 | 30 | 0 | 0 | 0 | 96.77% |" in card


def test_the_command_says_what_is_wrong_before_any_step(command, sets):
    every = ("--evaluate", "retrieval=flores")
    assert command(*every, "--best", "retrieval/F1", code=2).err == (
        "align: --best retrieval/F1 is no score: the evaluators give retrieval/P@1, retrieval/P@5, retrieval/P@10, "
        "retrieval/MRR; did you mean retrieval/P@1?\n"
    )
    assert "train.evaluate_every is 0" in command(*every, "--set", "train.evaluate_every=0", code=2).err
    assert "train.patience waits for a better score" in command(*every, "--patience", "2", code=2).err
    assert "names no evaluator" in command("--best", "retrieval/P@1", code=2).err
    assert not (sets / "out").exists()


def test_xsim_and_mexa_are_the_tasks_on_the_same_slice(bert_folder, tmp_path):
    from align.encoders.layers import encode_layers

    latin = words(40, seed=5)
    write(tmp_path / "pairs" / "eng_Latn.txt", latin)
    write(tmp_path / "pairs" / "ell_Grek.txt", greek(latin))
    encoder = load_encoder(bert_folder)
    mine = [latin[row] for row in rows(40, 10)]
    texts = {"ell_Grek": greek(mine), "eng_Latn": mine}
    found = evaluators([f"xsim={tmp_path / 'pairs'}", f"mexa={tmp_path / 'pairs'}"], lines=10)
    error = xsim(lambda lines, _: encoder.encode(lines), texts).headline()
    assert found["xsim"](encoder) == {"right": pytest.approx(1 - error)} and error > 0
    (score,) = mexa(lambda lines, _: encode_layers(encoder, lines, kinds=["mean"]), texts, n=10).scores
    assert found["mexa"](encoder) == {"mean": pytest.approx(score.mean), "max": pytest.approx(score.max)}
    assert 0 < score.mean < score.max
