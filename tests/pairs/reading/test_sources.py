import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align.errors import InputError
from align.pairs.reading.finding import find_sources
from align.pairs.reading.lines import Line, read_source
from align.pairs.reading.sources import HubText, Source


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(given, **options):
    return [line for source in find_sources(given, **options) for line in read_source(source)]


def test_every_way_to_name_a_file(tmp_path):
    path = write(tmp_path / "texts" / "hin_Deva.txt", "एक\n")
    write(tmp_path / "texts" / "notes.md", "no text")
    write(tmp_path / "texts" / ".tam_Taml.txt.swp", "no text")
    write(tmp_path / "texts" / ".tam_Taml.txt", "no text")
    expected = [Source(path, "hin_Deva", "CC0")]
    for given in (path, str(path), path.parent, [path], [str(path.parent)], {"hin_Deva": path}, {"hin_Deva": [path]}):
        assert find_sources(given, licence="CC0") == expected, given
    own = Source(path, licence="CC BY 4.0")
    assert find_sources(own, licence="CC0") == find_sources([own]) == [Source(path, "hin_Deva", "CC BY 4.0")]
    assert find_sources(()) == []


def test_what_is_not_read_is_named(tmp_path, caplog):
    write(tmp_path / "hin_Deva.txt", "x")
    find_sources(tmp_path)
    assert caplog.text == ""
    write(tmp_path / "tam_Taml.text", "x")
    find_sources(tmp_path)
    assert "not read: tam_Taml.text" in caplog.text


def test_order_does_not_matter(tmp_path):
    paths = [write(tmp_path / name, "x") for name in ("tam_Taml.txt", "hin_Deva.txt", "hin_Deva.b.txt")]
    found = find_sources(paths)
    assert found == find_sources(list(reversed(paths))) == find_sources(tmp_path)
    assert [source.language for source in found] == ["hin_Deva", "hin_Deva", "tam_Taml"]


def test_the_mapping_wins_over_the_name(tmp_path):
    path = write(tmp_path / "hi.dev.txt", "एक")
    assert find_sources({"hin_Deva": path})[0].language == "hin_Deva"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "hindi.txt",
            r"hindi\.txt: unknown language code 'hindi'.*did you mean hin_Script\?; name the file by its lang",
        ),
        ("hi_Deva.txt", "did you mean hin_Deva"),
        ("hin_Hindi.txt", "unknown script"),
        ("hin_Deva.tsv", "native TAB roman belongs to the human romanisations"),
    ],
)
def test_misnamed_file(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        find_sources([write(tmp_path / name, "x")])


def test_bad_places(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        find_sources(tmp_path / "hin_Deva.txt")
    with pytest.raises(InputError, match="no such file"):
        find_sources({"hin_Deva": tmp_path / "hin_Deva.txt"})
    with pytest.raises(InputError, match=r"holds no text: expected files named <lang_Script>, with the ending \.txt, "):
        find_sources(tmp_path)
    with pytest.raises(
        InputError, match=r"expected files named <lang_Script>, with the ending \.tsv, \.csv \(these also with \.gz, "
    ):
        find_sources(tmp_path, human=True)
    with pytest.raises(InputError, match="unknown language code 'hi'"):
        find_sources({"hi": write(tmp_path / "a.txt", "x")})


@pytest.mark.parametrize("ending", [".txt", ".txt.gz"])
def test_lines(tmp_path, ending):
    path = write(tmp_path / f"hin_Deva{ending}", " एक \u2028दो\r\n\n\tतीन")
    expected = [(1, "एक \u2028दो"), (2, ""), (3, "तीन")]
    assert read(path) == [Line(str(path), number, "hin_Deva", text) for number, text in expected]


@pytest.mark.parametrize("ending", [".txt", ".txt.gz", ".jsonl", ".tsv"])
def test_an_empty_file(tmp_path, ending):
    path = write(tmp_path / f"hin_Deva{ending}", "")
    with pytest.raises(InputError, match=rf"hin_Deva{ending} is empty"):
        read(path, human=ending == ".tsv")


def test_invalid_utf8(tmp_path):
    (tmp_path / "hin_Deva.txt").write_bytes("एक\n".encode() + b"a\xff\n")
    assert [(line.text, line.problem) for line in read(tmp_path)] == [("एक", ""), (r"a\xff", "invalid UTF-8")]
    (tmp_path / "hin_Deva.txt").write_bytes(b"a\xff\n\xff\n")
    with pytest.raises(InputError, match=r"hin_Deva\.txt, line 1: invalid UTF-8 \(its encoding is none that"):
        read(tmp_path)


HUMAN = "एक\tek\t3\n\nदो\n\tnothing\nतीन\t \nचार \t char"


@pytest.mark.parametrize("header", ["", "native\troman\n", "\ufeffNative\tRoman\tattestations\n"])
def test_human_romanisations(tmp_path, header):
    path = write(tmp_path / "hin_Deva.tsv", header + HUMAN)
    lines = read(path, human=True)
    shift = 1 if header else 0
    assert [(line.number - shift, line.text, line.roman, line.problem) for line in lines] == [
        (1, "एक", "ek", ""),
        (2, "", "", "empty"),
        (3, "दो", "", "one column"),
        (4, "", "nothing", ""),  # refused later, as an empty text
        (5, "तीन", "", "empty"),
        (6, "चार", "char", ""),
    ]


def test_human_file_of_one_column(tmp_path):
    write(tmp_path / "hin_Deva.tsv", "एक\nदो\n")
    with pytest.raises(InputError, match="expected native TAB roman; line 1 has 1 column, and so has every other"):
        read(tmp_path, human=True)
    write(tmp_path / "hin_Deva.tsv", "native\troman\n")
    with pytest.raises(InputError, match="is empty"):
        read(tmp_path, human=True)


def test_human_romanisations_come_from_files_of_columns(tmp_path):
    path = write(tmp_path / "hin_Deva.jsonl", "{}")
    for given in (path, HubText("a/b")):
        with pytest.raises(InputError, match="are read from files of native TAB roman"):
            find_sources(given, human=True)


RECORDS = [
    {"text": " एक ", "lang": "hin_Deva"},
    {"text": "ஒன்று", "lang": "tam_Taml"},
    {"text": None, "lang": "tam_Taml"},
]
RECORDS += [{"text": "x", "lang": "hx"}, {"text": "dois", "lang": "pt-BR"}, {"text": "y", "lang": None}]
OUTCOMES = [("hin_Deva", "एक", ""), ("tam_Taml", "ஒன்று", ""), ("tam_Taml", "", "")]
OUTCOMES += [("hx", "x", "unknown language code"), ("por_Latn", "dois", ""), ("None", "y", "unknown language code")]


def records_file(folder, ending, records):
    path = folder / f"hin_Deva{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
        return path
    return write(path, "".join(json.dumps(record) + "\n" for record in records))


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".parquet"])
@pytest.mark.parametrize("column", ["lang", "language"])
def test_records(tmp_path, ending, column):
    records = [{"text": record["text"], column: record["lang"]} for record in RECORDS]
    path = records_file(tmp_path, ending, records)
    assert read(path) == [Line(str(path), i, lang, text, "", why) for i, (lang, text, why) in enumerate(OUTCOMES, 1)]
    assert {line.language for line in read({"mar_Deva": path})} == {"mar_Deva"}


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_records_without_language_column_take_the_name(tmp_path, ending):
    path = records_file(tmp_path, ending, [{"text": "एक"}])
    assert read(path) == [Line(str(path), 1, "hin_Deva", "एक")]
    with pytest.raises(InputError, match=r"train-0\.\w+: unknown language code 'train-0'"):
        read(path.rename(tmp_path / f"train-0{ending}"))


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_records_without_text(tmp_path, ending):
    with pytest.raises(InputError, match="expected a column 'text'; found content, lang"):
        read(records_file(tmp_path, ending, [{"content": "x", "lang": "hin_Deva"}]))


def test_json_lines_keep_their_number_and_must_be_objects(tmp_path):
    path = write(tmp_path / "hin_Deva.jsonl", '{"text": "a"}\n\n{"text": "b"}\n{"texts": "c"}\n')
    assert [(line.number, line.problem) for line in read(path)] == [(1, ""), (3, ""), (4, "")]
    write(path, '{"text": "a"}\n"b"\n')
    assert [line.problem for line in read(path)] == ["", "expected a JSON object"]
    write(path, '{"text": "a"}\n{"text": \n')
    assert [line.problem for line in read(path)] == ["", "not valid JSON"]
    write(path, '{"text": \n')
    with pytest.raises(InputError, match=r"hin_Deva\.jsonl, line 1: not valid JSON"):
        read(path)


def test_damaged_parquet(tmp_path):
    path = records_file(tmp_path, ".parquet", RECORDS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="is not a complete Parquet file"):
        read(path)


class TestHub:
    @pytest.fixture(autouse=True)
    def hub(self, monkeypatch):
        datasets = pytest.importorskip("datasets")
        self.rows, self.asked = [], []

        def load_dataset(*args, **options):
            self.asked.append((args, options))
            return iter(self.rows)

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        self.monkeypatch, self.datasets = monkeypatch, datasets

    def test_streams(self):
        self.rows = [{"text": "एक"}, {"text": None}]
        source = HubText("cis-lmu/Glot500", "hin_Deva", revision="abc")
        assert read(source) == [
            Line("hub:cis-lmu/Glot500/hin_Deva/train", 1, "hin_Deva", "एक"),
            Line("hub:cis-lmu/Glot500/hin_Deva/train", 2, "hin_Deva", "", "", ""),
        ]
        assert self.asked == [
            (("cis-lmu/Glot500", "hin_Deva"), {"split": "train", "revision": "abc", "streaming": True})
        ]

    def test_languages(self):
        self.rows = [{"sentence": "एक", "lang": "mar_Deva"}]
        assert read(HubText("a/b", column="sentence"))[0].language == "mar_Deva"
        assert read(HubText("a/b", column="sentence", language="hin_Deva"))[0].language == "hin_Deva"
        self.rows = [{"text": "एक"}]
        with pytest.raises(InputError, match="its language is not known: give language="):
            read(HubText("a/b", "default"))
        with pytest.raises(InputError, match="unknown language code"):
            read(HubText("a/b", language="hi"))
        with pytest.raises(InputError, match="hub:a/b/train: expected a column 'sentence'; found text"):
            read(HubText("a/b", column="sentence"))
        self.rows = []
        with pytest.raises(InputError, match="hub:a/b/hin_Deva/train is empty"):
            read(HubText("a/b", "hin_Deva"))

    def test_no_network(self):
        def load_dataset(*args, **options):
            raise ConnectionError("no route to host")

        self.monkeypatch.setattr(self.datasets, "load_dataset", load_dataset)
        with pytest.raises(InputError, match=r"'a/b' \(configuration hin_Deva, split train\) could not be .*no route"):
            read(HubText("a/b", "hin_Deva"))

    def test_the_stream_breaks_off(self):
        def rows():
            yield {"text": "एक"}
            raise TimeoutError("read timed out")

        self.rows = rows()
        with pytest.raises(InputError, match="TimeoutError: read timed out; check the name and the network"):
            read(HubText("a/b", "hin_Deva"))


def test_paths_may_be_relative(tmp_path, monkeypatch):
    write(tmp_path / "hin_Deva.txt", "एक")
    monkeypatch.chdir(tmp_path)
    assert read(Path("hin_Deva.txt"))[0].file == "hin_Deva.txt"
