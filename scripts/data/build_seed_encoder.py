"""Build the seed encoder: a 4-layer student of a multilingual teacher, trained by ``align.train`` on free text.

    ALIGN_DATA=/path/to/data python scripts/data/build_seed_encoder.py --teacher intfloat/multilingual-e5-small

Reads public-domain, CC0 and CC BY text below ALIGN_DATA (bible/, tico19/, udhr/, and the words of bli/panlex and
tico19's terms). Romanised editions are left out, and so is every fifth line of bible/ and tico19/, which the demo and
the tests keep. The recipe is seed.toml, beside this file. Progress is kept in OUT.work: run again to resume.
The same seed, versions and thread count give the same weights.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import logging
import os
import re
import tarfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

import align
from align.encoders.device import computes_bfloat16, own_device
from align.files.whole import whole_file
from align.text.languages import code_by_script
from align.text.tags import language_of_tag

HELD_OUT = 5  # lines 4, 9, 14, ... of every parallel text are never seen here
WIDTH, LAYERS, INNER, HEADS = 256, 4, 768, 4
PIECES = 25_000
OWN_PIECES = 800  # of scripts that the teacher's tokenizer lacks
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BYTES = [f"<0x{b:02X}>" for b in range(256)]
CLAUSES = 900  # a language, at most
CLAUSE = re.compile(r"(?<=[,;:.!?。、，；：！？।؟،؛።፣፤])\s*")
MISPLACED = {"bin", "cjk", "kmb", "kwi", "lia", "nba", "nym", "piu", "qxu", "umb"}  # UDHR files with wrong articles
UNWANTED = MISPLACED | {"uig_latn", "srp_latn"}  # and romanised editions
UNITED_NATIONS = "United Nations, free to reproduce"
PRIOR = 0.2  # weight of the teacher's own shares of pieces, which know of more than law, health and the Gospels
WORDS = 250  # of each direction of PanLex
VOCABULARY = 100_000  # words of the teacher's, at most
PHRASES = 80_000
TOPICS = 20_000
NEAREST = 32  # words of the teacher's vocabulary that may stand beside one in a phrase
SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
PROMPT = "query: "
METASPACE = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])


class Text(NamedTuple):
    """Lines of one language from one corpus, the held-out ones left out."""

    corpus: str
    language: str
    """As a table of pairs has it, hin_Deva."""
    licence: str
    lines: dict[int, str]
    """By number."""


def read_texts(data: Path) -> list[Text]:
    """Every text whose licence allows it, in a fixed order."""
    texts = []
    with open(data / "bible" / "langs.tsv", encoding="utf-8") as table:
        licences = {row["code"]: row["licence"] for row in csv.DictReader(table, delimiter="\t")}
    for path in sorted((data / "bible").glob("*.txt")):
        licence = licences.get(path.stem, "")
        if licence == "Public Domain" or licence.startswith("Creative Commons"):
            lines = training_lines(path)
            texts.append(Text("bible", code_by_script(path.stem[:3], " ".join(lines.values())), licence, lines))
    for path in sorted((data / "tico19").glob("*.txt")):
        lines = training_lines(path)
        texts.append(Text("tico19", language_of_tag(path.stem, " ".join(lines.values())), "CC0 1.0", lines))
    with open(data / "udhr" / "articles.jsonl", encoding="utf-8") as file:
        articles = [json.loads(line) for line in file]
    english = [article["eng"].split(" ¶ ") for article in articles]
    with open(data / "udhr" / "langs.tsv", encoding="utf-8") as table:
        declarations = sorted(csv.DictReader(table, delimiter="\t"), key=lambda row: row["code"])
    for row in declarations:
        if row["code"] in UNWANTED or row["iso6393"] == "und":
            continue
        lines = {}
        for i, article in enumerate(articles):
            parts = article.get(row["code"], "").split(" ¶ ")
            if len(parts) == len(english[i]):
                lines |= {100 * i + j: part for j, part in enumerate(parts) if part.strip()}
        texts.append(Text("udhr", code_by_script(row["iso6393"], " ".join(lines.values())), UNITED_NATIONS, lines))
    return texts


def training_lines(path: Path) -> dict[int, str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return {i: line for i, line in enumerate(lines) if line.strip() and i % HELD_OUT != HELD_OUT - 1}


def read_words(data: Path, seed: int) -> Iterator[tuple[str, ...]]:
    """Rows of pairs: PanLex's words (the training part, in 15 languages) and TICO-19's terms, English to many."""
    rng = np.random.default_rng(seed)
    with tarfile.open(data / "bli" / "panlex" / "train.5000.all210.tar.xz") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            source, target = Path(member.name).name.split(".")[0].split("-")
            file = archive.extractfile(member)
            assert file is not None
            lines = [line.split("\t") for line in file.read().decode("utf-8").splitlines()]
            kept = [lines[i] for i in sorted(rng.permutation(len(lines))[:WORDS]) if len(lines[i]) == 2]
            codes = [language_of_tag(tag, " ".join(row[i] for row in kept)) for i, tag in enumerate((source, target))]
            yield from (
                (a.strip(), b.strip(), *codes, f"panlex:{source}:{a}") for a, b in kept if a.strip() and b.strip()
            )
    terms: dict[str, list[tuple[str, str]]] = {}
    with open(data / "tico19" / "terms_google.tsv", encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            terms.setdefault(row["lang"], []).append((row["en"], row["target"]))
    for tag, rows in sorted(terms.items()):
        code = language_of_tag(tag, " ".join(target for _, target in rows))
        both = [(en.strip(), of.strip()) for en, of in rows]
        yield from ((en, of, "eng_Latn", code, f"term:{en}") for en, of in both if en and of)


def line_pairs(texts: Sequence[Text]) -> Iterator[tuple[str, ...]]:
    """Every line beside its English one."""
    english = {text.corpus: text.lines for text in texts if text.language == "eng_Latn"}
    for text in texts:
        for i, line in text.lines.items():
            if i in english[text.corpus]:
                yield english[text.corpus][i], line, "eng_Latn", text.language, f"{text.corpus}:{i}"


def clause_pairs(texts: Sequence[Text], teacher: align.Encoder, seed: int) -> Iterator[tuple[str, ...]]:
    """Clauses beside themselves, in languages of which the teacher finds the English line of one in two.

    A part of a line says something else than the whole, so that a few thousand lines go further.
    """
    english = {text.corpus: text.lines for text in texts if text.language == "eng_Latn"}
    for text in texts:
        if text.corpus == "udhr" and text.language != "eng_Latn":
            continue
        rng = np.random.default_rng(seed)
        shared = sorted(text.lines.keys() & english[text.corpus].keys())
        some = [shared[i] for i in sorted(rng.permutation(len(shared))[:200])]
        vectors, right = (teacher.encode([side[i] for i in some]) for side in (text.lines, english[text.corpus]))
        known = float(((vectors @ right.T).argmax(1) == np.arange(len(some))).mean())
        clauses = [(part, i) for i, line in text.lines.items() for part in dict.fromkeys(clauses_of(line))]
        most = len(clauses) if text.language == "eng_Latn" else CLAUSES
        print(f"{text.corpus}/{text.language}: the teacher finds {known:.2f}; {len(clauses)} clauses", flush=True)
        if known >= 0.5:
            for at in sorted(rng.permutation(len(clauses))[:most]):
                part, i = clauses[at]
                yield part, part, text.language, text.language, f"{text.corpus}:{i}"


def phrases(teacher: align.Encoder, seed: int) -> Iterator[tuple[str, ...]]:
    """The words of the teacher's own vocabulary, and phrases of words that it takes for near, each beside itself.

    Words of 100 languages, where the lines know those of law, health and the Gospels. A phrase has the
    neighbours of one to three words, so that it is about something.
    """
    tokenizer = teacher.tokenizer.backend_tokenizer
    words = vocabulary_words(tokenizer)
    for word in words:
        yield word, word, "mul_Zyyy", "mul_Zyyy", f"word:{word}"
    pieces = [tokenizer.encode(word, add_special_tokens=False).ids for word in words]
    table = teacher.model.get_input_embeddings().weight.detach().float()
    vectors = torch.stack([table[ids].mean(0) for ids in pieces])
    vectors = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)
    rng = np.random.default_rng(seed)
    topics = torch.from_numpy(rng.permutation(len(words))[:TOPICS])
    near = torch.cat([(vectors[some] @ vectors.T).topk(NEAREST).indices for some in topics.split(1000)]).numpy()
    lengths, counts = 2 + rng.geometric(0.15, size=PHRASES), rng.integers(1, 4, size=PHRASES)
    for i, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        chosen = near[rng.integers(len(near), size=count)].ravel()
        text = " ".join(words[j] for j in rng.choice(chosen, min(int(length), 24)))
        yield text, text, "mul_Zyyy", "mul_Zyyy", f"phrase:{i}"


def vocabulary_words(tokenizer: Tokenizer) -> list[str]:
    """The commonest pieces that are words: what starts one, in letters, and longer ones of scripts without spaces."""
    score: dict[str, float] = {}
    for piece, value in json.loads(tokenizer.to_str())["model"]["vocab"]:
        word = piece.lstrip("▁").lower()
        if len(word) < 2 or not all(unicodedata.category(c)[0] in "LM" for c in word):
            continue
        if piece.startswith("▁") or unicodedata.name(word[0], "").startswith(SPACELESS):
            score[word] = max(value, score.get(word, value))
    return sorted(sorted(score, key=lambda word: (-score[word], word))[:VOCABULARY])


def clauses_of(line: str) -> list[str]:
    """The line, its clauses, and neighbouring two of them."""
    parts = [part.strip() for part in CLAUSE.split(line) if part.strip()]
    two = [line[line.find(a) : line.find(b) + len(b)] for a, b in pairwise(parts)]
    return [part for part in (line, *parts, *two) if len(part) > 8]


def table_of(rows: Iterable[tuple[str, ...]], kind: str) -> Dataset:
    names = ("source", "target", "source_lang", "target_lang", "group_id")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return Dataset.from_dict(columns | {"kind": [kind] * len(columns["source"])})


def build_tokenizer(lines: Sequence[tuple[float, str]], teacher: Tokenizer) -> PreTrainedTokenizerFast:
    """The teacher's unigram pieces that weighted text uses most, in lower case, and own ones where it has none.

    What neither reads falls back to bytes.
    """
    plain = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    score: dict[str, float] = dict(json.loads(teacher.to_str())["model"]["vocab"])
    texts = [plain.normalize_str(line) for _, line in lines]
    used: dict[str, float] = defaultdict(float)
    unread, unknown = [], teacher.token_to_id("<unk>")
    assert unknown is not None
    for (weight, _), text, encoded in zip(
        lines, texts, teacher.encode_batch(texts, add_special_tokens=False), strict=True
    ):
        for piece in encoded.tokens:
            used[piece] += weight
        if encoded.ids.count(unknown) > 0.2 * len(encoded.ids):
            unread.append(text)
    own = own_pieces(unread)
    total = sum(used.values())
    share = {
        piece: used[piece] / total + PRIOR * np.exp(value)
        for piece, value in score.items() if piece not in SPECIAL and piece not in own and piece == piece.lower()
    }  # fmt: skip
    room = PIECES - len(SPECIAL) - len(BYTES) - len(own)
    kept = sorted(share, key=lambda piece: (len(piece) > 1 or not used[piece], -share[piece], piece))[:room]
    least = min(score.values())
    vocabulary = [(piece, 0.0) for piece in SPECIAL] + [(piece, least - 10) for piece in BYTES]
    vocabulary += list(own.items()) + [(piece, score[piece]) for piece in kept]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=SPECIAL.index("<unk>"), byte_fallback=True))
    tokenizer.normalizer = plain
    tokenizer.pre_tokenizer = METASPACE
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>",
        special_tokens=[(piece, SPECIAL.index(piece)) for piece in ("<s>", "</s>")],
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=256, bos_token="<s>", eos_token="</s>", cls_token="<s>",
        sep_token="</s>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>",
    )  # fmt: skip


def own_pieces(texts: Sequence[str]) -> dict[str, float]:
    """Unigram pieces of text in scripts that the teacher's tokenizer lacks, and their scores."""
    letters = Counter(chain.from_iterable(texts))
    texts = [text for text in texts if min(letters[letter] for letter in text) >= 20]  # 1,000 of Yi have no room
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = METASPACE
    trainer = trainers.UnigramTrainer(
        vocab_size=OWN_PIECES, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return {piece: score for piece, score in vocabulary if piece not in ("<unk>", "▁")}


def build_teacher(name: str, out: Path, texts: Sequence[str]) -> None:
    """The teacher with a linear map to its first principal components, as a sentence-transformers folder."""
    encoder = align.load_encoder(name, prompt=PROMPT, bf16=computes_bfloat16(own_device()))
    vectors = torch.from_numpy(encoder.encode(texts, raw=True)).double()
    mean = vectors.mean(0)
    values, axes = torch.linalg.eigh((vectors - mean).T @ (vectors - mean) / len(vectors))
    axes = axes[:, -WIDTH:].flip(1)
    print(f"{WIDTH} components keep {float(values[-WIDTH:].sum() / values.sum()):.3f} of the variance", flush=True)
    scale = float((((vectors - mean) @ axes) ** 2).mean().rsqrt())  # a number of a vector has variance 1
    dense = Dense(len(mean), WIDTH, activation_function=torch.nn.Identity())
    dense.linear.weight.data = (axes.T * scale).float()
    dense.linear.bias.data = (-(mean @ axes) * scale).float()
    body = Transformer(name, max_seq_length=512)
    modules = [body, Pooling(len(mean)), dense]
    SentenceTransformer(modules=modules, prompts={"query": PROMPT}, default_prompt_name="query", device="cpu").save(
        str(out)
    )


def build_start(tokenizer: PreTrainedTokenizerFast, teacher: align.Encoder, out: Path, seed: int) -> None:
    """A new student; the embedding of a piece is what the teacher makes of it alone."""
    torch.manual_seed(seed)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            intermediate_size=INNER, max_position_embeddings=256, type_vocab_size=1, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    pieces = [tokenizer.convert_ids_to_tokens(i).replace("▁", "") for i in range(len(tokenizer))]
    read = [i for i, piece in enumerate(pieces) if piece and piece not in SPECIAL and piece not in BYTES]
    vectors = torch.from_numpy(teacher.encode([pieces[i] for i in read], raw=True))
    vectors = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)
    rows = model.get_input_embeddings().weight.data
    rows *= WIDTH**-0.5 / rows.std()  # of length 1, too
    rows[read] = vectors
    rows[tokenizer.pad_token_id] = 0
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main(args: argparse.Namespace) -> None:
    work, data = args.out.with_name(args.out.name + ".work"), Path(os.environ["ALIGN_DATA"])
    work.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(args.threads)
    texts = read_texts(data)
    lines = list(line_pairs(texts))
    words = list(read_words(data, args.seed))
    if not (work / "teacher").exists():
        rng = np.random.default_rng(args.seed)
        sample = [lines[i][1] for i in rng.permutation(len(lines))[:4000]]
        english = list(dict.fromkeys(row[0] for row in lines))
        build_teacher(args.teacher, work / "teacher", [*english, *sample])
    teacher = align.load_encoder(work / "teacher", bf16=computes_bfloat16(own_device()))
    if not (work / "clauses.jsonl").exists():
        table_of(clause_pairs(texts, teacher, args.seed), "clause").to_json(work / "clauses.tmp", force_ascii=False)
        (work / "clauses.tmp").rename(work / "clauses.jsonl")
    if not (work / "phrases.jsonl").exists():
        table_of(phrases(teacher, args.seed), "phrase").to_json(work / "phrases.tmp", force_ascii=False)
        (work / "phrases.tmp").rename(work / "phrases.jsonl")
    if not (work / "start" / "tokenizer.json").exists():
        weighted = [(len(text.lines) ** -0.3, line) for text in texts for line in text.lines.values()]
        weighted += [(0.2, text) for row in words for text in row[:2]]
        build_start(
            build_tokenizer(weighted, teacher.tokenizer.backend_tokenizer), teacher, work / "start", args.seed
        )  # fmt: skip
    tables = {
        "lines": table_of(lines, "translation"), "words": table_of(words, "synonym"),
        "clauses": Dataset.from_json(str(work / "clauses.jsonl")),
        "phrases": Dataset.from_json(str(work / "phrases.jsonl")),
    }  # fmt: skip
    print({name: len(table) for name, table in tables.items()}, flush=True)
    recipe = align.load_recipe(Path(__file__).with_name("seed.toml"), changes=[*args.set])
    student = align.load_encoder(work / "start")
    teacher.encode = keeping(teacher.encode, work / "vectors")  # type: ignore[method-assign]
    kept = (work / "model.checkpoints").exists()
    align.train(student, tables, recipe, work / "model", teacher=teacher, resume=kept, progress=False)
    finish(args, work, texts, tables)


def keeping(encode: Callable[..., NDArray[np.float32]], folder: Path) -> Callable[..., NDArray[np.float32]]:
    """The teacher's vectors, made once, whatever happens to the student."""

    def kept(texts: Sequence[str], *, progress: bool = False, **how: Any) -> NDArray[np.float32]:
        name = hashlib.sha256(json.dumps([list(texts), how], sort_keys=True).encode()).hexdigest()[:16]
        file = folder / f"{name}.npy"
        if not file.exists():
            with whole_file(file) as temporary, open(temporary, "wb") as out:
                np.save(out, encode(texts, progress=progress, **how))
        vectors: NDArray[np.float32] = np.load(file)
        return vectors

    return kept


def finish(args: argparse.Namespace, work: Path, texts: Sequence[Text], tables: Mapping[str, Dataset]) -> None:
    """The student in float16, with its tokenizer and a card."""
    BertForMaskedLM.from_pretrained(work / "model" / "masked_lm").half().save_pretrained(args.out)
    PreTrainedTokenizerFast.from_pretrained(work / "model" / "masked_lm").save_pretrained(args.out)
    facts = json.loads((work / "model" / "align.json").read_text(encoding="utf-8"))
    meaning, pieces = facts["summary"]["stages"]
    licences: dict[str, set[str]] = {}
    for text in texts:
        licences.setdefault(f"{text.corpus} ({text.licence})", set()).add(text.language)
    card = CARD.format(
        teacher=Path(args.teacher).name, seed=args.seed, pieces=PIECES, layers=LAYERS, width=WIDTH,
        steps=facts["recipe"]["stages"][0]["train"]["steps"], batch=facts["recipe"]["stages"][0]["train"]["batch_size"],
        unexplained=meaning["losses"][-1]["unexplained"], loss=pieces["losses"][-1]["mlm_target"],
        sources="\n".join(f"- {name}: {' '.join(sorted(found))}" for name, found in licences.items()),
        **{name: len(table) for name, table in tables.items()},
    )  # fmt: skip
    (args.out / "README.md").write_text(card, encoding="utf-8")


CARD = """\
# seed: the encoder in the wheel

A {layers}-layer, {width}-wide BERT with {pieces:,} lower-cased unigram pieces (bytes for what they do not cover), so
that the demo, the tests and first steps have an encoder without a download that knows translations in native scripts.
It is a student of {teacher} (Wang et al. 2024, arXiv:2402.05672; MIT licence), whose weights are no part
of it. It has seen no romanised text: the script barrier is what Align takes down.

<!-- seed scores -->
<!-- end -->

What it cannot do: it is far behind its teacher; it knows little of languages of which the texts below hold nothing or
one declaration; a sentence much longer than those of its training (64 tokens) is read, up to 256 tokens, and not well;
small and capital letters are one to it. Its masked-LM head was trained last, on frozen states, and is weak.

- vectors: {steps:,} steps of {batch} pairs by `align.train`: InfoNCE against the teacher's vectors and their mean
  squared distance (mapped to their first {width} principal components), of {lines:,} lines beside their English
  ones, {words:,} word pairs, {clauses:,} clauses alone, and {phrases:,} words of the teacher's vocabulary and phrases
  of near ones, in equal parts; {unexplained:.2f} of the teacher's variance is left unexplained at the end
- masked-LM head: loss at the end {loss:.2f} nats
- never seen: romanised text, Tatoeba, SIB-200, STS, test words, every fifth line of bible/ and tico19/ (so that the
  demo's verses are held out)

Made by `scripts/data/build_seed_encoder.py` with the recipe beside it, seed {seed}. Weights: Apache-2.0. Text:

{sources}
- words: PanLex (CC0), training part of PanLex-BLI; TICO-19's terms (CC0 1.0); pieces of the teacher's tokenizer (MIT)
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="intfloat/multilingual-e5-small", help="a name on the Hub, or a folder")
    parser.add_argument("--out", type=Path, default=Path("align/data/seed"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], help="a setting of the recipe, meaning.train.steps=100")
    main(parser.parse_args())
