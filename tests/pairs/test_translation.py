import gzip
import hashlib
import json
import lzma
import os
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import translation_pairs
from align.errors import InputError
from align.files.licences import allowing
from align.files.whole import read_json
from align.pairs import HubRows, RowFile, TranslationFilters
from align.pairs.filters.texts import letters
from align.pairs.reading.bitext import read_bitext
from align.pairs.reading.tmx import read_tmx
from align.text.tags import is_tagged

ENGLISH = ["The black cat sleeps.", "Two dogs run.", "It rains today."]
GREEK = ["Η μαύρη γάτα κοιμάται.", "Δύο σκύλοι τρέχουν.", "Σήμερα βρέχει."]
RUSSIAN = ["Чёрная кошка спит.", "Две собаки бегут.", "Сегодня идёт дождь."]


def build(texts, out, **options):
    manifest = translation_pairs(texts, out, **options)
    assert manifest == read_json(out / "manifest.json")
    assert manifest["lines"] == manifest["rows"] + sum(manifest["rejects"].values())
    assert sum(manifest["language_pairs"].values()) == manifest["rows"]
    return manifest


def rows(out):
    return pq.read_table(out / "pairs.parquet").to_pylist()


def rejects(out):
    lines = (out / "rejects.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
    return [(reason, Path(file).name, int(line)) for reason, file, line, _ in (line.split("\t") for line in lines)]


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def digest(text):
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def sides(out):
    return [(row["source_lang"], row["target_lang"]) for row in rows(out)]


@pytest.fixture
def folder(tmp_path):
    for code, lines in (("ell_Grek", GREEK), ("eng_Latn", ENGLISH), ("rus_Cyrl", RUSSIAN)):
        write(tmp_path / "news" / f"{code}.txt", *lines)
    return tmp_path / "news"


def test_one_pair_by_hand(tmp_path):
    source, target = write(tmp_path / "corpus.en", " Two  Dogs "), write(tmp_path / "corpus.el.gz", "Δύο σκύλοι")
    manifest = build({"ell_Grek": target, "eng_Latn": source}, tmp_path / "out", licence="CC0")
    pair = {"source": "Two  Dogs", "target": "Δύο σκύλοι", "source_lang": "eng_Latn", "target_lang": "ell_Grek"}
    assert rows(tmp_path / "out") == [pair | {"kind": "translation", "group_id": digest("two dogs")}]
    entry = {"name": str(source), "languages": ["eng_Latn"], "licence": "CC0", "lines": 1}
    assert manifest["sources"][0] == entry | {"sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    assert manifest["sources"][1]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert (manifest["kind"], manifest["lines"], manifest["licences"]) == ("translation", 1, ["CC0"])
    assert manifest["language_pairs"] == {"eng_Latn-ell_Grek": 1}
    assert manifest["options"]["filters"]["max_ratio"] == 4.0 and manifest["options"]["identify"] == "none"
    assert not (tmp_path / "out" / "rejects.tsv").exists()


def test_the_pivot_and_its_side(tmp_path, folder):
    greek, english, russian = (folder / f"{code}.txt" for code in ("ell_Grek", "eng_Latn", "rus_Cyrl"))
    cases = [
        ([greek, english], {}, ("eng_Latn", "ell_Grek")),
        ([greek, english], {"pivot_side": "target"}, ("ell_Grek", "eng_Latn")),
        ([greek, english], {"pivot": "ell_Grek"}, ("ell_Grek", "eng_Latn")),
        ([russian, greek], {}, ("rus_Cyrl", "ell_Grek")),
        ([greek, russian], {}, ("ell_Grek", "rus_Cyrl")),
        ([greek, russian], {"pairs": [("rus_Cyrl", "ell_Grek")]}, ("rus_Cyrl", "ell_Grek")),
    ]
    for texts, options, expected in cases:
        build(texts, tmp_path / "out", **options)
        assert sides(tmp_path / "out") == [expected] * 3, (texts, options)


def test_a_folder_of_many_languages(tmp_path, folder, caplog):
    write(folder / "ids.tsv", "1", "2", "3")
    manifest = build(folder, tmp_path / "out")
    assert "news: not read: ids.tsv" in caplog.text
    assert manifest["language_pairs"] == {"eng_Latn-ell_Grek": 3, "eng_Latn-rus_Cyrl": 3}
    assert [row["group_id"] for row in rows(tmp_path / "out")] == ["news:1", "news:2", "news:3"] * 2
    assert [Path(source["name"]).name for source in manifest["sources"]] == [
        "eng_Latn.txt",
        "ell_Grek.txt",
        "rus_Cyrl.txt",
    ]
    files = {path.name.partition(".")[0]: path for path in folder.glob("*.txt")}
    build(files, tmp_path / "files")
    assert {row["group_id"] for row in rows(tmp_path / "files")} == {"news:1", "news:2", "news:3"}
    build([folder, write(tmp_path / "eng_Latn-bul_Cyrl.tsv", "One cat\tЕдна котка")], tmp_path / "both")
    assert rows(tmp_path / "both")[6]["group_id"] == digest("one cat")


def test_chosen_pairs(tmp_path, folder):
    wanted = [("rus_Cyrl", "ell_Grek"), ("ell_Grek", "rus_Cyrl")]
    manifest = build(folder, tmp_path / "out", pairs=wanted)
    assert sides(tmp_path / "out") == [wanted[0]] * 3 + [wanted[1]] * 3
    assert len(manifest["sources"]) == 2  # English was not read
    found = rows(tmp_path / "out")
    assert (
        (found[0]["source"], found[0]["target"]) == (RUSSIAN[0], GREEK[0]) == (found[3]["target"], found[3]["source"])
    )


@pytest.mark.parametrize(
    ("codes", "options", "message"),
    [
        (["ell_Grek", "rus_Cyrl", "bul_Cyrl"], {}, "the pivot eng_Latn is not there; name one of ell_Grek, rus_Cyrl"),
        (["ell_Grek", "rus_Cyrl"], {"pivot": "eng_Latn"}, "expected text in eng_Latn, found ell_Grek, rus_Cyrl"),
        (["ell_Grek", "eng_Latn"], {"pairs": [("eng_Latn", "rus_Cyrl")]}, "expected text in rus_Cyrl, found ell_Grek"),
        (["ell_Grek"], {}, "expected two languages or more, found ell_Grek only"),
        (["ell_Grek"], {"pairs": [("ell_Grek", "ell_Grek")]}, "a pair of two languages, got ell_Grek-ell_Grek"),
        (["ell_Grek"], {"pivot": "en_Latn"}, "unknown language code 'en_Latn'"),
        (["ell_Grek"], {"pivot_side": "left"}, "the side of the pivot is source or target; got 'left'"),
    ],
)
def test_directions_that_do_not_fit(tmp_path, codes, options, message):
    with pytest.raises(InputError, match=message):
        build({code: write(tmp_path / code, "αα") for code in codes}, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_files_of_unequal_length(tmp_path):
    long, short = write(tmp_path / "a.en", *"abcde"), write(tmp_path / "a.el", *"αβγ")
    for files in ({"eng_Latn": long, "ell_Grek": short}, {"ell_Grek": short, "eng_Latn": long}):
        for side in ("source", "target"):
            with pytest.raises(
                InputError, match=r"a\.el ends after line 3, .*a\.en goes on to line 5: expected line-al"
            ):
                build(files, tmp_path / "out", pivot_side=side)
    write(short)
    with pytest.raises(InputError, match=r"a\.el is empty: expected translations$"):
        build({"eng_Latn": long, "ell_Grek": short}, tmp_path / "out")
    write(long)
    with pytest.raises(InputError, match=r"a\.en is empty: expected translations$"):
        build({"eng_Latn": long, "ell_Grek": short}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sources_that_do_not_fit(tmp_path, folder):
    table = write(tmp_path / "corpus.tsv", "a\tb")
    cases = [
        ({"eng_Latn": table, "ell_Grek": table}, "corpus.tsv is given 2 times"),
        (
            {"eng_Latn": [folder / "eng_Latn.txt", folder / "ell_Grek.txt"]},
            r"eng_Latn\.txt and .*ell_Grek\.txt are both eng",
        ),
        ({"eng_Latn": table}, "expected two codes such as eng_Latn-hin_Deva, got eng_Latn"),
        (table, r"unknown language code 'corpus'.*name the file by its language or give CODE=FILE"),
        ({"eng_Latn-eng_Latn": table}, "expected the codes of two languages.*, got eng_Latn-eng_Latn"),
        ({"eng_Latn-ell_Grek-rus_Cyrl": table}, "expected one code or two"),
        ({"eng_Latn-ell_Grek": folder / "eng_Latn.txt"}, r"expected a file of both languages that ends in \.tmx"),
        ({"eng_Latn": folder}, "is a folder; expected a file"),
        (tmp_path / "none", "no such file"),
        ((), "no text is given"),
        (HubRows("a/b"), "hub:a/b/train: its language is not known"),
        (HubRows("a/b", languages=("eng_Latn",)), "hub:a/b/train: expected the codes of two languages"),
        (tmp_path, r"holds no text: expected files named <lang_Script>, .*found corpus\.tsv, news"),
    ]
    for given, message in cases:
        with pytest.raises(InputError, match=message):
            build(given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_pivot_names_the_meaning_wherever_it_stands(tmp_path):
    first = write(tmp_path / "ell_Grek-eng_Latn.tsv", "Δύο σκύλοι\tTwo dogs")
    second = write(tmp_path / "eng_Latn-rus_Cyrl.tsv", "two dogs\tДве собаки")
    third = write(tmp_path / "ell_Grek-rus_Cyrl.tsv", "Δύο σκύλοι\tДве собаки")
    build([first, second, third], tmp_path / "out")
    groups = [row["group_id"] for row in rows(tmp_path / "out")]
    assert groups == [digest("two dogs"), digest("two dogs"), digest("δύο σκύλοι")]
    build([third], tmp_path / "out", pivot="rus_Cyrl")
    assert rows(tmp_path / "out")[0]["group_id"] == digest("две собаки")


@pytest.mark.parametrize("header", [[], ["source\ttarget"], ["eng_Latn\tell_Grek\tnote"]])
@pytest.mark.parametrize("ending", [".tsv", ".tsv.gz"])
def test_two_columns(tmp_path, header, ending):
    lines = [
        f"{ENGLISH[0]}\t{GREEK[0]}\tCC BY\tanother",
        "",
        "no target",
        f"\t{GREEK[1]}",
        f" {ENGLISH[2]} \t {GREEK[2]}",
    ]
    path = write(tmp_path / f"eng_Latn-ell_Grek{ending}", *header, *lines)
    manifest = build(path, tmp_path / "out")
    assert [(row["source"], row["target"]) for row in rows(tmp_path / "out")] == [
        (ENGLISH[0], GREEK[0]),
        (ENGLISH[2], GREEK[2]),
    ]
    shift = len(header)
    assert rejects(tmp_path / "out") == [
        ("empty", path.name, 2 + shift),
        ("one column", path.name, 3 + shift),
        ("source: empty", path.name, 4 + shift),
    ]
    assert manifest["lines"] == manifest["sources"][0]["lines"] == 5


def test_two_columns_of_which_there_is_one(tmp_path):
    path = write(tmp_path / "eng_Latn-ell_Grek.tsv", *ENGLISH)
    with pytest.raises(InputError, match="expected source TAB target; line 1 has 1 column, and so has every other"):
        build(path, tmp_path / "out")
    for lines in ([], ["source\ttarget"]):
        with pytest.raises(InputError, match=r"eng_Latn-ell_Grek\.tsv is empty"):
            build(write(path, *lines), tmp_path / "out")


def tuv(tag, text, name="xml:lang"):
    return f'<tuv {name}="{tag}"><seg>{text}</seg></tuv>'


def tmx(path, *units, head='<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx><body>'):
    return write(path, head, *(f"<tu>{''.join(unit)}</tu>" for unit in units), "</body></tmx>")


UNITS = [
    (
        tuv("EN-us", "The <hi>black</hi> cat <bpt i='1'>{\\b <sub>x <ph>y</ph> z</sub></bpt>sleeps<ept i='1'>}</ept>."),
        tuv("el", GREEK[0]),
    ),
    (tuv("en", "Tom &amp;\n Ann"), tuv("el", "Τομ και Αν", "lang")),
    (tuv("en", ENGLISH[2]), tuv("ru", RUSSIAN[2])),
    (tuv("en", "One cat"), tuv("el", "Μία γάτα"), tuv("el-CY", "Μια γάτα")),
    (tuv("fr", "Un chat"), tuv("el", "Μία γάτα")),
]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_translation_memory(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("align.pairs.reading.xml.CHUNK", chunk)
    path = tmx(tmp_path / "memory.tmx", *UNITS)
    zipped = write(tmp_path / "memory.tmx.gz", *path.read_text().splitlines())
    for file in (path, zipped):
        manifest = build({"eng_Latn-ell_Grek": file}, tmp_path / "out")
        assert [(row["source"], row["target"]) for row in rows(tmp_path / "out")] == [
            (ENGLISH[0], GREEK[0]),
            ("Tom & Ann", "Τομ και Αν"),
        ]
        assert rejects(tmp_path / "out") == [  # the second unit takes two lines
            ("target: not in the unit", file.name, 7),
            ("target: several in one unit", file.name, 8),
            ("source: not in the unit", file.name, 9),
        ]
        assert manifest["lines"] == 5


@pytest.mark.parametrize("name", ["memory.tmx", "iw.tmx", "chs.tmx"])
def test_a_translation_memory_of_any_name_has_the_languages_that_are_asked_for(tmp_path, name):
    units = [(tuv("en", ENGLISH[0]), tuv("el", GREEK[0])), (tuv("en", ENGLISH[1]), tuv("ru", RUSSIAN[1]))]
    path = tmx(tmp_path / name, *units)
    manifest = build([path], tmp_path / "out", pairs=[("eng_Latn", "ell_Grek"), ("rus_Cyrl", "eng_Latn")])
    assert [(row["source"], row["target"]) for row in rows(tmp_path / "out")] == [
        (ENGLISH[0], GREEK[0]),
        (RUSSIAN[1], ENGLISH[1]),
    ]
    assert [source["languages"] for source in manifest["sources"]] == [["ell_Grek", "eng_Latn", "rus_Cyrl"]]
    with pytest.raises(InputError, match=rf"{name}: unknown .*; name the file by its language or give CODE=FILE"):
        build([path], tmp_path / "out")


def test_a_table_of_any_name_has_the_one_pair_that_is_asked_for(tmp_path):
    path = write(tmp_path / "corpus.tsv", f"{ENGLISH[0]}\t{GREEK[0]}")
    pairs = [("eng_Latn", "ell_Grek"), ("eng_Latn", "rus_Cyrl")]
    assert build([path], tmp_path / "out", pairs=pairs[:1])["rows"] == 1
    with pytest.raises(InputError, match="corpus.tsv: expected one pair of languages, which its name does not tell, g"):
        build([path], tmp_path / "out", pairs=pairs)
    with pytest.raises(InputError, match="corpus.txt: unknown language code 'corpus'"):
        build([write(tmp_path / "corpus.txt", "a")], tmp_path / "out", pairs=pairs[:1])


def test_translation_memory_in_utf16(tmp_path):
    text = '<?xml version="1.0" encoding="utf-16"?><tmx><tu>' + "".join(UNITS[0]) + "</tu></tmx>"
    (tmp_path / "a.tmx").write_bytes(text.encode("utf-16"))
    assert list(read_tmx(tmp_path / "a.tmx")) == [(1, (("EN-us", ENGLISH[0]), ("el", GREEK[0])))]


@pytest.mark.parametrize("chunk", [3, 1 << 16])
@pytest.mark.parametrize(
    "bad", [b"Bell &#x7; rings", b"Bell &#7; rings", b"Bell \x07 rings", b"Bell \xe9 rings", b"Bell < rings"]
)
def test_a_unit_with_an_illegal_character_is_set_aside(tmp_path, monkeypatch, bad, chunk):
    monkeypatch.setattr("align.pairs.reading.xml.CHUNK", chunk)
    units = [
        (tuv("en", text), tuv("el", greek)) for text, greek in zip((*ENGLISH, "BAD"), (*GREEK, "Ένα"), strict=True)
    ]
    units.append((tuv("en", "Two &#xe9; &amp; &#55296;"), tuv("fr", "BAD"), tuv("el", "Δύο")))
    path = tmx(tmp_path / "a.tmx", *units)
    path.write_bytes(path.read_bytes().replace(b"BAD", bad))
    build({"eng_Latn-ell_Grek": path}, tmp_path / "out")
    assert [row["source"] for row in rows(tmp_path / "out")] == list(ENGLISH)
    found = rejects(tmp_path / "out")
    assert found == [("source: illegal character", "a.tmx", 7), ("source: illegal character", "a.tmx", 8)]
    assert "Bell \ufffd rings" in (tmp_path / "out" / "rejects.tsv").read_text()


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("Open the door<ph>&lt;br/&gt;</ph>Go in.", "Open the door Go in."),
        ("Open it.<ph x='1'/>Go in<ut>\\par</ut>.", "Open it. Go in."),
        ("one <ph>{0}</ph> two<ph>{1}</ph>, (<ph/>three)", "one two, (three)"),
        ("un<bpt i='1'>&lt;b&gt;</bpt>believ<ept i='1'>&lt;/b&gt;</ept>able", "unbelievable"),
        ("un<ph>&lt;b&gt;</ph>believ<ph>&lt;/b&gt;</ph>able", "unbelievable"),
        ("<bpt i='1'>&lt;li&gt;</bpt>One<ept i='1'>&lt;/li&gt;</ept><bpt i='2'>&lt;li&gt;</bpt>Two", "One Two"),
        ("打开<ph>&lt;br/&gt;</ph>进去", "打开进去"),
    ],
)
def test_codes_between_words(tmp_path, segment, text):
    assert next(read_tmx(tmx(tmp_path / "a.tmx", (tuv("en", segment),)))).variants == (("en", text),)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-16-le", "utf-16"), ("utf-8", "utf-16"), ("utf-8-sig", "utf-8"), ("cp1253", "windows-1253"), ("utf-8", "")],
)
def test_encodings_of_a_translation_memory(tmp_path, encoding, declared):
    head = f"<?xml version='1.0' encoding='{declared}'?>" if declared else ""
    path = tmp_path / "a.tmx"
    path.write_bytes(f"{head}<tmx><tu>{tuv('el', GREEK[0])}</tu></tmx>".encode(encoding))
    assert next(read_tmx(path)).variants == (("el", GREEK[0]),)


LAUGHS = (
    '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<tmx><tu><tuv xml:lang="en"><seg>&b;</seg></tuv></tu></tmx>'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, r"line 1: expected plain text, got the entity 'a'; only those of XML and HTML are read"),
        ('<!DOCTYPE tmx [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><tmx/>', "line 1: .* got the entity 'p'"),
        ("<tmx>\n<tu>\n</tmx>", r"line 3: not well-formed XML \(mismatched tag\)"),
        ("<tmx>", r"not well-formed XML \(no element found\)"),
        ("", "not well-formed XML"),
        ("One cat", r"line 1: not well-formed XML \(syntax error\)"),
        ('<?xml version="1.0" encoding="klingon"?><tmx/>', "its encoding cannot be read"),
        ("<tmx/>", r"holds no translation unit: expected <tu> with a <tuv> of each language"),
        ("<tmx><tu>" + UNITS[2][0] + "</tu></tmx>", "a.tmx has no text in ell_Grek; its languages are en$"),
        ("<tmx><tu/></tmx>", "a.tmx has no text in eng_Latn; its languages are not named"),
    ],
)
def test_bad_translation_memory(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        build({"eng_Latn-ell_Grek": write(tmp_path / "a.tmx", text)}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_gzip(tmp_path):
    path = tmx(tmp_path / "a.tmx.gz", *UNITS)
    data = path.read_bytes()
    for broken in (data[:-12], data[:20] + b"\xff" * 6 + data[26:], b"no gzip"):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="is not a complete gzip file"):
            build({"eng_Latn-ell_Grek": path}, tmp_path / "out")


@pytest.mark.parametrize(
    ("tag", "code", "expected"),
    [
        ("en", "eng_Latn", True),
        ("EN_us", "eng_Latn", True),
        ("eng", "eng_Latn", True),
        ("enm", "eng_Latn", False),
        ("ar", "arb_Arab", True),
        ("arz", "arb_Arab", False),
        ("sr-Latn", "srp_Latn", True),
        ("sr-Cyrl-RS", "srp_Latn", False),
        ("zh-TW", "cmn_Hans", False),
        ("zh-TW", "cmn_Hant", True),
        ("zh", "cmn_Hant", True),
        ("zh-CHT", "zho_Hant", True),
        ("zh-CHT", "zho_Hans", False),
        ("cmn-TW", "zho_Hant", True),
        ("cmn-TW", "zho_Hans", False),
        ("iw", "heb_Hebr", True),
        ("in-ID", "ind_Latn", True),
        ("ji", "ydd_Hebr", True),
        ("ms", "zsm_Latn", True),
        ("", "eng_Latn", False),
        ("x-none", "eng_Latn", False),
        ("qaa", "qaa_Latn", True),
    ],
)
def test_language_tags(tag, code, expected):
    assert is_tagged(tag, code) is expected


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".parquet"])
@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("source", "target"), None),
        (("english", "non_english"), None),
        (("src", "tgt"), None),
        (("en", "el"), ("en", "el")),
    ],
)
def test_records(tmp_path, ending, names, columns):
    records = [dict(zip(names, texts, strict=True)) for texts in zip(ENGLISH, GREEK, strict=True)]
    records += [{names[0]: "No target", names[1]: None}]
    path = tmp_path / f"eng_Latn-ell_Grek{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        write(path, *map(json.dumps, records))
    build(path, tmp_path / "out", columns=columns)
    assert [(row["source"], row["target"]) for row in rows(tmp_path / "out")] == list(zip(ENGLISH, GREEK, strict=True))
    assert rejects(tmp_path / "out") == [("target: empty", path.name, 4)]
    with pytest.raises(InputError, match=rf"expected a column 'de'; found {names[0]}, {names[1]}"):
        build(path, tmp_path / "no", columns=("de", names[1]))


HEADERS = [
    ("Source", "Target"), ("SRC", "TGT"), ("English", "Non-English"), ("sentence1", "sentence2"), ("en", "el"),
    ("ell_Grek", "eng_Latn"), ("Source Text", "Target Text"),
]  # fmt: skip


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".tsv", ".csv", ".tsv.xz"])
@pytest.mark.parametrize("names", HEADERS)
def test_headers_by_any_spelling(tmp_path, ending, names):
    one, two = (GREEK, ENGLISH) if names[0] == "ell_Grek" else (ENGLISH, GREEK)
    table = pa.table({"Unnamed: 0": ["0", "1", "2"]} | {names[0]: one, names[1]: two})
    path = tmp_path / f"eng_Latn-ell_Grek{ending}"
    if ending == ".parquet":
        pq.write_table(table, path)
    elif ending == ".jsonl":
        write(path, *map(json.dumps, table.to_pylist()))
    else:
        between, opened = "," if ending == ".csv" else "\t", lzma.open if ending.endswith("xz") else open
        with opened(path, "wt", encoding="utf-8") as file:
            file.writelines(
                between.join(line) + "\n" for line in [["", *names], *(row.values() for row in table.to_pylist())]
            )
    build(path, tmp_path / "out")
    assert [(row["source"], row["target"]) for row in rows(tmp_path / "out")] == list(zip(ENGLISH, GREEK, strict=True))


def test_rows_that_cannot_be_read_are_set_aside(tmp_path):
    good = {"source": ENGLISH[0], "target": GREEK[0]}
    path = write(
        tmp_path / "eng_Latn-ell_Grek.jsonl", "{broken", "[1]", json.dumps(good), '{"source": NaN, "target": "Ένα"}'
    )
    path.write_bytes(path.read_bytes() + b'{"source": "\xff"}\n')
    build(path, tmp_path / "out")
    assert rejects(tmp_path / "out") == [
        ("not valid JSON", path.name, 1),
        ("expected a JSON object", path.name, 2),
        ("source: empty", path.name, 4),
        ("invalid UTF-8", path.name, 5),
    ]
    table = write(tmp_path / "eng_Latn-ell_Grek.tsv", f"{ENGLISH[0]}\t{GREEK[0]}", "BAD\tΈνα")
    table.write_bytes(table.read_bytes().replace(b"BAD", b"Stra\xdfe"))
    build(table, tmp_path / "out2")
    assert rejects(tmp_path / "out2") == [("invalid UTF-8", table.name, 2)]
    one, two = write(tmp_path / "en", *ENGLISH), write(tmp_path / "el", *GREEK)
    two.write_bytes(two.read_bytes().replace("Η".encode(), b"\xc7"))
    manifest = build({"eng_Latn": one, "ell_Grek": two}, tmp_path / "out3")
    assert manifest["rejects"] == {"target: invalid UTF-8": len([line for line in GREEK if "Η" in line])}
    only = write(tmp_path / "bad" / "eng_Latn-ell_Grek.jsonl", "{", "[")
    with pytest.raises(InputError, match=r"eng_Latn-ell_Grek\.jsonl, line 1: not valid JSON"):
        build(only, tmp_path / "no")


def test_records_that_are_no_text(tmp_path):
    path = write(
        tmp_path / "eng_Latn-ell_Grek.jsonl", '{"source": 5, "target": "a"}', '{"source": "One", "target": "Ένα"}'
    )
    build(path, tmp_path / "out")
    assert rejects(tmp_path / "out") == [("no text", path.name, 1)]
    with pytest.raises(InputError, match="expected a column 'source'; found text"):
        build(write(path, '{"text": "a"}'), tmp_path / "out")


def test_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(*words, **options):
        asked.append((words, options))
        return iter([{"english": text, "non_english": greek} for text, greek in zip(ENGLISH, GREEK, strict=True)])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    name = "sentence-transformers/parallel-sentences-talks"
    source = HubRows(name, "en-el", languages=("eng_Latn", "ell_Grek"), revision="c0ffee", licence="CC BY-NC-ND 4.0")
    with allowing(["any"]):
        manifest = build([source], tmp_path / "out")
    assert asked == [((name, "en-el"), {"split": "train", "revision": "c0ffee", "streaming": True})]  # once
    assert sides(tmp_path / "out") == [("eng_Latn", "ell_Grek")] * 3
    entry = {"name": f"hub:{name}/en-el/train", "languages": ["ell_Grek", "eng_Latn"], "licence": "CC BY-NC-ND 4.0"}
    assert manifest["sources"] == [entry | {"lines": 3, "revision": "c0ffee"}]
    assert manifest["licences"] == ["CC BY-NC-ND 4.0"]


def test_each_reject_has_its_reason(tmp_path):
    lines = [
        ("The cat sleeps.", "Η γάτα κοιμάται."),
        ("", "Η γάτα"),
        ("The cat", ""),
        ("A", "Η γάτα"),
        ("The cat", "α" * 61),
        ("12 34", "Η γάτα"),
        ("The cat", "The black cat"),
        ("Η γάτα", "Η μαύρη γάτα"),
        ("The cat", "Η γάτα " * 5),
        ("THE CAT  sleeps.", "η ΓΆΤΑ κοιμάται."),
        ("Two dogs", "Δύο"),
        ("Hold this out", "Άσε το"),
    ]
    held = write(tmp_path / "test.txt", "Something", "", "hold  THIS out")
    english = write(tmp_path / "a.en", *(one for one, _ in lines))
    greek = write(tmp_path / "a.el", *(two for _, two in lines))
    filters = TranslationFilters(max_chars=60)
    manifest = build({"eng_Latn": english, "ell_Grek": greek}, tmp_path / "out", filters=filters, exclude=held)
    assert rejects(tmp_path / "out") == [
        ("source: empty", "a.el", 2),
        ("target: empty", "a.el", 3),
        ("source: too short", "a.el", 4),
        ("target: too long", "a.el", 5),
        ("source: no letter", "a.el", 6),
        ("target: other script", "a.el", 7),
        ("source: other script", "a.el", 8),
        ("length ratio", "a.el", 9),
        ("duplicate", "a.el", 10),
        ("in a test set", "a.el", 12),
    ]
    assert [row["source"] for row in rows(tmp_path / "out")] == ["The cat sleeps.", "Two dogs"]
    assert manifest["excluded"] == {str(held): {"texts": 2, "pairs": 1}}
    text = (tmp_path / "out" / "rejects.tsv").read_text(encoding="utf-8")
    assert "target: other script\t" + str(greek) + "\t7\tThe cat\\tThe black cat\n" in text


@pytest.mark.parametrize(("copies", "kept"), [("drop", 1), ("keep", 3)])
def test_copies(tmp_path, copies, kept):
    english = write(tmp_path / "a.en", "The cat", "Ｔｈｅ ＤＯＧ", "Twenty mice")
    french = write(tmp_path / "a.fr", "the  cat", "the dog", "Vingt souris")
    build({"eng_Latn": english, "fra_Latn": french}, tmp_path / "out", filters=TranslationFilters(copies=copies))
    assert len(rows(tmp_path / "out")) == kept


def test_length_counts_letters():
    assert letters("abc") == 3
    assert letters("猫は寝る") == 3 + 2 + 3 + 2
    assert letters("고양이 a") == 2 + 2 + 2 + 1 + 1
    assert letters("γάτα") == 4


@pytest.mark.parametrize(
    ("english", "greek", "options", "kept"),
    [
        (5, 20, {}, True),  # exactly 1:4
        (5, 21, {}, False),
        (21, 5, {}, False),  # symmetrical
        (4, 19, {}, True),  # too short to tell
        (4, 19, {"ratio_from": 19}, False),
        (10, 21, {"max_ratio": 2.0}, False),
        (5, 21, {"max_ratio": 4.2}, True),
    ],
)
def test_length_ratio(tmp_path, english, greek, options, kept):
    files = {
        "eng_Latn": write(tmp_path / "a.en", "a" * english, "fine"),
        "ell_Grek": write(tmp_path / "a.el", "α" * greek, "καλά"),
    }
    manifest = build(files, tmp_path / "out", filters=TranslationFilters(**options))
    assert manifest["rejects"] == ({} if kept else {"length ratio": 1})


def test_chinese_is_not_too_short(tmp_path):
    english = "In addition to newly built hospitals, China also converted other facilities."  # 76 characters
    files = {
        "eng_Latn": write(tmp_path / "a.en", english),
        "cmn_Hans": write(tmp_path / "a.zh", "除新建医院外还改建场馆"),
    }
    assert build(files, tmp_path / "out")["rows"] == 1  # 11 characters count as 33 letters; 76:11 would be too much


def test_script_share_is_a_bound_that_may_be_met(tmp_path):
    files = {"eng_Latn": write(tmp_path / "a.en", "The cat"), "ell_Grek": write(tmp_path / "a.el", "abcd efg αβγ")}
    assert build(files, tmp_path / "out", filters=TranslationFilters(min_script_share=0.3))["rows"] == 1
    with pytest.raises(InputError, match=r"no pair is left to write; set aside: \{'target: other script': 1\}"):
        build(files, tmp_path / "no", filters=TranslationFilters(min_script_share=0.31))


def test_a_language_identifier_may_be_asked(tmp_path):
    found = {
        "The cat": "eng",
        "Le chat": "fra_Latn",
        "Der Hund": "deu",
        "Un chien": "fra",
        "A dog": "eng_Latn",
        "Hm hm": "",
    }
    english = write(tmp_path / "a.en", "The cat", "Der Hund", "A dog", "Le chat")
    french = write(tmp_path / "a.fr", "Le chat", "Un chien", "Hm hm", "Un chien")
    manifest = build({"eng_Latn": english, "fra_Latn": french}, tmp_path / "out", identify=found.get)
    assert rejects(tmp_path / "out") == [("source: other language", "a.fr", 2), ("source: other language", "a.fr", 4)]
    assert manifest["options"]["identify"] == "get"


def test_duplicates_against_a_loop(tmp_path):
    generator = random.Random(1)
    names = {"eng_Latn": ["cat", "Cat", "dog  one", "dog one"], "ell_Grek": ["γάτα", "ΓΆΤΑ", "σκύλος"]}
    columns = {code: generator.choices(words, k=100) for code, words in names.items()}
    files = {code: write(tmp_path / code, *lines) for code, lines in columns.items()}
    seen, expected = set(), []
    for number, (one, two) in enumerate(zip(*columns.values(), strict=True), 1):
        key = (" ".join(one.lower().split()), two.lower())
        if key in seen:
            expected.append(("duplicate", "ell_Grek", number))
        seen.add(key)
    manifest = build(files, tmp_path / "out")
    assert rejects(tmp_path / "out") == expected and manifest["rows"] == len(seen) == 4
    build(files, tmp_path / "kept", filters=TranslationFilters(duplicates="keep"))
    assert len(rows(tmp_path / "kept")) == 100


def test_duplicates_are_sought_in_one_pair_of_languages(tmp_path):
    for code, lines in (("eng_Latn", ["A cat", "A cat"]), ("rus_Cyrl", ["Кот", "Кот"]), ("bul_Cyrl", ["Кот", "Котка"])):
        write(tmp_path / "in" / f"{code}.txt", *lines)
    manifest = build(tmp_path / "in", tmp_path / "out")
    assert manifest["language_pairs"] == {"eng_Latn-bul_Cyrl": 2, "eng_Latn-rus_Cyrl": 1}


def test_test_sets_are_left_out(tmp_path, folder):
    sets = tmp_path / "tests"
    write(sets / "lines" / "deep" / "a.txt.gz", "The black  CAT sleeps.")
    write(sets / "lines" / ".hidden", ENGLISH[1])
    write(sets / "table.tsv", f"0.5\t{GREEK[2]}\t{RUSSIAN[0]}")
    write(sets / "records.jsonl", json.dumps({"text": ENGLISH[0], "id": 7}))
    pq.write_table(pa.Table.from_pylist([{"text": "Nothing that we have", "id": 7}]), sets / "rows.parquet")
    files = [sets / name for name in ("lines", "table.tsv", "records.jsonl", "rows.parquet")]
    manifest = build(folder, tmp_path / "out", exclude=files)
    assert [row["source"] for row in rows(tmp_path / "out")] == [ENGLISH[1], ENGLISH[1], ENGLISH[2]]
    assert rows(tmp_path / "out")[2]["target_lang"] == "rus_Cyrl"
    assert manifest["excluded"] == {
        str(files[0]): {"texts": 1, "pairs": 2},
        str(files[1]): {"texts": 3, "pairs": 2},  # Greek line 3 and Russian line 1
        str(files[2]): {"texts": 1, "pairs": 2},
        str(files[3]): {"texts": 1, "pairs": 0},
    }
    assert manifest["rejects"] == {"in a test set": 3}


MARKS = ["\ufeff", "\u200b", "\u200c", "\u200e", "\u200f", "\u00ad", "\u2060", "\u2066"]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_that_nothing_shows_hides_no_test_sentence_and_no_duplicate(tmp_path, mark):
    lines = [
        f"Snow fell{mark} all night\tХиона",
        f"{mark}Our roof\tКрыша",
        "Rye bread\tХлеб",
        f"Rye{mark} bread\tХле{mark}б",
    ]
    write(tmp_path / "eng_Latn-rus_Cyrl.tsv", *lines)
    write(tmp_path / "test.txt", "Snow fell all night", "our roof")
    manifest = build(tmp_path / "eng_Latn-rus_Cyrl.tsv", tmp_path / "out", exclude=[tmp_path / "test.txt"])
    assert manifest["rejects"] == {"in a test set": 2, "duplicate": 1}
    assert [row["source"] for row in rows(tmp_path / "out")] == ["Rye bread"]
    write(tmp_path / "marked.txt", f"{mark}Rye{mark} bread", "x")  # and the other way round
    with pytest.raises(InputError, match="no pair is left to write"):
        build(
            tmp_path / "eng_Latn-rus_Cyrl.tsv",
            tmp_path / "none",
            exclude=[tmp_path / "test.txt", tmp_path / "marked.txt"],
        )


def test_bad_test_sets(tmp_path, folder):
    with pytest.raises(InputError, match="no such file: .*none"):
        build(folder, tmp_path / "out", exclude=tmp_path / "none")
    for path in (write(tmp_path / "empty.txt", " ", ""), tmp_path / "nothing"):
        (tmp_path / "nothing").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=rf"{path.name} holds no text to leave out"):
            build(folder, tmp_path / "out", exclude=[path])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_chars": 0}, "1 <= min_chars <= max_chars, got 0 and 1000"),
        ({"max_ratio": 0.5}, "max_ratio must be a number, at least 1, got 0.5"),
        ({"max_ratio": float("inf")}, "max_ratio must be a number, at least 1, got inf"),
        ({"max_ratio": float("nan")}, "max_ratio must be a number, at least 1, got nan"),
        ({"ratio_from": -1}, "ratio_from must not be negative, got -1"),
        ({"min_script_share": 0.0}, r"min_script_share must lie in \(0, 1\], got 0.0"),
        ({"min_script_share": 1.1}, r"min_script_share must lie in \(0, 1\], got 1.1"),
        ({"copies": "yes"}, "copies is one of drop, keep; got 'yes'"),
        ({"duplicates": "near"}, "duplicates is one of exact, keep; got 'near'"),
    ],
)
def test_bad_filters(options, message):
    with pytest.raises(InputError, match=message):
        TranslationFilters(**options)


def test_a_pair_of_languages_without_pairs_is_reported(tmp_path, folder, caplog):
    write(folder / "heb_Hebr.txt", "", "", "latin")
    manifest = build(folder, tmp_path / "out")
    assert manifest["language_pairs"]["eng_Latn-heb_Hebr"] == 0
    assert "no pair is left of eng_Latn-heb_Hebr" in caplog.text and "rus_Cyrl" not in caplog.text


def test_a_lone_surrogate_is_a_reject(tmp_path):
    lines = ['{"source": "a\\ud800b", "target": "Ένα"}', '{"source": "One", "target": "Ένα"}']
    build(write(tmp_path / "eng_Latn-ell_Grek.jsonl", *lines), tmp_path / "out")
    assert rejects(tmp_path / "out") == [("source: lone surrogate", "eng_Latn-ell_Grek.jsonl", 1)]


def test_numbers_count_blank_lines(tmp_path):
    path = write(tmp_path / "eng_Latn-ell_Grek.jsonl", "", '{"source": "One", "target": "Ένα"}')
    assert [item.number for item in read_bitext(RowFile(path, ("eng_Latn", "ell_Grek")))] == [2]


def test_real_misaligned_lines_are_found(tmp_path):
    data = os.environ.get("ALIGN_DATA")
    if not data:
        pytest.skip("ALIGN_DATA is not set")
    names = {"eng_Latn": "en", "som_Latn": "so", "cmn_Hans": "zh", "hin_Deva": "hi"}
    files = {code: Path(data) / "tico19" / f"{name}.txt" for code, name in names.items()}
    manifest = build(files, tmp_path / "out", licence="CC0")
    kept = {"eng_Latn-som_Latn": 990, "eng_Latn-cmn_Hans": 1020, "eng_Latn-hin_Deva": 1024}
    assert manifest["language_pairs"] == kept  # Somali has lines of other sentences
    assert Counter(reason for reason, *_ in rejects(tmp_path / "out")) == {
        "length ratio": 34,
        "target: other script": 4,
    }
