import pytest

from align.text.case import lower, one_i


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("İstanbul", "tur_Latn", "istanbul"),
        ("I\u0307stanbul", "tur_Latn", "istanbul"),  # decomposed
        ("ISI", "tur_Latn", "ısı"),
        ("İSİM", "azj_Latn", "isim"),
        ("DİL", "azj_Cyrl", "di\u0307l"),  # the alphabet decides
        ("ISI", "eng_Latn", "isi"),
        ("ΟΔΟΣ", "ell_Grek", "οδος"),  # the last sigma
        ("", "tur_Latn", ""),
    ],
)
def test_lower(text, code, expected):
    assert lower(text, code) == expected


def test_one_letter_where_the_language_is_not_known():
    assert one_i("ışık") == one_i("işik") == "işik"
    assert one_i("İ".casefold()) == one_i("I".casefold()) == "i"
    assert one_i("é") == "é"
