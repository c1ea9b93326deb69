import hashlib
import json
import os
import random
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import nli_pairs, read_pairs, sts_pairs
from align.errors import InputError
from align.files.licences import allowing
from align.files.whole import read_json
from align.pairs import HubRows

TSV = "label\tpremise\thypothesis"
XNLI = "language\tgold_label\tsentence1_parse\tsentence1\tsentence2\tpromptID\tpairID"


def build(texts, out, **options):
    manifest = nli_pairs(texts, out, **options)
    assert manifest == read_json(out / "manifest.json")
    left = sum(manifest["left_out"].values()) + sum(manifest["rejects"].values())
    assert manifest["lines"] == manifest["rows"] + manifest["negatives"] + left
    assert sum(manifest["labels"].values()) == manifest["lines"] - sum(manifest["rejects"].values())
    assert all(row["kind"] == "nli" for row in rows(out))
    return manifest


def rows(out):
    return pq.read_table(out / "pairs.parquet").to_pylist()


def triplets(out):
    return [(row["source"], row["target"], row["negative"]) for row in rows(out)]


def rejects(out):
    lines = (out / "rejects.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
    return [(reason, Path(file).name, int(line)) for reason, file, line, _ in (line.split("\t") for line in lines)]


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def digest(text):
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


ROWS = [
    "entailment\tA man sings.\tSomeone sings.",
    "contradiction\tA man sings.\tNobody sings.",
    "neutral\tA man sings.\tHe is glad.",
    "entailment\t a  MAN sings. \tThere is song.",
    "entailment\tA man sings.\tA man is there.",
    "contradiction\tA man sings.\tA man sleeps.",
    "contradiction\tTwo dogs run.\tTwo dogs sleep.",
    "entailment\tIt rains.\tIt is wet.",
]


def test_contradictions_are_dealt_round(tmp_path):
    path = write(tmp_path / "eng_Latn.dev.tsv", TSV, *ROWS)
    manifest = build(path, tmp_path / "out", licence="CC0")
    assert triplets(tmp_path / "out") == [
        ("A man sings.", "Someone sings.", "Nobody sings."),
        ("a  MAN sings.", "There is song.", "A man sleeps."),
        ("A man sings.", "A man is there.", "Nobody sings."),
    ]
    assert {row["group_id"] for row in rows(tmp_path / "out")} == {digest("a man sings.")}
    assert {(row["source_lang"], row["target_lang"]) for row in rows(tmp_path / "out")} == {("eng_Latn", "eng_Latn")}
    assert manifest["labels"] == {"entailment": 4, "contradiction": 3, "neutral": 1}
    assert (manifest["lines"], manifest["rows"], manifest["negatives"]) == (8, 3, 2)
    assert manifest["left_out"] == {
        "neutral": 1,
        "contradiction without entailment": 1,
        "entailment without contradiction": 1,
    }
    entry = {"name": str(path), "languages": ["eng_Latn"], "licence": "CC0", "lines": 8}
    assert manifest["sources"] == [entry | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}]
    options = {"form": "triplets", "parallel": False, "numbers": ["entailment", "neutral", "contradiction"]}
    assert (manifest["kind"], manifest["licences"], manifest["options"]) == ("nli", ["CC0"], options)


def test_more_contradictions_than_entailments(tmp_path):
    lines = ["entailment\tp\te"] + [f"contradiction\tp\tc{i}" for i in range(3)]
    manifest = build(write(tmp_path / "eng_Latn.tsv", TSV, *lines), tmp_path / "out")
    assert triplets(tmp_path / "out") == [("p", "e", "c0")]
    assert (manifest["negatives"], manifest["left_out"]) == (1, {"contradiction beyond the entailments": 2})


def test_triplets_against_a_loop(tmp_path):
    generator = random.Random(2)
    drawn = [(generator.choice(["e", "n", "c"]), f"premise {generator.randrange(12)}", f"h{i}") for i in range(120)]
    build(write(tmp_path / "eng_Latn.tsv", TSV, *map("\t".join, drawn)), tmp_path / "out")
    expected = []
    for premise in dict.fromkeys(premise for _, premise, _ in drawn):
        by_label = defaultdict(list)
        for label, other, hypothesis in drawn:
            if other == premise:
                by_label[label].append(hypothesis)
        for i, entailed in enumerate(by_label["e"]):
            if by_label["c"]:
                expected.append((premise, entailed, by_label["c"][i % len(by_label["c"])]))
    assert sorted(triplets(tmp_path / "out")) == sorted(expected) and len(expected) > 20


def test_pairs_take_every_entailment(tmp_path):
    manifest = build(write(tmp_path / "eng_Latn.tsv", TSV, *ROWS), tmp_path / "out", form="pairs")
    assert [row["target"] for row in rows(tmp_path / "out")] == [
        "Someone sings.",
        "There is song.",
        "A man is there.",
        "It is wet.",
    ]
    assert "negative" not in rows(tmp_path / "out")[0]
    assert manifest["left_out"] == {"neutral": 1, "contradiction": 3} and manifest["negatives"] == 0


def test_labels_are_kept_and_read_back(tmp_path):
    manifest = build(write(tmp_path / "eng_Latn.tsv", TSV, *ROWS), tmp_path / "out", form="labels")
    assert [row["label"] for row in rows(tmp_path / "out")] == [line.partition("\t")[0] for line in ROWS]
    assert manifest["rows"] == 8 and manifest["left_out"] == {}
    pytest.importorskip("datasets")
    table = read_pairs(tmp_path / "out")
    assert table.column_names[-1] == "label" and table["label"][:3] == ["entailment", "contradiction", "neutral"]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_table_with_an_unknown_label(tmp_path, ending, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    base = {"source": "a", "target": "b", "source_lang": "eng_Latn", "target_lang": "eng_Latn"}
    path = tmp_path / f"a{ending}"

    def save(*labels):
        records = [base | {"label": label} for label in labels]
        if ending == ".parquet":
            pq.write_table(pa.Table.from_pylist(records), path)
        else:
            write(path, *map(json.dumps, records))
        return path

    assert read_pairs(save("neutral", None))["label"][:] == ["neutral", None]
    with pytest.raises(InputError, match=r"a\.\w+, \w+ 2: label is none of entailment, neutral, contradiction"):
        read_pairs(save("neutral", "entailed"))


SNLI = [
    {
        "gold_label": "entailment",
        "sentence1": "p",
        "sentence2": "e",
        "annotator_labels": ["entailment"],
        "pairID": "1e",
    },
    {"gold_label": "-", "sentence1": "p", "sentence2": "?", "annotator_labels": ["neutral"], "pairID": "1n"},
    {"gold_label": "contradiction", "sentence1": "p", "sentence2": "c", "annotator_labels": [], "pairID": "1c"},
]


def test_snli(tmp_path):
    path = write(tmp_path / "eng_Latn.snli_1.0_dev.jsonl", *map(json.dumps, SNLI))
    build(path, tmp_path / "out")
    assert triplets(tmp_path / "out") == [("p", "e", "c")]
    assert rejects(tmp_path / "out") == [("no label", path.name, 2)]


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (["entailment", "neutral", "contradiction", "-"], {}),
        ([" Entailment", "NEUTRAL", "Contradiction", ""], {}),
        (["e", "n", "c", "-1"], {}),
        (["0.0", "1.0", "2.0", "-1.0"], {}),
        (["0", "1", "2", "NA"], {}),
        (["0", "1", "2", "-"], {}),
        (["0.0", "1.00", "2.0", "NaN"], {}),  # as pandas writes them beside a missing one
        (["2", "1", "0", "-"], {"numbers": ["contradiction", "neutral", "entailment"]}),
    ],
)
def test_every_spelling_of_a_label(tmp_path, labels, options):
    lines = [f"{label}\tp\th{i}" for i, label in enumerate(labels)]
    manifest = build(write(tmp_path / "eng_Latn.tsv", TSV, *lines), tmp_path / "out", form="labels", **options)
    assert [row["label"] for row in rows(tmp_path / "out")] == ["entailment", "neutral", "contradiction"]
    assert manifest["rejects"] == {"no label": 1}


def test_numbers_of_json_are_labels_also_as_floats(tmp_path):
    lines = [f'{{"premise": "p", "hypothesis": "h{i}", "label": {label}}}' for i, label in enumerate(("0.0", 2, "NaN"))]
    manifest = build(write(tmp_path / "eng_Latn.jsonl", *lines), tmp_path / "out", form="labels")
    assert [row["label"] for row in rows(tmp_path / "out")] == ["entailment", "contradiction"]
    assert manifest["rejects"] == {"no label": 1}


def test_lines_of_white_space_are_passed_over(tmp_path):
    lines = ["0\tp\th", "", "2\tp\tk", "\t\t", "  "]
    manifest = build(write(tmp_path / "eng_Latn.tsv", TSV, *lines), tmp_path / "out", form="labels")
    assert (manifest["lines"], manifest["rows"], manifest["rejects"]) == (2, 2, {})


@pytest.mark.parametrize("label", ["entailed", "3", "contradictory", "0.5", "3.0"])
def test_an_unknown_label(tmp_path, label):
    path = write(tmp_path / "eng_Latn.tsv", TSV, "neutral\tp\th", f"{label}\tp\th2")
    known = "entailment, neutral, contradiction, e, n, c, 0, 1, 2, or - for none"
    with pytest.raises(InputError, match=rf"eng_Latn\.tsv, line 3: unknown label '{label}'; expected one of {known}"):
        build(path, tmp_path / "out", form="labels")
    assert list(tmp_path.iterdir()) == [path]


def test_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(*words, **options):
        asked.append(words)
        texts = [("p", "e", 0), ("p", "n", 1), ("p", "c", 2), ("p", "x", -1)]
        return iter([{"premise": a, "hypothesis": b, "label": label} for a, b, label in texts])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = HubRows("facebook/xnli", "ur", "validation", ("urd_Arab",), licence="CC BY-NC 4.0")
    with pytest.raises(
        InputError, match=r"not for commercial use: if yours is none, .* --allow-licenses cc-by-nc-4\.0 "
    ):
        build(source, tmp_path / "out")
    with allowing(["CC BY-NC 4.0"]):
        manifest = build(source, tmp_path / "out")
    assert asked == [("facebook/xnli", "ur")]
    assert triplets(tmp_path / "out") == [("p", "e", "c")]
    assert manifest["rejects"] == {"no label": 1} and manifest["licences"] == ["CC BY-NC 4.0"]
    assert manifest["sources"][0]["name"] == "hub:facebook/xnli/ur/validation"


def xnli(language, texts):
    labels = ["entailment", "contradiction"]
    return [
        f"{language}\t{labels[i % 2]}\t\t{premise}\t{hypothesis}\t{i // 2 + 1}\t{i + 1}"
        for i, (premise, hypothesis) in enumerate(texts)
    ]


def test_xnli_groups_by_the_english_premise(tmp_path):
    greek = [("Α", "α1"), ("Α", "α2"), ("Β", "β1"), ("Β", "β2"), ("Γ", "γ1"), ("Δ", "γ2")]
    english = [("A", "a1"), ("A", "a2"), ("B", "b1"), ("B", "b2")]
    path = write(tmp_path / "xnli.dev.tsv", XNLI, *xnli("el", greek), *xnli("en", english))
    manifest = build(path, tmp_path / "out", form="pairs")
    found = {(row["source_lang"], row["target"]): row["group_id"] for row in rows(tmp_path / "out")}
    assert found == {
        ("ell_Grek", "α1"): digest("a"),
        ("eng_Latn", "a1"): digest("a"),
        ("ell_Grek", "β1"): digest("b"),
        ("eng_Latn", "b1"): digest("b"),
        ("ell_Grek", "γ1"): digest("γ"),  # no English row
    }
    assert manifest["sources"][0]["languages"] == ["ell_Grek", "eng_Latn"]
    write(path, XNLI, *xnli("el", greek), *xnli("ru", [("Р", "р1"), ("Р", "р2")]))
    build(path, tmp_path / "out", form="pairs")
    assert rows(tmp_path / "out")[3]["source_lang"] == "rus_Cyrl"
    assert rows(tmp_path / "out")[3]["group_id"] == rows(tmp_path / "out")[0]["group_id"] == digest("α")


def test_one_language_groups_by_its_own_text(tmp_path):
    records = [record | {"sentence1": f"p{i}", "pairID": "same"} for i, record in enumerate(SNLI)]
    build(write(tmp_path / "eng_Latn.jsonl", *map(json.dumps, records)), tmp_path / "out", form="labels")
    assert [row["group_id"] for row in rows(tmp_path / "out")] == [digest("p0"), digest("p2")]


def test_languages_of_rows(tmp_path):
    path = write(tmp_path / "xnli.tsv", XNLI, *xnli("hin_Deva", [("p", "e")]))
    assert build(path, tmp_path / "out", form="pairs")["languages"] == {"hin_Deva": 1}
    write(path, XNLI, *xnli("en", [("p", "e")]), *xnli("q1", [("p", "e")]))
    with pytest.raises(InputError, match=r"xnli\.tsv, line 3: unknown language code 'q1'"):
        build(path, tmp_path / "no")
    with pytest.raises(InputError, match=r"line 2: the row is in 'en', but the source was given as ell_Grek"):
        build({"ell_Grek": path}, tmp_path / "no")
    write(path, XNLI, *xnli("zh", [("p", "e")]))
    assert build({"cmn_Hans": path}, tmp_path / "out", form="pairs")["languages"] == {"cmn_Hans": 1}
    assert build(path, tmp_path / "out", form="pairs")["languages"] == {"zho_Hans": 1}


def test_premise_and_hypothesis_may_be_of_two_languages(tmp_path):
    build(write(tmp_path / "eng_Latn-hin_Deva.tsv", TSV, "e\tp\tह"), tmp_path / "out", form="pairs")
    assert (rows(tmp_path / "out")[0]["source_lang"], rows(tmp_path / "out")[0]["target_lang"]) == (
        "eng_Latn",
        "hin_Deva",
    )


@pytest.fixture
def parallel(tmp_path):
    """The same rows in two languages; English says the first premise twice where Greek varies it."""
    english = ["e\tA\ta1", "c\tA\ta2", "-\tA\ta3", "e\tA\ta4", "e\t\tb1", "c\tC\tc1"]
    greek = ["e\tΑ\tα1", "c\tΑ\tα2", "-\tΑ\tα3", "e\tΆλλη\tα4", "e\tΒ\tβ1", "c\tΓ\tγ1"]
    return {
        "eng_Latn": write(tmp_path / "en.tsv", TSV, *english),
        "ell_Grek": write(tmp_path / "el.tsv", TSV, *greek),
    }


def test_translations_share_the_premise(tmp_path, parallel):
    manifest = build(parallel, tmp_path / "out", form="labels", parallel=True)
    groups = {row["target"]: row["group_id"] for row in rows(tmp_path / "out")}
    assert {groups[name] for name in ("a1", "a2", "a4", "α1", "α2", "α4")} == {digest("a")}
    assert groups["c1"] == groups["γ1"] == digest("c")
    assert len(set(groups.values())) == 3  # Β stands alone: English lacks it
    assert rejects(tmp_path / "out") == [
        ("no label", "en.tsv", 4),
        ("empty", "en.tsv", 6),
        ("no label", "el.tsv", 4),
    ]
    assert manifest["options"]["parallel"] is True
    build(parallel, tmp_path / "out", form="labels")
    groups = {row["target"]: row["group_id"] for row in rows(tmp_path / "out")}
    assert (groups["α1"], groups["α4"], groups["a1"]) == (digest("α"), digest("άλλη"), digest("a"))


def test_a_premise_that_the_first_source_lacks_is_one_in_the_others(tmp_path, parallel):
    parallel["rus_Cyrl"] = write(
        tmp_path / "ru.tsv", TSV, "e\tА\tа1", "c\tА\tа2", "-\tА\tа3", "e\tА\tа4", "e\tБ\tб1", "c\tВ\tв1"
    )
    build(parallel, tmp_path / "out", form="labels", parallel=True)
    groups = {row["target"]: row["group_id"] for row in rows(tmp_path / "out")}
    assert groups["β1"] == groups["б1"]
    assert Counter(groups.values())[groups["б1"]] == 2


def test_sources_that_are_no_translations(tmp_path, parallel):
    write(parallel["ell_Grek"], TSV, "e\tΑ\tα1", "n\tΑ\tα2", "e\tΑ\tα2", "-\tΑ\tα3", "e\tΒ\tβ1", "c\tΓ\tγ1")
    message = r"el\.tsv, line 3 has the label neutral, .*en\.tsv, line 3 has contradiction: expected row-aligned transl"
    with pytest.raises(InputError, match=message):
        build(parallel, tmp_path / "out", parallel=True)
    write(parallel["ell_Grek"], TSV, "e\tΑ\tα1", "c\tΑ\tα2")
    with pytest.raises(InputError, match=r"el\.tsv has 2 rows and .*en\.tsv has 6: expected row-aligned translations"):
        build(parallel, tmp_path / "out", parallel=True)
    with pytest.raises(InputError, match=r"en\.tsv has 6 rows and .*el\.tsv has 2"):
        build(dict(reversed(parallel.items())), tmp_path / "out", parallel=True)
    assert not (tmp_path / "out").exists()


def test_rows_that_are_rejected(tmp_path):
    lines = ["e\tp\th", "e\tP \t H", "n\tp\th", "c\t\th", "c\tp\t", "-\tp\tx", "c\tp\tk"]
    path = write(tmp_path / "eng_Latn.tsv", TSV, *lines)
    manifest = build(path, tmp_path / "out")
    assert triplets(tmp_path / "out") == [("p", "h", "k")]  # h is never its own negative
    assert rejects(tmp_path / "out") == [
        ("duplicate", path.name, 3),
        ("another label before", path.name, 4),
        ("empty", path.name, 5),
        ("empty", path.name, 6),
        ("no label", path.name, 7),
    ]
    assert manifest["left_out"] == {}


def test_duplicates_are_sought_in_one_language(tmp_path):
    files = [write(tmp_path / name, TSV, "e\tp\th") for name in ("deu_Latn.tsv", "nld_Latn.a.tsv", "nld_Latn.b.tsv")]
    manifest = build(files, tmp_path / "out", form="pairs")
    assert manifest["languages"] == {"deu_Latn": 1, "nld_Latn": 1}
    assert rejects(tmp_path / "out") == [("duplicate", "nld_Latn.b.tsv", 2)]


def test_texts_that_are_none(tmp_path):
    records = [
        {"label": 0, "premise": 5, "hypothesis": "h"},
        {"label": 0, "premise": "a\ud800", "hypothesis": "h"},
        {"label": 0, "premise": "p"},
        {"label": 0, "premise": "p", "hypothesis": "h"},
    ]
    path = write(tmp_path / "eng_Latn.jsonl", *map(json.dumps, records))
    build(path, tmp_path / "out", form="pairs", parallel=True)
    assert rejects(tmp_path / "out") == [
        ("no text", path.name, 1),
        ("lone surrogate", path.name, 2),
        ("empty", path.name, 3),
    ]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("eng_Latn.tsv", [], "is empty"),
        ("eng_Latn.tsv", [TSV], "is empty"),
        ("eng_Latn.tsv", [TSV, "e\tp"], "line 2: expected 3 columns as in line 1, got 2"),
        (
            "eng_Latn.tsv",
            ["gold\tpremise\thypothesis", "e\tp\th"],
            "a column 'gold_label' or 'label'; found gold, prem",
        ),
        ("eng_Latn.tsv", ["label\ttext\thypothesis", "e\tp\th"], "expected a column 'premise' or 'sentence1'; found"),
        ("eng_Latn.tsv", ["label\tpremise\ttext", "e\tp\th"], "expected a column 'hypothesis' or 'sentence2'; found"),
        ("en.tsv", [TSV, "e\tp\th"], r"its language is not known: name the file by it, give CODE=FILE"),
        ("eng_Latn.txt", [TSV], r"eng_Latn\.txt: expected a file that ends in \.tsv"),
        ("eng_Latn.jsonl", ["[]"], "line 1: expected a JSON object, got list"),
    ],
)
def test_bad_files(tmp_path, name, lines, message):
    with pytest.raises(InputError, match=rf"{name}.*{message}" if message not in name else message):
        build(write(tmp_path / name, *lines), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_options(tmp_path):
    path = write(tmp_path / "eng_Latn.tsv", TSV, *ROWS)
    with pytest.raises(InputError, match="form is one of triplets, pairs, labels; got 'triples'"):
        build(path, tmp_path / "out", form="triples")
    for numbers in (["entailment", "neutral"], ["entailment", "neutral", "neutral"]):
        with pytest.raises(InputError, match="numbers name entailment, neutral, contradiction, each once; got entail"):
            build(path, tmp_path / "out", numbers=numbers)


def test_nothing_left(tmp_path):
    path = write(tmp_path / "eng_Latn.tsv", TSV, "e\tp\th", "-\tp\tk")
    message = (
        r"the rows make no triplets; left out: \{'entailment without contradiction': 1\}; rejected: \{'no label': 1\}"
    )
    with pytest.raises(InputError, match=message):
        build(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_language_without_pairs_is_reported(tmp_path, caplog):
    write(tmp_path / "in" / "eng_Latn.tsv", TSV, *ROWS)
    write(tmp_path / "in" / "jpn_Jpan.tsv", TSV, "e\tp\th")
    assert build(tmp_path / "in", tmp_path / "out")["languages_without_pairs"] == ["jpn_Jpan"]
    assert "no pair is left of jpn_Jpan" in caplog.text


def test_real_nli(tmp_path):
    data = os.environ.get("ALIGN_DATA")
    if not data:
        pytest.skip("ALIGN_DATA is not set")
    path = Path(data) / "nli" / "ko.klue.dev.tsv"
    manifest = build({"kor_Hang": path}, tmp_path / "out", licence="CC BY-SA 4.0")
    assert manifest["labels"] == {"contradiction": 1000, "entailment": 1000, "neutral": 1000}
    assert manifest["rows"] == 1000 and manifest["negatives"] == 1000


@pytest.mark.parametrize("kind", ["nli", "sts"])
def test_groups_do_not_depend_on_the_folder(tmp_path, kind):
    head, value = {"nli": (TSV, "e"), "sts": ("score\tsentence1\tsentence2", "5")}[kind]
    tables = []
    for place in ("home", "server"):
        folder = tmp_path / place
        folder.mkdir()
        files = {
            "eng_Latn": write(folder / "eng_Latn.tsv", head, f"{value}\t\tit sleeps", f"{value}\ta dog\tan animal"),
            "deu_Latn": write(folder / "deu_Latn.tsv", head, f"{value}\tein Hund\tes", f"{value}\tein Hund\tein Tier"),
        }
        if kind == "nli":
            nli_pairs(files, folder / "out", form="labels", parallel=True)
        else:
            sts_pairs(files, folder / "out", parallel=True)
        tables.append([row["group_id"] for row in rows(folder / "out")])
    assert tables[0] == tables[1] and len(set(tables[0])) == 2
