"""A small, right file of every format that is read, for tests that damage them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from dictd_files import dictzip, number
from readers_of_files import Read, calls, corpus, export, gold_links, labels, rows, rows_of, source
from result_dicts import result, score

ENTRIES = [("Bank", "Bank /baŋk/ <f>\n1. bank\n2. bench, seat\n"), ("Haus", "Haus /haʊ̯s/ <n>\nhouse; home\n")]
DICT = "".join(text for _, text in ENTRIES).encode()


class Small(NamedTuple):
    """A file, those beside it, and what reads it to its end."""

    name: str
    content: bytes
    read: Read
    beside: dict[str, bytes] = {}  # noqa: RUF012  (never written to)


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def jsonl(*rows: Any) -> bytes:
    return lines(*(json.dumps(row, ensure_ascii=False) for row in rows))


def parquet(table: dict[str, list[str]]) -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.table(table), made)
    return made.getvalue()


def index() -> bytes:
    rows, start = [], 0
    for headword, text in ENTRIES:
        rows.append(f"{headword}\t{number(start)}\t{number(len(text.encode()))}")
        start += len(text.encode())
    return lines(*rows)


TMX = b"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="plaintext"/><body>
<tu tuid="1"><tuv xml:lang="en"><seg>Click <bpt i="1">&lt;b&gt;</bpt>here<ept i="1">&lt;/b&gt;</ept> &amp; go</seg>
</tuv><tuv xml:lang="de-DE"><seg>Klicken Sie <ph>{0}</ph>hier</seg></tuv></tu>
<!-- a comment -->
<tu><tuv xml:lang="en"><seg>A name</seg></tuv><tuv xml:lang="de"><seg>Ein Name &#228;</seg></tuv></tu>
</body></tmx>
"""
TEI = b"""<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>
<entry><form><orth>Bank</orth></form><sense n="1"><cit type="trans"><quote>bank</quote></cit></sense>
<sense n="2"><cit type="trans"><quote>bench</quote></cit><cit type="example"><quote>sit</quote></cit></sense></entry>
<entry><form><orth>Haus</orth></form><sense><cit type="trans"><quote>house</quote></cit></sense></entry>
</body></text></TEI>
"""
LMF = b"""<?xml version="1.0" encoding="UTF-8"?>
<LexicalResource>
<Lexicon id="toy" language="en" label="Toy" email="a@b.c" license="CC0" version="1">
<LexicalEntry id="dog"><Lemma writtenForm="dog" partOfSpeech="n"/><Sense id="s1" synset="toy-1"/></LexicalEntry>
<LexicalEntry id="hot"><Lemma writtenForm="hot_dog &amp; co"/><Sense id="s2" synset="toy-2"/></LexicalEntry>
<Synset id="toy-1" ili="i1" partOfSpeech="n"><Definition>an animal that barks</Definition></Synset>
<Synset id="toy-2" ili="in" partOfSpeech="n"/></Lexicon></LexicalResource>
"""
KAIKKI = jsonl(
    {
        "word": "bank",
        "lang": "English",
        "lang_code": "en",
        "senses": [{"glosses": ["a place for money"]}],
        "translations": [{"word": "Bank", "code": "de", "sense": "institution"}],
        "synonyms": [{"word": "depository"}],
    },
    {"title": "banks", "redirect": "bank"},
)
CONLLU = b"""# sent_id = a1
# text = Ana ruft
1-2\tAnaruft\t_\t_\t_\t_\t_\t_\t_\t_
1\tAna\tAna\tPROPN\t_\t_\t2\tnsubj\t_\tNER=B-PER
2\truft\trufen\tVERB\t_\t_\t0\troot\t_\t_

# sent_id = a2
1\tJa\tja\tINTJ\t_\t_\t0\troot\t_\t_

"""
IOB = lines("# sent_id = 1", "Ana\tB-PER", "Lima\tI-PER", "ruft\tO", "", "Ja\tO", "")
BITEXT = lines("source\ttarget", 'He said ""yes""\tEr sagte ja', "Good day\tGuten Tag", "Ω\tΩ")
PAIRS = jsonl({"en": "Good day", "de": "Guten Tag"}, {"en": 'a "b"', "de": "ein\u2028b"}, {"en": None, "de": "x"})
VEC = lines("3 2", "der 0.25 -1e-3", "New York 1 2", "ο .5 0")
NLI = lines("gold_label\tsentence1\tsentence2", "neutral\tA man\tA dog", "c\tIt rains\tIt is dry")
STS = lines("score\tsentence1\tsentence2", "4.5\tA man\tA person", "0\tIt rains\tA dog")
TEXT = lines("πρώτη", "", "δεύτερη γραμμή", "τρίτη")
RESULT = json.dumps(result("m", [score("hin_Deva", [1, 0, 1, 1]), score("tam_Taml", [0, 1, 1, 0])])).encode()
RECIPE = b'name = "own"\n[train]\nsteps = 10\nbatch_size = 8\n[info_nce]\nweight = 1.0\ntemperature = 0.05\n'
ZSTD = pa.compress(TEXT * 3, codec="zstd", asbytes=True)

SMALL = {
    "tmx": Small("a.tmx", TMX, rows_of("eng_Latn", "deu_Latn")),
    "tsv": Small("a.tsv", BITEXT, rows_of("eng_Latn", "deu_Latn")),
    "csv": Small("a.csv", lines("source;target", '"a;b";"c ""d"""', "e;f"), rows_of("eng_Latn", "deu_Latn")),
    "jsonl": Small("a.jsonl", PAIRS, rows_of("eng_Latn", "deu_Latn")),
    "parquet": Small(
        "a.parquet", parquet({"source": ["a", "b"], "target": ["c", "d"]}), rows_of("eng_Latn", "deu_Latn")
    ),
    "text": Small("a.txt", TEXT, source),
    "utf-16": Small("a.txt", "eins\r\nzwei\r\n".encode("utf-16"), source),
    "utf-32": Small("a.txt", "eins\nzwei\n".encode("utf-32"), source),
    "gzip": Small("a.txt.gz", gzip.compress(TEXT, mtime=0), source),
    "zstd": Small("a.txt.zst", ZSTD, source),
    "xz": Small("a.txt.xz", lzma.compress(TEXT), source),
    "bzip2": Small("a.txt.bz2", bz2.compress(TEXT), source),
    "human": Small("a.tsv", lines("native\troman", "αβ\tav", "γ\tg"), source),
    "nli": Small("a.tsv", NLI, rows("pairs.reading.nli_rows", "read_nli", ("eng_Latn",))),
    "sts": Small("a.tsv", STS, rows("pairs.sts", "read_sts", ("eng_Latn",), (0.0, 5.0))),
    "classes": Small(
        "a.tsv",
        lines("text\tclass", "It rains\tweather", "Two goals\tsport", "So it is\t"),
        rows("pairs.classes", "read_classes", ("eng_Latn",)),
    ),
    "export": Small(
        "links.csv", lines("1\t2", "2\t1", "3\t9"), export, {"sentences.csv": lines("1\tdeu\tJa", "2\teng\tYes")}
    ),
    "sentences": Small("sentences.csv", lines("1\tdeu\tJa", "2\teng\tYes"), export, {"links.csv": lines("1\t2")}),
    "table": Small(
        "a.jsonl",
        jsonl({"source": "a", "target": "b", "source_lang": "eng_Latn", "target_lang": "deu_Latn"}),
        calls("pairs.reading.table", "read_pairs"),
    ),
    "tei": Small(
        "a.tei", TEI, calls("pairs.lexicons.tei", "tei_pairs", source_lang="deu_Latn", target_lang="eng_Latn")
    ),
    "wordnet": Small("a.xml", LMF, calls("pairs.lexicons.wordnet", "wordnet_words")),
    "kaikki": Small("a.jsonl", KAIKKI, calls("pairs.lexicons.kaikki", "kaikki_rows")),
    "panlex": Small(
        "a.tsv",
        lines("id\ttxt\tmeaning\tlangvar_uid", "1\tdog\t7\teng-000", "2\tHund\t7\tdeu-000"),
        calls("pairs.lexicons.panlex", "panlex_words", languages=("eng_Latn", "deu_Latn")),
    ),
    "entities": Small("a.tsv", lines("key\ten\tde", "Q1\tRome\tRom"), calls("pairs.lexicons.entities", "entity_words")),
    "dictionary": Small(
        "a.tsv",
        lines("dog\tHund", "house\tHaus"),
        calls("pairs.lexicons.dictionary", "dictionary_pairs", source_lang="eng_Latn", target_lang="deu_Latn"),
    ),
    "freedict": Small(
        "toy.index",
        index(),
        calls("pairs.lexicons.freedict", "freedict_pairs", source_lang="deu_Latn", target_lang="eng_Latn"),
        {"toy.dict.dz": dictzip(DICT)},
    ),
    "dictzip": Small(
        "toy.dict.dz",
        dictzip(DICT),
        lambda path: calls("pairs.lexicons.freedict", "read_dictd")(path.with_name("toy.index")),
        {"toy.index": index()},
    ),
    "vectors": Small("a.vec", VEC, calls("vectors.static", "read_vectors")),
    "conllu": Small("a.conllu", CONLLU, calls("files.conllu", "read_conllu")),
    "conllu words": Small("a.conllu", CONLLU, calls("alignment.sentences", "read_sentences")),
    "iob": Small("a.iob2", IOB, calls("files.iob", "read_iob")),
    "iob labels": Small("a.iob2", IOB, labels),
    "misc labels": Small("a.conllu", CONLLU, labels),
    "offsets of labels": Small(
        "a.jsonl", jsonl({"spans": [{"start": 0, "end": 8, "label": "PER"}]}, {"spans": []}), labels
    ),
    "gold links": Small(
        "deen.gold",
        lines("1-1 2p2", "1-1"),
        gold_links,
        {"deen.src-tgt": lines("Guten Tag ||| Good day", "Ja ||| Yes")},
    ),
    "bli": Small(
        "a.txt", lines("dog hund", "house haus"), calls("tasks.texts.dictionaries", "read_dictionary", ("en", "de"))
    ),
    "sts set": Small("de.tsv", STS, calls("tasks.texts.sts_sets", "read_sts")),
    "stsb": Small(
        "sts-test.csv", lines("main-news\tb\t2012\t1\t4.5\tA man\tA person"), calls("tasks.texts.sts_sets", "read_sts")
    ),
    "wordsim": Small(
        "en.tsv", lines("cat\tdog\t3.5", "sun\tmoon\t1"), calls("tasks.texts.wordsim_files", "read_pairs")
    ),
    "columns": Small("a.tsv", lines("eng_Latn\tdeu_Latn", "yes\tja"), calls("tasks.texts.bitext", "read_columns")),
    "index of classes": Small(
        "index.tsv",
        lines("id\tsplit\tcategory", "1\ttrain\tsports", "2\ttest\thealth"),
        calls("tasks.texts.labelled", "read_index"),
    ),
    "vocabulary": Small("a.txt", lines("der 100", "die 90"), calls("tasks.texts.vocabulary", "read_vocabulary")),
    "scores": Small(
        "a.tsv",
        lines("source\ttarget\tscore", "eng_Latn\tdeu_Latn\t0.5"),
        lambda path: calls("transfer.scores", "read_scores")([path]),  # type: ignore[arg-type]
    ),
    "sizes": Small("a.tsv", lines("language\tsize", "eng_Latn\t5e6"), calls("transfer.evidence", "read_sizes")),
    "labelled tokens": Small(
        "a.tsv", lines("mein\tH", "ghar\tH", "", "ok\tE"), calls("pairs.tagging.word_tables", "read_labelled")
    ),
    "lexicon": Small("a.tsv", lines("ghar\thouse", "ok\tok"), calls("pairs.tagging.word_tables", "read_lexicon")),
    "result": Small("a.json", RESULT, calls("evaluation.results", "read_result")),
    "recipe": Small("own.toml", RECIPE, calls("training.config", "load_recipe")),
    "corpus text": Small("a.txt", TEXT, corpus),
    "corpus tsv": Small("a.tsv", lines("id\ttext", "1\teins", "2\tzwei"), corpus),
    "corpus csv": Small("a.csv", lines("id,text", '1,"eins, zwei"'), corpus),
    "hits": Small(
        "a.jsonl",
        jsonl(
            *(
                {"query": "q", "rank": rank, "id": "a", "score": 0.5, "text": "t", "language": "", "script": "Latn"}
                for rank in (1, 2)
            )
        ),
        calls("reranking.hits", "read_hits"),
    ),
    "corpus jsonl": Small("a.jsonl", jsonl({"id": "1", "text": "eins"}, {"id": "2", "text": "zwei"}), corpus),
    "corpus parquet": Small("a.parquet", parquet({"id": ["1"], "text": ["eins"]}), corpus),
}
