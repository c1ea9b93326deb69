import gzip
import hashlib
import json
import os
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import transliteration_pairs
from align.errors import InputError
from align.files.whole import read_json
from align.pairs import Filters, HubText, Share, Source
from align.text.normal_forms import normalised, text_hash

LATIN = str.maketrans("абвгдежклмнопрстуця", "abvgdezklmnoprstucq")


def fake(texts, language):
    return [text.lower().translate(LATIN) for text in texts]


def build(texts, out, **options):
    manifest = transliteration_pairs(texts, out, **{"romanizer": fake} | options)
    assert manifest == read_json(out / "manifest.json")
    assert manifest["lines"] == manifest["rows"] + sum(manifest["rejects"].values()) + manifest["not_sampled"]
    assert manifest["lines"] == sum(source["lines"] for source in manifest["sources"])
    return manifest


def rows(out):
    return pq.read_table(out / "pairs.parquet").to_pylist()


def rejects(out):
    lines = (out / "rejects.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "reason\tfile\tline\ttext" and lines[-1] == ""
    fields = [line.split("\t") for line in lines[1:-1]]
    return [(reason, Path(file).name, int(line), text) for reason, file, line, text in fields]


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def words(count, seed=0):
    generator = random.Random(seed)
    return ["".join(generator.choices("абвгдеклмнопрст", k=12)) for _ in range(count)]


def test_one_pair_by_hand(tmp_path):
    write(tmp_path / "in" / "rus_Cyrl.txt", " Едва мама ")
    manifest = build(tmp_path / "in", tmp_path / "out", licence="CC0")
    group = hashlib.blake2b("едва мама".encode(), digest_size=8).hexdigest()
    pair = {"source": "Едва мама", "target": "edva mama", "source_lang": "rus_Cyrl", "target_lang": "rus_Latn"}
    assert rows(tmp_path / "out") == [pair | {"kind": "transliteration", "group_id": group}]
    path = tmp_path / "in" / "rus_Cyrl.txt"
    source = {"name": str(path), "languages": ["rus_Cyrl"], "licence": "CC0", "human": False, "lines": 1}
    assert manifest["sources"] == [source | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}]
    assert manifest["romaniser"] == "given: fake"
    assert (manifest["kind"], manifest["rows"], manifest["scripts"]) == ("transliteration", 1, {"Cyrl": 1})
    assert manifest["options"]["filters"]["max_chars"] == 1000 and manifest["options"]["groups"] == "text"
    assert manifest["rejects"] == {} and not (tmp_path / "out" / "rejects.tsv").exists()


def test_each_reject_is_listed_with_its_line(tmp_path):
    write(tmp_path / "rus_Cyrl.txt", "мама", "", "а", "м" * 9, "12 34", "МАМА ", "мама!", "abc  De", "гггг", "рама")

    def romanizer(texts, language):
        return ["" if text == "гггг" else " ".join(text.split()).lower().translate(LATIN) for text in texts]

    manifest = build(tmp_path / "rus_Cyrl.txt", tmp_path / "out", filters=Filters(max_chars=8), romanizer=romanizer)
    assert sorted(rejects(tmp_path / "out"), key=lambda reject: reject[2]) == [
        ("empty", "rus_Cyrl.txt", 2, ""),
        ("too short", "rus_Cyrl.txt", 3, "а"),
        ("too long", "rus_Cyrl.txt", 4, "м" * 9),
        ("no letter", "rus_Cyrl.txt", 5, "12 34"),
        ("duplicate", "rus_Cyrl.txt", 6, "МАМА"),
        ("near duplicate", "rus_Cyrl.txt", 7, "мама!"),
        ("identity", "rus_Cyrl.txt", 8, "abc  De"),
        ("empty romanisation", "rus_Cyrl.txt", 9, "гггг"),
    ]
    assert set(manifest["rejects"].values()) == {1} and len(manifest["rejects"]) == 8
    assert [row["source"] for row in rows(tmp_path / "out")] == ["мама", "рама"]
    assert manifest["identity_pairs"] == 1


@pytest.mark.parametrize(("mode", "kept"), [("near", 2), ("exact", 4), ("keep", 6)])
def test_duplicates(tmp_path, mode, kept):
    path = write(tmp_path / "rus_Cyrl.txt", "мама", "МАМА", "мама 1", "мама  1", "мама 2", "рама")
    manifest = build(path, tmp_path / "out", filters=Filters(duplicates=mode))
    assert manifest["rows"] == kept
    sources = [row["source"] for row in rows(tmp_path / "out")]
    assert sources[0] == "мама" and sources[-1] == "рама"


def test_a_mark_that_nothing_shows_makes_no_other_line_and_no_pair(tmp_path):
    path = write(tmp_path / "rus_Cyrl.txt", "мама", "ма\u200bма", "\ufeffмама\u200f", "рама")
    assert build(path, tmp_path / "out")["rejects"] == {"duplicate": 2}
    latin = write(tmp_path / "deu_Latn.tsv", "Ha\u00adus\thaus", "Maus\tmus")
    manifest = build((), tmp_path / "latin", human={"deu_Latn": latin})
    assert (manifest["rejects"], manifest["rows"]) == ({"identity": 1}, 1)


def test_duplicates_against_a_loop(tmp_path):
    generator = random.Random(1)
    lines = [" ".join(generator.choices(["мама", "Мама", "1", "2.", "рама"], k=3)) for _ in range(300)]
    lines = [line for line in lines if any(character.isalpha() for character in line)]
    path = write(tmp_path / "rus_Cyrl.txt", *lines)
    build(path, tmp_path / "out")
    expected, exact, near = [], set(), set()
    for line in lines:
        key = " ".join(line.lower().split())
        letters = "".join(character for character in key if character.isalpha())
        if key in exact:
            expected.append("duplicate")
        elif letters in near:
            expected.append("near duplicate")
        else:
            expected.append("kept")
        exact.add(key)
        near.add(letters)
    found = {number: reason for reason, _, number, _ in rejects(tmp_path / "out")}
    assert [found.get(number, "kept") for number in range(1, len(lines) + 1)] == expected
    assert len(set(expected)) == 3


def test_duplicates_are_sought_in_one_language_only(tmp_path):
    for code in ("rus_Cyrl", "ukr_Cyrl"):
        write(tmp_path / "in" / f"{code}.txt", "мама")
    write(tmp_path / "in" / "rus_Cyrl.more.txt", "мама")
    build(tmp_path / "in", tmp_path / "out")
    pairs = rows(tmp_path / "out")
    assert [pair["source_lang"] for pair in pairs] == ["rus_Cyrl", "ukr_Cyrl"]
    assert pairs[0]["group_id"] == pairs[1]["group_id"]  # one text, one meaning, in any language


def test_identity_pairs_are_counted_and_kept_by_choice(tmp_path):
    path = write(tmp_path / "eng_Latn.txt", "Hello", "мир")
    for choice, count in (("drop", 1), ("keep", 2)):
        manifest = build(path, tmp_path / choice, filters=Filters(identity=choice))
        assert (manifest["rows"], manifest["identity_pairs"]) == (count, 1)
    assert manifest["rejects"] == {}


def test_full_width_text_is_no_identity_pair(tmp_path):
    path = write(tmp_path / "eng_Latn.txt", "Ｈｅｌｌｏ")
    assert build(path, tmp_path / "out", romanizer=lambda texts, language: ["Hello"])["identity_pairs"] == 0


def test_sampling(tmp_path):
    for code, count in (("rus_Cyrl", 200), ("ukr_Cyrl", 40), ("bel_Cyrl", 3)):
        write(tmp_path / "in" / f"{code}.txt", *words(count))
    share = Share(share=0.1, minimum=8, seed=3)
    manifest = build(tmp_path / "in", tmp_path / "out", share=share)
    assert manifest["available"] == {"rus_Cyrl": 200, "ukr_Cyrl": 40, "bel_Cyrl": 3}
    assert manifest["drawn"] == manifest["languages"] == {"rus_Cyrl": 20, "ukr_Cyrl": 8, "bel_Cyrl": 3}
    assert (manifest["not_sampled"], manifest["rejects"]) == (243 - 31, {})
    sources = [pair["source"] for pair in rows(tmp_path / "out") if pair["source_lang"] == "rus_Cyrl"]
    order = [words(200).index(source) for source in sources]
    assert order == sorted(order) and order != list(range(20))
    again = build(tmp_path / "in", tmp_path / "again", share=share)
    assert again["files"] == manifest["files"]
    assert build(tmp_path / "in", tmp_path / "other", share=Share(share=0.1, minimum=8))["files"] != manifest["files"]


def test_a_share_counts_usable_lines(tmp_path):
    lines = [line for word in words(20) for line in (word, word.upper(), "", "77")]
    manifest = build(write(tmp_path / "rus_Cyrl.txt", *lines), tmp_path / "out", share=Share(share=0.5))
    assert (manifest["available"], manifest["rows"], manifest["not_sampled"]) == ({"rus_Cyrl": 20}, 10, 10)
    assert manifest["rejects"] == {"duplicate": 20, "empty": 20, "no letter": 20}


def test_a_language_is_drawn_whatever_stands_beside_it(tmp_path):
    first = write(tmp_path / "rus_Cyrl.txt", *words(50))
    second = write(tmp_path / "ukr_Cyrl.txt", *words(50, seed=1))
    share = Share(share=0.2)
    both = build([first, second], tmp_path / "both", share=share)
    assert build([second, first], tmp_path / "reversed", share=share)["files"] == both["files"]
    build(first, tmp_path / "one", share=share)
    assert rows(tmp_path / "one") == [row for row in rows(tmp_path / "both") if row["source_lang"] == "rus_Cyrl"]


def test_every_form_of_file_gives_the_same_pairs(tmp_path):
    lines = [*words(30), "", "мама 1", "мама 2"]
    plain = write(tmp_path / "txt" / "rus_Cyrl.txt", *lines)
    records = [{"text": line} for line in lines]
    paths = [tmp_path / name / f"rus_Cyrl.{name}" for name in ("txt.gz", "jsonl", "parquet")]
    for path in paths:
        path.parent.mkdir()
    paths[0].write_bytes(gzip.compress(plain.read_bytes()))
    paths[1].write_text("".join(json.dumps(record) + "\n" for record in records))
    pq.write_table(pa.Table.from_pylist(records), paths[2])
    expected = build(plain, tmp_path / "out", share=Share(share=0.5))
    for path in paths:
        manifest = build(path, tmp_path / f"out.{path.name}", share=Share(share=0.5))
        assert manifest["files"]["pairs.parquet"] == expected["files"]["pairs.parquet"], path.name
        assert manifest["rejects"] == expected["rejects"] == {"empty": 1, "near duplicate": 1}


def test_a_file_of_many_languages_and_the_blocks_do_not_show(tmp_path, monkeypatch):
    records = [{"text": word, "lang": code} for word in words(20) for code in ("rus_Cyrl", "ukr_Cyrl")]
    records += [
        {"text": "мама", "lang": "q1"},
        {"text": "a\ud800", "lang": "rus_Cyrl"},
        {"text": 5, "lang": "rus_Cyrl"},
    ]
    path = write(tmp_path / "train.jsonl", *map(json.dumps, records))
    calls = []

    def romanizer(texts, language):
        calls.append((language, len(texts)))
        return [f" {language} {text}\n" for text in texts]

    files = []
    for size in (1, 7, 1000):
        monkeypatch.setattr("align.pairs.transliteration.BLOCK_LINES", size)
        manifest = build(path, tmp_path / str(size), romanizer=romanizer)
        files.append(manifest["files"])
    assert manifest["sources"][0]["languages"] == ["rus_Cyrl", "ukr_Cyrl"]
    assert manifest["languages_without_pairs"] == []
    assert files[0] == files[1] == files[2]
    assert calls[:40] == [("rus_Cyrl", 1), ("ukr_Cyrl", 1)] * 20
    assert calls[-2:] == [("rus_Cyrl", 20), ("ukr_Cyrl", 20)]
    assert [row["source"] for row in rows(tmp_path / "1")] == [record["text"] for record in records[:40]]
    assert all(row["target"] == f"{row['source_lang']} {row['source']}" for row in rows(tmp_path / "1"))
    reasons = Counter(reason for reason, *_ in rejects(tmp_path / "1"))
    assert reasons == {"unknown language code": 1, "lone surrogate": 1, "no text": 1}


def test_human_romanisations(tmp_path):
    text = write(tmp_path / "rus_Cyrl.txt", "мама", "рама")
    human = write(tmp_path / "rus_Cyrl.tsv", "native\troman", "мама\tmama", "мама\tmamma", "Мама\tMama", "дом")
    manifest = build(text, tmp_path / "out", human=human, share=Share(cap=1))
    pairs = rows(tmp_path / "out")
    assert [pair["kind"] for pair in pairs] == ["transliteration", "human transliteration", "human transliteration"]
    assert [(pair["source"], pair["target"]) for pair in pairs[1:]] == [("мама", "mama"), ("мама", "mamma")]
    assert pairs[1]["group_id"] == pairs[2]["group_id"] == f"{text_hash(normalised('Мама')):016x}"
    assert [reject[:3] for reject in rejects(tmp_path / "out")] == [
        ("duplicate", "rus_Cyrl.tsv", 4),
        ("one column", "rus_Cyrl.tsv", 5),
    ]
    assert manifest["not_sampled"] == 1 and [source["human"] for source in manifest["sources"]] == [False, True]


def test_groups_by_line(tmp_path):
    write(tmp_path / "bible" / "rus_Cyrl.txt", "мама", "", "рама")
    write(tmp_path / "bible" / "ukr_Cyrl.txt", "мамо", "дом", "раму")
    build(tmp_path / "bible", tmp_path / "out", groups="line")
    found = {(pair["source_lang"], pair["source"]): pair["group_id"] for pair in rows(tmp_path / "out")}
    assert found == {
        ("rus_Cyrl", "мама"): "bible:1",
        ("rus_Cyrl", "рама"): "bible:3",
        ("ukr_Cyrl", "мамо"): "bible:1",
        ("ukr_Cyrl", "дом"): "bible:2",
        ("ukr_Cyrl", "раму"): "bible:3",
    }


def test_groups_by_line_need_aligned_files(tmp_path):
    write(tmp_path / "in" / "rus_Cyrl.txt", "мама", "рама")
    path = write(tmp_path / "in" / "ukr_Cyrl.txt", "мамо")
    with pytest.raises(InputError, match=r"ukr_Cyrl\.txt has 1 lines and .*rus_Cyrl\.txt has 2"):
        build(tmp_path / "in", tmp_path / "out", groups="line")
    human = write(tmp_path / "rus_Cyrl.tsv", "мама\tmama")
    with pytest.raises(InputError, match=r"rus_Cyrl\.tsv: groups by line need files of one language"):
        build(path, tmp_path / "out", human=human, groups="line")
    records = [{"text": "мама", "lang": code} for code in ("rus_Cyrl", "ukr_Cyrl")]
    mixed = write(tmp_path / "mixed.jsonl", *map(json.dumps, records))
    with pytest.raises(InputError, match=r"mixed\.jsonl: groups by line"):
        build(mixed, tmp_path / "out", groups="line")
    assert not (tmp_path / "out").exists()


def test_hub_text(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: iter([{"text": "мама"}, {"text": "рама"}]))
    source = HubText("a/b", "rus_Cyrl", revision="c0ffee", licence="CC0")
    manifest = build([source], tmp_path / "out", groups="line")
    assert [row["group_id"] for row in rows(tmp_path / "out")] == ["a/b:1", "a/b:2"]
    entry = {"name": "hub:a/b/rus_Cyrl/train", "languages": ["rus_Cyrl"], "licence": "CC0", "human": False, "lines": 2}
    assert manifest["sources"] == [entry | {"revision": "c0ffee"}]


@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2), (2, 0)])
def test_a_source_that_changes_between_the_passes(tmp_path, monkeypatch, first, second):
    datasets = pytest.importorskip("datasets")
    streams = iter([words(first), words(second)])
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: iter([{"text": text} for text in next(streams)]))
    with pytest.raises(InputError, match=r"hub:a/b/rus_Cyrl/train (changed while it was read|is empty)"):
        build(HubText("a/b", "rus_Cyrl"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_when_a_later_file_is_bad(tmp_path):
    write(tmp_path / "in" / "rus_Cyrl.txt", *words(5))
    (tmp_path / "in" / "ukr_Cyrl.txt").write_bytes(b"\xff\n\xff\n")
    called = []
    with pytest.raises(InputError, match="line 1: invalid UTF-8"):
        build(tmp_path / "in", tmp_path / "out", romanizer=lambda texts, language: called.append(1))
    assert called == [] and [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("broken", [RuntimeError("crash"), KeyboardInterrupt()])
def test_nothing_is_written_when_the_romaniser_fails(tmp_path, broken):
    path = write(tmp_path / "rus_Cyrl.txt", "мама", "")

    def romanizer(texts, language):
        raise broken

    with pytest.raises(type(broken)):
        build(path, tmp_path / "out", romanizer=romanizer)
    assert list(tmp_path.iterdir()) == [path]


def test_a_romaniser_that_loses_a_text(tmp_path):
    path = write(tmp_path / "rus_Cyrl.txt", "мама", "рама")
    with pytest.raises(InputError, match="the romaniser gave 1 texts for 2 of rus_Cyrl"):
        build(path, tmp_path / "out", romanizer=lambda texts, language: texts[1:])


def test_nothing_left(tmp_path):
    path = write(tmp_path / "eng_Latn.txt", "hello", "", "7")
    with pytest.raises(InputError, match=r"no pair is left to write; set aside: .*'empty': 1.*'identity': 1"):
        build(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_language_without_pairs_is_reported(tmp_path, caplog):
    write(tmp_path / "in" / "eng_Latn.txt", "hello")
    write(tmp_path / "in" / "rus_Cyrl.txt", "мама")
    manifest = build(tmp_path / "in", tmp_path / "out")
    assert manifest["languages_without_pairs"] == ["eng_Latn"]
    assert "no pair is left of eng_Latn" in caplog.text


def test_bad_options(tmp_path):
    path = write(tmp_path / "rus_Cyrl.txt", "мама")
    with pytest.raises(InputError, match="groups is one of text, line; got 'verse'"):
        build(path, tmp_path / "out", groups="verse")
    with pytest.raises(InputError, match="no text is given"):
        build((), tmp_path / "out")


def test_real_dakshina(tmp_path):
    folder = os.environ.get("ALIGN_DATA")
    if not folder:
        pytest.skip("ALIGN_DATA is not set")
    path = Path(folder) / "dakshina" / "sentences" / "hi.dev.tsv"
    manifest = build((), tmp_path / "out", human={"hin_Deva": path}, licence="CC BY-SA 4.0")
    assert manifest["lines"] == 2000 and manifest["rows"] > 1950
    assert rows(tmp_path / "out")[1]["target"] == "vilupti ki kagaar par gunkaari tikhur"


def test_the_real_romaniser(tmp_path):
    path = write(tmp_path / "rus_Cyrl.txt", "мама мыла раму")
    source = Source(path, licence="CC0")
    manifest = build(source, tmp_path / "out", romanizer=None)
    assert rows(tmp_path / "out")[0]["target"] == "mama myla ramu"
    assert "uroman" in manifest["romaniser"]


def test_texts_as_the_people_of_human_romanisations_spell(tmp_path):
    (tmp_path / "bul_Cyrl.txt").write_text("град\nгрог\n", encoding="utf-8")
    (tmp_path / "rus_Cyrl.txt").write_text("град\n", encoding="utf-8")
    (tmp_path / "human").mkdir()
    (tmp_path / "human" / "bul_Cyrl.tsv").write_text("native\troman\nград\tghrad\n", encoding="utf-8")
    texts = [tmp_path / "bul_Cyrl.txt", tmp_path / "rus_Cyrl.txt"]
    manifest = build(texts, tmp_path / "out", human=tmp_path / "human", respell=True, share=Share(seed=7))
    found = [(row["source_lang"], row["source"], row["target"], row["kind"]) for row in rows(tmp_path / "out")]
    assert found == [
        ("bul_Cyrl", "град", "ghrad", "transliteration"),
        ("bul_Cyrl", "грог", "ghrog", "transliteration"),
        ("rus_Cyrl", "град", "grad", "transliteration"),
        ("bul_Cyrl", "град", "ghrad", "human transliteration"),
    ]
    assert manifest["romaniser"] == "given: fake; as people spell it, seed 7: bul_Cyrl (1 words)"
    with pytest.raises(InputError, match="respelling needs human romanisations"):
        build(texts, tmp_path / "other", respell=True)
    assert not (tmp_path / "other").exists()
