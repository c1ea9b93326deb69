from __future__ import annotations

import json
import sys

import pyarrow.parquet as pq
import pytest

from align import cli

NLI = "label\tpremise\thypothesis\n"
STS = "score\tsentence1\tsentence2\n"
XML = '<tmx><tu><tuv xml:lang="en"><seg>One cat</seg></tuv><tuv xml:lang="el"><seg>Μία γάτα</seg></tuv></tu></tmx>'
FILES = {
    "corpus.en": "The cat sleeps.\nTwo dogs run.\nThe cat\n",
    "corpus.el": "Η γάτα κοιμάται.\nΔύο σκύλοι τρέχουν.\nThe cat\n",
    "short.el": "Η γάτα\n",
    "test.txt": "Two dogs run.\n",
    "memory.tmx": XML,
    "bomb.tmx": '<!DOCTYPE tmx [<!ENTITY a "b">]>\n' + XML,
    "eng_Latn-ell_Grek.tsv": "A cat\tΜια γάτα\n",
    "eng_Latn-rus_Cyrl.jsonl": '{"a": "A cat", "b": "Кот"}\n',
    "news/ell_Grek.txt": "Η γάτα κοιμάται.\n",
    "news/eng_Latn.txt": "The cat sleeps.\n",
    "news/rus_Cyrl.txt": "Кошка спит.\n",
    "news/ids.tsv": "1\n",
    "eng_Latn.nli.tsv": NLI + "2\tp\th1\n0\tp\th2\n1\tp\th3\n-\tp\th4\n",
    "el.nli.tsv": NLI + "c\tπ\tη1\ne\tπ\tη2\nn\tπ\tη3\n-\tπ\tη4\n",
    "bad.nli.tsv": NLI + "entails\tp\th1\n",
    "eng_Latn.sts.tsv": STS + "5\ta\tb\n0\tc\td\n",
    "el.sts.tsv": STS + "5\tα\tβ\n0\tγ\tδ\n",
    "other.sts.tsv": STS + "5\tα\tβ\n1\tγ\tδ\n",
}


@pytest.fixture
def align(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of small files; returns its exit code, what it prints and its last line of log."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["align", "-q", "pairs", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed, log = capsys.readouterr()
        return stopped.value.code or 0, json.loads(printed) if printed else None, log

    return run


def texts(out):
    return [(row["source"], row["target"]) for row in pq.read_table(f"{out}/pairs.parquet").to_pylist()]


def test_translation(align):
    words = ("translation", "ell_Grek=corpus.el", "eng_Latn=corpus.en", "--exclude", "test.txt", "--out", "o")
    code, printed, _ = align(*words, "--licence", "CC0")
    assert (code, texts("o")) == (0, [("The cat sleeps.", "Η γάτα κοιμάται.")])
    assert printed == {
        "rows": 1,
        "lines": 3,
        "language_pairs": {"eng_Latn-ell_Grek": 1},
        "rejects": {"in a test set": 1, "target: other script": 1},
        "excluded": {"test.txt": {"texts": 1, "pairs": 1}},
        "out": "o",
    }
    with open("o/manifest.json", encoding="utf-8") as manifest:
        assert json.load(manifest)["licences"] == ["CC0"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eng_Latn-ell_Grek=memory.tmx"], [("One cat", "Μία γάτα")]),
        (["eng_Latn-ell_Grek.tsv"], [("A cat", "Μια γάτα")]),
        (["eng_Latn-rus_Cyrl.jsonl", "--columns", "a,b"], [("A cat", "Кот")]),
        (["news"], [("The cat sleeps.", "Η γάτα κοιμάται."), ("The cat sleeps.", "Кошка спит.")]),
        (["news", "--pair", "rus_Cyrl-ell_Grek"], [("Кошка спит.", "Η γάτα κοιμάται.")]),
        (
            ["news", "--pivot", "ell_Grek", "--pivot-side", "target"],
            [("The cat sleeps.", "Η γάτα κοιμάται."), ("Кошка спит.", "Η γάτα κοιμάται.")],
        ),
        (["news", "--max-chars", "15"], [("The cat sleeps.", "Кошка спит.")]),
        (["news", "eng_Latn-ell_Grek.tsv", "--min-chars", "6", "--max-chars", "9"], None),
        (["eng_Latn=corpus.en", "spa_Latn=corpus.en.2", "--copies", "keep"], [("The cat", "The cat")]),
    ],
)
def test_translation_of_every_kind(align, tmp_path, words, expected):
    (tmp_path / "corpus.en.2").write_text("El gato duerme.\n\nThe cat\n")
    (tmp_path / "corpus.en").write_text("\n\nThe cat\n")
    code, printed, log = align("translation", *words, "--out", "o")
    if expected is None:
        assert code == 2 and "no pair is left to write" in log
    else:
        assert (code, texts("o"), printed["rows"]) == (0, expected, len(expected)), log


def test_nli(align):
    code, printed, _ = align("nli", "eng_Latn.nli.tsv", "ell_Grek=el.nli.tsv", "--parallel", "--out", "o")
    assert code == 0 and texts("o") == [("p", "h2"), ("π", "η2")]
    rows = pq.read_table("o/pairs.parquet").to_pylist()
    assert [row["negative"] for row in rows] == ["h1", "η1"]
    assert rows[0]["group_id"] == rows[1]["group_id"]
    assert printed == {
        "rows": 2,
        "lines": 8,
        "languages": {"eng_Latn": 1, "ell_Grek": 1},
        "labels": {"contradiction": 2, "entailment": 2, "neutral": 2},
        "negatives": 2,
        "left_out": {"neutral": 2},
        "rejects": {"no label": 2},
        "out": "o",
    }
    numbers = ("--numbers", "contradiction, neutral, entailment", "--form", "labels")
    assert align("nli", "eng_Latn.nli.tsv", *numbers, "--out", "o")[0] == 0
    assert pq.read_table("o/pairs.parquet")["label"].to_pylist() == ["entailment", "contradiction", "neutral"]


def test_sts(align):
    code, printed, _ = align(
        "sts", "eng_Latn.sts.tsv", "ell_Grek=el.sts.tsv", "--cross", "--per-row", "1", "--out", "o"
    )
    assert (code, printed["rows"], printed["lines"], printed["cross_rows"]) == (0, 6, 4, 2)
    assert (printed["scale"], printed["observed"], printed["rejects"]) == ([0.0, 5.0], [0.0, 5.0], {})
    assert len(printed["language_pairs"]) >= 3
    assert align("sts", "eng_Latn.sts.tsv", "--scale", "0", "10", "--out", "o")[1]["observed"] == [0.0, 5.0]
    assert pq.read_table("o/pairs.parquet")["score"].to_pylist() == [0.5, 0.0]


def test_hub(align, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(*words, **options):
        asked.append((*words, options["split"]))
        return iter([{"premise": "p", "hypothesis": "h", "label": 0}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    hub = ("--hub", "urd_Arab=facebook/xnli:ur", "--hub", "eng_Latn=a/b", "--split", "validation")
    code, printed, _ = align("nli", *hub, "--form", "pairs", "--out", "o")
    assert (code, printed["languages"]) == (0, {"urd_Arab": 1, "eng_Latn": 1})
    assert asked == [("facebook/xnli", "ur", "validation"), ("a/b", None, "validation")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["translation"], "no text is given: expected files, a folder or a dataset"),
        (["translation", "corpus.en"], "expected two languages or more, found eng_Latn only"),
        (["translation", "en=corpus.en"], "unknown language code 'en': expected iso639-3_Script such as hin_Deva; did"),
        (["translation", "eng_Latn=missing.en"], "no such file: missing.en"),
        (["translation", "eng_Latn=corpus.en"], "expected two languages or more, found eng_Latn only"),
        (
            ["translation", "eng_Latn=corpus.en", "ell_Grek=short.el"],
            "short.el ends after line 1, corpus.en goes on to line 3: expected line-aligned files",
        ),
        (["translation", "eng_Latn-ell_Grek=bomb.tmx"], "bomb.tmx, line 1: expected plain text, got the entity 'a'"),
        (
            ["translation", "eng_Latn-hin_Deva=memory.tmx"],
            "memory.tmx has no text in hin_Deva; its languages are en, el",
        ),
        (
            ["translation", "news", "--pair", "rus_Cyrl"],
            "expected two names, such as hin_Deva-tam_Taml, got 'rus_Cyrl'",
        ),
        (
            ["translation", "news", "--pair", "rus_Cyrl-hin_Deva"],
            "news: expected text in hin_Deva, found ell_Grek, eng",
        ),
        (["translation", "news", "--max-ratio", "0"], "max_ratio must be a number, at least 1, got 0.0"),
        (["translation", "news", "--exclude", "nowhere"], "no such file: nowhere"),
        (["translation", "--hub", "a/b"], "expected CODE=NAME, such as hin_Deva=a/b, got 'a/b'"),
        (["translation", "--hub", "eng_Latn=a/b"], "hub:a/b/train: expected the codes of two languages"),
        (["nli", "el.nli.tsv"], "el.nli.tsv: its language is not known"),
        (
            ["nli", "eng_Latn=bad.nli.tsv"],
            "bad.nli.tsv, line 2: unknown label 'entails'; expected one of entailment, neutral, contradiction",
        ),
        (["nli", "eng_Latn.nli.tsv", "ell_Grek=bad.nli.tsv", "--form", "labels"], "bad.nli.tsv, line 2: unknown label"),
        (
            ["nli", "eng_Latn.nli.tsv", "--numbers", "yes,no"],
            "numbers name entailment, neutral, contradiction, each once",
        ),
        (
            ["nli", "eng_Latn=eng_Latn.sts.tsv"],
            "eng_Latn.sts.tsv: expected a column 'gold_label' or 'label'; found score",
        ),
        (["sts", "eng_Latn.sts.tsv", "--scale", "0", "4"], "line 2: expected a score from 0 to 4, got '5'"),
        (
            ["sts", "eng_Latn.sts.tsv", "ell_Grek=other.sts.tsv", "--cross"],
            "other.sts.tsv, line 3 has the score 1, eng_Latn.sts.tsv, line 3 has 0: expected row-aligned translations",
        ),
        (
            ["sts", "eng_Latn.sts.tsv", "--per-row", "3"],
            "per_row is at least 1 and bounds what cross adds; got 3, cross off",
        ),
        (
            ["sts", "eng_Latn.sts.tsv", "eng_Latn.sts.tsv"],
            "eng_Latn.sts.tsv is given 2 times; expected each source once",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(align, tmp_path, words, sentence):
    before = sorted(path.name for path in tmp_path.rglob("*"))
    code, printed, log = align(*words, "--out", "o")
    assert (code, printed) == (2, None)
    assert log.startswith("align: ") and sentence in log and len(log.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
