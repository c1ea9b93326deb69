import gzip
import lzma

import pytest

from align.errors import InputError
from align.pairs.lexicons.format import ConceptWord
from align.pairs.lexicons.wordnet import wordnet_words

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.1.dtd">
<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/">
"""
ATTRIBUTES = 'label="Toy" email="a@b.c" license="CC0" version="1"'
ENGLISH = f"""<Lexicon id="toy-en" language="en" {ATTRIBUTES}>
<LexicalEntry id="toy-en-dog"><Lemma writtenForm="dog" partOfSpeech="n"/>
<Sense id="s1" synset="toy-en-1"/>
<Sense id="s2" synset="toy-en-2"/></LexicalEntry>
<LexicalEntry id="toy-en-hound"><Lemma writtenForm="hot_dog &amp; co" partOfSpeech="n"/><Form writtenForm="hounds"/>
<Sense id="s3" synset="toy-en-1"/></LexicalEntry>
<LexicalEntry id="toy-en-cat"><Lemma writtenForm="cat" partOfSpeech="n"/>
<Sense id="s4" synset="toy-en-3"/></LexicalEntry>
<Synset id="toy-en-1" ili="i1" partOfSpeech="n"><Definition language="fr">animal qui aboie</Definition>
<Definition>an animal
  that barks</Definition><Definition>second</Definition><Example>the dog barks</Example></Synset>
<Synset id="toy-en-2" ili="in" partOfSpeech="n"><ILIDefinition>a bad person, says the index</ILIDefinition></Synset>
<Synset id="toy-en-3" ili="" partOfSpeech="n"><Definition>an animal that purrs</Definition></Synset>
</Lexicon>
"""
SERBIAN = f"""<Lexicon id="toy-sr" language="sr" {ATTRIBUTES}>
<LexicalEntry id="toy-sr-pas"><Lemma writtenForm="пас" partOfSpeech="n"/>
<Sense id="r1" synset="toy-sr-1"/></LexicalEntry>
<Synset id="toy-sr-1" ili="i1" partOfSpeech="n"/>
</Lexicon>
"""
TAIL = "</LexicalResource>\n"


def lmf(folder, *lexicons, name="toy.xml"):
    path = folder / name
    path.write_text(HEAD + "".join(lexicons) + TAIL, encoding="utf-8")
    return path


def test_lexicons_meet_on_the_index(tmp_path):
    path = lmf(tmp_path, ENGLISH, SERBIAN)
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = list(wordnet_words(path))
    barks, file = "an animal that barks", str(path)
    assert rows == [
        ConceptWord(file, 6, "i1", "eng_Latn", "dog", barks),
        ConceptWord(file, 7, "eng_Latn:toy-en:toy-en-2", "eng_Latn", "dog"),  # proposed for the index, not in it
        ConceptWord(file, 9, "i1", "eng_Latn", "hot dog & co", barks),
        ConceptWord(file, 11, "eng_Latn:toy-en:toy-en-3", "eng_Latn", "cat", "an animal that purrs"),
        ConceptWord(file, 20, "i1", "srp_Cyrl", "пас"),  # the script is that of the words
    ]
    assert all("<Sense" in lines[row.number - 1] for row in rows)


@pytest.mark.parametrize(("name", "opened"), [("toy.xml.gz", gzip.open), ("toy.xml.xz", lzma.open)])
def test_compressed_files_read_the_same(tmp_path, name, opened):
    plain = lmf(tmp_path, ENGLISH, SERBIAN)
    with opened(tmp_path / name, "wb") as file:
        file.write(plain.read_bytes())
    rows = [row._replace(file="") for row in wordnet_words(tmp_path / name)]
    assert rows == [row._replace(file="") for row in wordnet_words(plain)]
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"{name} is not a complete (gzip|xz) file"):
        list(wordnet_words(tmp_path / name))
    (tmp_path / name).write_bytes(b"<html>404</html>")
    with pytest.raises(InputError, match=rf"{name} is not a complete (gzip|xz) file"):
        list(wordnet_words(tmp_path / name))


def test_only_the_languages_that_are_wanted(tmp_path):
    path = lmf(tmp_path, ENGLISH, SERBIAN)
    assert [row.language for row in wordnet_words(path, languages=["srp_Cyrl", "deu_Latn"])] == ["srp_Cyrl"]
    with pytest.raises(InputError, match="toy.xml: no word in deu_Latn; there are words in eng_Latn, srp_Cyrl"):
        list(wordnet_words(path, languages=["deu_Latn"]))


def test_a_long_file_is_read_across_blocks(tmp_path):
    entries = "".join(
        f'<LexicalEntry id="e{i}"><Lemma writtenForm="word {i}" partOfSpeech="n"/><Sense id="s{i}" synset="y{i}"/>'
        f"</LexicalEntry>\n"
        for i in range(3000)
    )
    synsets = "".join(
        f'<Synset id="y{i}" ili="i{i}" partOfSpeech="n"><Definition>{"long " * 20}{i}</Definition></Synset>\n'
        for i in range(3000)
    )
    path = lmf(tmp_path, f'<Lexicon id="toy" language="en" {ATTRIBUTES}>\n{entries}{synsets}</Lexicon>\n')
    assert path.stat().st_size > 5 * (1 << 16)
    assert [(row.concept, row.word, row.gloss) for row in wordnet_words(path)] == [
        (f"i{i}", f"word {i}", f"{'long ' * 20}{i}") for i in range(3000)
    ]


def test_agrees_with_the_library_of_wordnets(tmp_path):
    lmf_of_wn = pytest.importorskip("wn.lmf")
    path = lmf(tmp_path, ENGLISH, SERBIAN)
    expected = []
    for lexicon in lmf_of_wn.load(path, progress_handler=None)["lexicons"]:
        synsets = {synset["id"]: synset for synset in lexicon["synsets"]}
        for entry in lexicon["entries"]:
            for sense in entry["senses"]:
                ili = synsets[sense["synset"]]["ili"]
                concept = ili if ili not in ("", "in") else f"eng_Latn:{lexicon['id']}:{sense['synset']}"
                expected.append((concept, entry["lemma"]["writtenForm"].replace("_", " ")))
    assert [(row.concept, row.word) for row in wordnet_words(path)] == expected


def lexicon(name, language, *words, synset="s1", lemma=lambda word: word):
    entries = "".join(
        f'<LexicalEntry id="e{number}"><Lemma writtenForm="{lemma(word)}" partOfSpeech="n"/>'
        f'<Sense id="t{number}" synset="{synset}"/></LexicalEntry>'
        for number, word in enumerate(words)
    )
    return (
        f'<Lexicon id="{name}" language="{language}" {ATTRIBUTES}>{entries}'
        f'<Synset id="{synset}" ili="" partOfSpeech="n"/></Lexicon>\n'
    )


@pytest.mark.parametrize("together", [True, False])
def test_equal_ids_of_two_wordnets_are_two_synsets(tmp_path, together):
    lexicons = lexicon("a", "de", "Teich", "Weiher"), lexicon("b", "fr", "banc", "siège")
    files = [lmf(tmp_path, *lexicons)] if together else [lmf(tmp_path, each, name=each[13]) for each in lexicons]
    rows = [row for file in files for row in wordnet_words(file)]
    assert [row.concept for row in rows] == ["deu_Latn:a:s1"] * 2 + ["fra_Latn:b:s1"] * 2


def test_a_lexicon_may_use_the_synsets_of_another_in_its_file(tmp_path):
    one = lexicon("a", "de", "Teich")
    two = lexicon("b", "de", "Weiher").replace('<Synset id="s1" ili="" partOfSpeech="n"/>', "")
    assert {row.concept for row in wordnet_words(lmf(tmp_path, one, two))} == {"deu_Latn:a:s1"}


def test_a_lemma_with_an_illegal_character_is_set_aside(tmp_path):
    path = lmf(tmp_path, lexicon("a", "de", "Te&#8;ich", "Weiher", "Tümpel"))
    path.write_bytes(path.read_bytes().replace("ü".encode(), b"\xfc"))
    found = [(row.word, row.problem) for row in wordnet_words(path)]
    assert found == [("Te\ufffdich", "illegal character"), ("Weiher", ""), ("T\ufffdmpel", "illegal character")]


def test_rows_that_cannot_be_used(tmp_path):
    text = f"""<LexiconExtension id="more" language="en" {ATTRIBUTES}><Extends id="toy-en" version="1"/>
<LexicalEntry id="a"><Lemma writtenForm="ant" partOfSpeech="n"/><Sense id="b" synset="nowhere"/>
<Sense id="c" synset="y" lexicalized="false"/></LexicalEntry>
<ExternalLexicalEntry id="toy-en-dog"><Sense id="d" synset="y"/></ExternalLexicalEntry>
<Synset id="y" ili="i7" partOfSpeech="n"/></LexiconExtension>"""
    assert [(row.concept, row.word, row.problem) for row in wordnet_words(lmf(tmp_path, text))] == [
        ("eng_Latn:more:nowhere", "ant", "unknown synset"),
        ("i7", "ant", "not lexicalised"),
        ("i7", "", "no lemma"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<!DOCTYPE html>\n<html><p>404<br></html>", r"line 2: expected a wordnet in WN-LMF .* the element 'html'"),
        ("<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>", r"line 2: expected .* element 'Error'"),
        ("plain text", r"line 1: not well-formed XML \(syntax error\)"),
        ("", r"line 1: not well-formed XML \(no element found\)"),
        (
            HEAD + "<Lexicon id='a' language='en'>\n<Synset>\n</Lexicon>",
            r"line 6: not well-formed XML \(mismatched tag",
        ),
        (HEAD + ENGLISH, r"line 18: not well-formed XML \(no element found\)"),
        (HEAD + "<Lemma writtenForm='a'/></LexicalResource>", "line 4: expected a Lexicon first, got Lemma"),
        (HEAD + TAIL, r"holds no word sense \(Sense\)"),
        (
            HEAD + "\n<Lexicon id='a' language='english'/>" + TAIL,
            "line 5: the language of the lexicon, 'english', is not",
        ),
        (HEAD + "<Lexicon id='a'/>" + TAIL, "line 4: the language of the lexicon, '', is not"),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE LexicalResource [<!ENTITY a "b">]>\n<LexicalResource/>',
            "line 2: expected plain text, got the entity 'a'",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, text, reason):
    path = tmp_path / "bad.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"bad\.xml(,| ).*{reason}|bad\.xml,? {reason}"):
        list(wordnet_words(path))


def test_a_file_that_is_missing_is_named(tmp_path):
    for name in ("toy.xml", "toy.xml.gz", "toy.xml.xz", "toy"):
        with pytest.raises(InputError, match=f"no such file: .*{name}"):
            list(wordnet_words(tmp_path / name))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A data folder of ``wn`` of its own."""
    wn = pytest.importorskip("wn")
    from wn import _db

    before = wn.config.data_directory if wn.config._data_directory.exists() else wn.config._data_directory
    wn.config.data_directory = tmp_path / "wn_data"
    yield wn
    for path in [path for path in _db.pool if str(path).startswith(str(tmp_path))]:
        _db.pool.pop(path).close()
    wn.config._data_directory, wn.config._dbpath = before, before / "wn.db"


def test_an_installed_lexicon(tmp_path, installed):
    path = lmf(tmp_path, ENGLISH, SERBIAN)
    installed.add(path, progress_handler=None)
    of_file = {row[2:] for row in wordnet_words(path) if row.language == "eng_Latn"}
    rows = list(wordnet_words("toy-en:1"))
    assert {row[2:] for row in rows} == of_file
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert {row.file for row in rows} == {"toy-en:1"}
    assert [(row.language, row.word) for row in wordnet_words("toy-sr:1")] == [("srp_Cyrl", "пас")]
    assert list(wordnet_words("toy-sr:1", languages=["eng_Latn"])) == []
    with pytest.raises(InputError, match=r"no lexicon 'omw-xx:1\.4' is installed: python -m wn download omw-xx:1\.4"):
        list(wordnet_words("omw-xx:1.4"))


def test_without_a_database_none_is_made(tmp_path, installed):
    with pytest.raises(InputError, match=r"no lexicon 'omw-fr:1\.4' is installed: .*align-encoders\[wordnet\]"):
        list(wordnet_words("omw-fr:1.4"))
    assert not (tmp_path / "wn_data" / "wn.db").exists()


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"'omw-fr:1\.4' needs .*pip install 'align-encoders\[wordnet\]'"):
        list(wordnet_words("omw-fr:1.4"))
