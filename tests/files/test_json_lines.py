from __future__ import annotations

import json

import pytest

from align.errors import InputError
from align.files.json_lines import json_values
from align.pairs.lexicons.kaikki import kaikki_rows
from align.pairs.lexicons.registry import format_of

VALUES = [{"a": "x]}, {", "b": [1, {"c": None}]}, {"a": 'ä"\n'}, {}, {"a": 2}]


@pytest.mark.parametrize(
    ("indent", "numbers"), [(None, [1, 1, 1, 1]), (2, [2, 11, 14, 15]), (0, [2, 11, 14, 15])]
)  # where json.dump begins each
def test_an_array_is_read_as_lines_are(tmp_path, indent, numbers):
    path = tmp_path / "a.json"
    path.write_text("\n" + json.dumps(VALUES, indent=indent, ensure_ascii=False) + "\n\n", encoding="utf-8")
    assert list(json_values(path)) == [(n + 1, v, "") for n, v in zip(numbers, VALUES, strict=True)]


def test_an_array_with_a_value_on_each_line(tmp_path):
    path = tmp_path / "a.json"
    for text in ('[{"a": 1},\n{"a": 2}]', '[\n{"a": 1}\n,\n{"a": 2}\n]\n', '[ {"a": 1}, {"a": 2}\n\n]'):
        path.write_text(text)
        assert [value["a"] for _, value, _ in json_values(path)] == [1, 2]
    path.write_text("[\n]")
    assert list(json_values(path)) == []
    path.write_text('[\n1, "two",\n3]')
    assert [value for _, value, _ in json_values(path)] == [1, "two", 3]
    path.write_text("[1, 2]\n[3]")
    assert list(json_values(path)) == [(1, [1, 2], ""), (2, [3], "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1},\n', "line 1: not a complete JSON array .it ends in the middle"),
        ('[{"a": 1},\n{"a"', "line 2: not a complete JSON array .the value of line 2"),
        ('[{"a": 1}\n{"a": 2}]', "line 2: not valid JSON .expected , or ]"),
        ('[{"a": 1}]\n{"a": 2}', "line 2: the array ended before it"),
        ('[{"a": 1}] x', "line 1: not a complete JSON array"),
        (b'[{"a":\n"\xe4"}]', "line 2: invalid UTF-8"),
    ],
)
def test_a_broken_array_is_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        list(json_values(path))


def test_an_extract_of_wiktionary_that_is_an_array(tmp_path):
    path = tmp_path / "k.json"
    record = {"word": "dog", "lang_code": "en", "translations": [{"code": "de", "word": "Hund"}]}
    path.write_text(json.dumps([record, record | {"word": "hound"}], indent=1))
    assert format_of(path) == "kaikki"
    assert [(row.number, row.source, row.target) for row in kaikki_rows(path)] == [
        (2, "dog", "Hund"),
        (12, "hound", "Hund"),
    ]
