import pytest

from align.errors import InputError
from align.text.languages import check_language
from align.text.tags import SEVERAL, is_tagged, language_of_tag, locale_language, row_language, tagged_sides


@pytest.mark.parametrize(
    ("tag", "text", "code"),
    [
        ("fr", "chien", "fra_Latn"),
        ("fr-CA", "chien", "fra_Latn"),
        ("de", "π", "deu_Latn"),  # a letter of another script does not change the language's own
        ("ru", "SMS", "rus_Cyrl"),
        ("hi", "कुत्ता", "hin_Deva"),
        ("ar", "كلب", "arb_Arab"),
        ("fa", "سگ", "pes_Arab"),
        ("no", "hund", "nob_Latn"),
        ("nb", "hund", "nob_Latn"),
        ("sh", "пас", "hbs_Cyrl"),
        ("sh", "pas", "hbs_Latn"),
        ("sr", "пас", "srp_Cyrl"),
        ("sr", "3", "srp_Latn"),  # no letter
        ("sr-Cyrl", "pas", "srp_Cyrl"),
        ("cmn", "狗", "cmn_Hani"),
        ("cmn-Hans", "狗", "cmn_Hans"),
        ("zh-TW", "狗", "cmn_Hant"),
        ("zh", "狗", "cmn_Hani"),
        ("ja", "いぬ", "jpn_Jpan"),
        ("ko", "개", "kor_Hang"),
        ("chr", "ᎩᎵ", "chr_Cher"),
        ("zsm", "anjing", "zsm_Latn"),
        ("EN", "dog", "eng_Latn"),
        ("ine-pro", "*ḱwṓ", ""),  # an ancestor
        ("mns-pro", "*x", ""),  # of a living language
        ("iw", "כלב", "heb_Hebr"),  # withdrawn codes
        ("in-ID", "anjing", "ind_Latn"),
        ("ji", "הונט", "ydd_Hebr"),
        ("mo", "câine", "ron_Latn"),
        ("av", "гӀеч", "ava_Cyrl"),
        ("cu", "ꙗблъко", "chu_Cyrl"),
        ("ku", "سێو", "kmr_Arab"),
        ("ku", "sêv", "kmr_Latn"),
        ("ms", "ايڤل", "zsm_Arab"),
        ("zh-CHS", "狗", "cmn_Hans"),
        ("zh-CHT", "狗", "cmn_Hant"),
        ("cmn-TW", "狗", "cmn_Hant"),
        ("zh-Hant-HK", "狗", "cmn_Hant"),
        ("zh_TW.UTF-8", "狗", "cmn_Hant"),  # a locale with its encoding
        ("sr_RS.UTF-8@latin", "пас", "srp_Latn"),
        ("zh-yue", "狗", "yue_Hani"),  # extended languages
        ("zh-min-nan", "狗", "nan_Hani"),
        ("ar-arz", "كلب", "arz_Arab"),
        ("de-gsw", "Hund", "deu_Latn"),  # of no macrolanguage
        ("uz-AF", "it", "uzn_Arab"),
        ("uz-UZ", "ит", "uzn_Cyrl"),
        ("az-IR", "it", "azj_Arab"),
        ("mn-CN", "x", "khk_Mong"),
        ("gem", "hund", ""),  # a family
        ("xx", "hund", ""),
        ("", "hund", ""),
        ("German", "Hund", ""),
        ("egy", "𓃡", "egy_Egyp"),
    ],
)
def test_codes(tag, text, code):
    assert language_of_tag(tag, text) == code
    assert not code or check_language(code) == code


def test_regions_and_extended_languages_can_name_these_codes_alone():
    assert is_tagged("uz-AF", "uzn_Arab") and is_tagged("uz-AF", "uzs_Arab") and not is_tagged("uz-AF", "uzn_Latn")
    assert is_tagged("zh-yue", "yue_Hant") and not is_tagged("zh-yue", "zho_Hant")
    assert is_tagged("zh_TW.UTF-8", "zho_Hant") and not is_tagged("zh_TW.UTF-8", "zho_Hans")


def test_names_in_a_column_of_languages():
    assert row_language("English", "dog") == "eng_Latn" == row_language("englisch", "dog")
    assert row_language("Chinese", "狗") == "cmn_Hani" and row_language("Serbian", "пас") == "srp_Cyrl"
    with pytest.raises(InputError, match="unknown language code 'Klingonian'"):
        row_language("Klingonian", "x")


def test_the_language_that_is_wanted_goes_before():
    wanted = ["zho_Hans", "srp_Latn", "srp_Cyrl", "ara_Arab"]
    assert language_of_tag("zh", "狗", wanted) == "zho_Hans"
    assert language_of_tag("sr", "пас", wanted) == "srp_Cyrl"
    assert language_of_tag("sr", "pas", wanted) == "srp_Latn"
    assert language_of_tag("ar", "كلب", wanted) == "ara_Arab"
    assert language_of_tag("cmn", "狗", wanted) == "zho_Hans"
    assert language_of_tag("cmn", "狗", [*wanted, "cmn_Hant"]) == "cmn_Hant"
    assert language_of_tag("cmn-TW", "狗", wanted) == "cmn_Hant"  # never the simplified one
    assert language_of_tag("zh-Hant", "狗", wanted) == "cmn_Hant"  # not among them
    assert language_of_tag("fr", "chien", wanted) == "fra_Latn"


def test_the_table_holds_known_codes():
    assert all(check_language(f"{language}_Latn") for language in SEVERAL)


@pytest.mark.parametrize(
    ("locale", "code"),
    [
        ("iw", "heb_Hebr"),
        ("in_ID", "ind_Latn"),
        ("mo", "ron_Latn"),
        ("av", "ava_Cyrl"),
        ("zh_HK", "cmn_Hant"),
        ("zh", "cmn_Hans"),
        ("pa_PK", "pan_Arab"),
        ("ks@devanagari", "kas_Deva"),
        ("gem-pro", ""),
        ("key!", ""),
    ],
)
def test_locales(locale, code):
    assert locale_language(locale) == code


@pytest.mark.parametrize(
    ("header", "codes", "sides"),
    [
        (["Deutsch", "Englisch"], ("deu_Latn", "eng_Latn"), (0, 1)),
        (["English", "German"], ("deu_Latn", "eng_Latn"), (1, 0)),
        (["Русский", "Английский"], ("rus_Cyrl", "eng_Latn"), (0, 1)),
        (["id", "Chinese", "english text"], ("eng_Latn", "zho_Hans"), (2, 1)),
        (["Mandarin Chinese", "हिन्दी"], ("cmn_Hans", "hin_Deva"), (0, 1)),
        (["Persian", "Norwegian"], ("pes_Arab", "nob_Latn"), (0, 1)),
        (["German", "deutsch"], ("eng_Latn", "deu_Latn"), None),  # a word and its translation
        (["English", "Englisch"], ("eng_Latn", "deu_Latn"), None),
        (["French", "Spanish"], ("eng_Latn", "deu_Latn"), None),
        (["dog", "Hund"], ("eng_Latn", "deu_Latn"), None),
    ],
)
def test_headers_of_names_of_languages(header, codes, sides):
    assert tagged_sides(header, *codes) == sides


@pytest.mark.parametrize(
    ("code", "meant"), [("mol_Latn", "ron_Latn"), ("mol_Cyrl", "ron_Cyrl"), ("scr_Latn", "hrv_Latn")]
)
def test_a_withdrawn_code_is_answered_with_the_one_in_use(code, meant):
    with pytest.raises(InputError, match=f"unknown language code '{code}': .*did you mean {meant}"):
        check_language(code)


def test_moldavian_is_romanian_in_the_script_of_its_text():
    assert [language_of_tag(tag, text) for tag in ("mo", "mol") for text in ("кыне", "câine")] == [
        "ron_Cyrl", "ron_Latn", "ron_Cyrl", "ron_Latn",
    ]  # fmt: skip
    assert is_tagged("mo", "ron_Cyrl") and language_of_tag("ro", "π") == "ron_Latn"


@pytest.mark.parametrize(
    ("tag", "code", "can"),
    [
        ("ckb", "kur_Arab", True), ("kmr", "kur_Latn", True), ("ku", "ckb_Arab", True), ("ckb", "kur_Latn", False),
        ("arz", "ara_Arab", False), ("cmn", "zho_Hans", True), ("nob", "nor_Latn", True), ("nno", "nor_Latn", False),
    ],
)  # fmt: skip
def test_members_of_macrolanguages(tag, code, can):
    assert is_tagged(tag, code) == can


def test_languages_of_no_state_have_their_script_too():
    tags = ("grc", "prs", "arz", "bho", "udm", "lzh", "azb-IR", "deu-Latf", "cu-Cyrs")
    codes = ["grc_Grek", "prs_Arab", "arz_Arab", "bho_Deva", "udm_Cyrl", "lzh_Hant", "azb_Arab", "deu_Latf", "chu_Cyrs"]
    assert list(map(locale_language, tags)) == codes
    with pytest.raises(InputError, match=r"such as deu_Latn$"):
        check_language("deu_Xxxx")
