"""Pretrain the seed encoder: a 4-layer multilingual masked language model, from monolingual text alone.

    ALIGN_DATA=/path/to/data python scripts/data/pretrain_seed_encoder.py --out align/data/seed

Reads public-domain, CC0 and CC BY text below ALIGN_DATA (bible/, tico19/, udhr/), one line at a time: no two
translations are ever seen together. Romanised editions are left out, and so is every fifth line of the parallel
texts, which the demo and the tests keep for evaluation. Progress is kept in OUT.work: run again to resume.
The same seed, versions and thread count give the same weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tqdm import tqdm
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

HELD_OUT = 5  # lines 4, 9, 14, ... of every parallel text are never seen here
PIECES = 16_000
MAX_TOKENS = 64
BATCH_TOKENS = 3_072
MASK_RATE = 0.2
PEAK_LR = 1e-3
WARMUP_STEPS = 150
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
MISPLACED = {"bin", "cjk", "kmb", "kwi", "lia", "nba", "nym", "piu", "qxu", "umb"}  # UDHR files with wrong articles


@dataclass(frozen=True)
class Source:
    """Lines of one language from one corpus."""

    name: str
    """Corpus/language, e.g. bible/ell."""
    licence: str
    """Licence as its publisher states it."""
    lines: list[str]
    """Non-empty lines, held-out ones removed."""


def training_lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [line for i, line in enumerate(lines) if line.strip() and i % HELD_OUT != HELD_OUT - 1]


def read_sources(data: Path) -> list[Source]:
    """Every text whose licence allows it, in a fixed order."""
    sources = []
    with open(data / "bible" / "langs.tsv", encoding="utf-8") as table:
        licences = {row["code"]: row["licence"] for row in csv.DictReader(table, delimiter="\t")}
    for path in sorted((data / "bible").glob("*.txt")):
        licence = licences.get(path.stem, "")
        if licence == "Public Domain" or licence.startswith("Creative Commons"):
            sources.append(Source(f"bible/{path.stem}", licence, training_lines(path)))
    for path in sorted((data / "tico19").glob("*.txt")):
        sources.append(Source(f"tico19/{path.stem}", "CC0 1.0", training_lines(path)))
    with open(data / "udhr" / "langs.tsv", encoding="utf-8") as table:
        declarations = [row for row in csv.DictReader(table, delimiter="\t") if keep_declaration(row)]
    with open(data / "udhr" / "articles.jsonl", encoding="utf-8") as file:
        articles = [json.loads(line) for line in file]
    for row in sorted(declarations, key=lambda row: row["code"]):
        lines = [part for article in articles for part in article.get(row["code"], "").split(" ¶ ") if part.strip()]
        sources.append(Source(f"udhr/{row['code']}", "United Nations, free to reproduce", lines))
    return sources


def keep_declaration(row: dict[str, str]) -> bool:
    """Non-Latin declarations only: bible/ and tico19/ serve Latin well, and some Latin editions are romanisations."""
    return row["dominant_script"] != "LATIN" and row["code"] not in MISPLACED


def train_tokenizer(sources: list[Source]) -> PreTrainedTokenizerFast:
    """Lower-cased byte-fallback BPE; each source weighs at most 400 lines, so that no script is crowded out."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
    tokenizer.decoder = decoders.Metaspace()
    byte_pieces = [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, limit_alphabet=4_500, special_tokens=SPECIAL + byte_pieces, show_progress=False,
        max_token_length=16,
    )  # fmt: skip
    tokenizer.train_from_iterator((line for s in sources for line in s.lines[:: max(1, len(s.lines) // 400)]), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>",
        special_tokens=[("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))],
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=256, bos_token="<s>", eos_token="</s>", cls_token="<s>",
        sep_token="</s>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>",
    )  # fmt: skip


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> BertForMaskedLM:
    torch.manual_seed(seed)
    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=768,
            max_position_embeddings=256,
            type_vocab_size=1,
            hidden_dropout_prob=0.05,
            attention_probs_dropout_prob=0.0,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def chunks(sources: list[Source], tokenizer: PreTrainedTokenizerFast) -> tuple[list[np.ndarray], np.ndarray]:
    """Token chunks of at most MAX_TOKENS, and the sampling weight of each (a source of n chunks weighs n^0.8)."""
    rows, weights = [], []
    room = MAX_TOKENS - 2
    bos, eos = tokenizer.cls_token_id, tokenizer.sep_token_id
    for source in tqdm(sources, desc="tokenise", mininterval=5):
        encoded = tokenizer(source.lines, add_special_tokens=False)["input_ids"]
        pieces = [ids[i : i + room] for ids in encoded for i in range(0, len(ids), room)]
        pieces = [ids for ids in pieces if len(ids) >= 4]
        rows += [np.array([bos, *ids, eos], dtype=np.int32) for ids in pieces]
        weights += [len(pieces) ** -0.2] * len(pieces)
    return rows, np.array(weights) / sum(weights)


def batches(lengths: np.ndarray, weights: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Endless batches of about BATCH_TOKENS tokens; pools of 4,096 chunks sorted by length, so little is padding."""
    for pool in range(1_000_000):
        rng = np.random.default_rng([seed, pool])
        rows = rng.choice(len(lengths), size=4096, replace=False, p=weights)
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        cuts, width = [0], 0
        for i, row in enumerate(rows):
            width = max(width, int(lengths[row]))
            if width * (i + 1 - cuts[-1]) > BATCH_TOKENS:
                cuts, width = [*cuts, i], int(lengths[row])
        parts = np.split(rows, cuts[1:])
        yield from (parts[i] for i in rng.permutation(len(parts)))


def masked(
    rows: list[np.ndarray], tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator
) -> tuple[torch.Tensor, ...]:
    """Ids, attention mask, masked positions and their true pieces (80 % mask, 10 % random, 10 % unchanged)."""
    width = max(map(len, rows))
    ids = np.full((len(rows), width), tokenizer.pad_token_id)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    attention = ids != tokenizer.pad_token_id
    ordinary = attention & (ids != tokenizer.cls_token_id) & (ids != tokenizer.sep_token_id)
    chosen = ordinary & (rng.random(ids.shape) < MASK_RATE)
    truth = ids[chosen]
    fate = rng.random(truth.shape)
    ids[chosen] = np.where(
        fate < 0.8, tokenizer.mask_token_id, np.where(fate < 0.9, rng.integers(261, len(tokenizer), truth.shape), truth)
    )
    return tuple(torch.from_numpy(x) for x in (ids, attention.astype(np.int64), chosen, truth))


def train(args: argparse.Namespace) -> None:
    work = args.out.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    sources = read_sources(Path(os.environ["ALIGN_DATA"]))
    if (work / "tokenizer.json").exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(work)
    else:
        tokenizer = train_tokenizer(sources)
        tokenizer.save_pretrained(work)
    rows, weights = chunks(sources, tokenizer)
    lengths = np.array([len(row) for row in rows])
    print(f"{len(sources)} texts, {len(rows)} chunks, {lengths.sum():,} tokens, {len(tokenizer)} pieces", flush=True)
    model = new_model(tokenizer, args.seed).to(args.device)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    start, losses = restore(work, model, optimizer)
    began, tokens = time.perf_counter(), 0
    for step, batch in enumerate(batches(lengths, weights, args.seed)):
        if step >= args.steps:
            break
        if step < start:
            continue
        rng = np.random.default_rng([args.seed, 1, step])
        torch.manual_seed(args.seed * 1_000_003 + step)  # dropout
        ids, attention, chosen, truth = (x.to(args.device) for x in masked([rows[i] for i in batch], tokenizer, rng))
        optimizer.param_groups[0]["lr"] = PEAK_LR * min((step + 1) / WARMUP_STEPS, 1 - 0.97 * step / args.steps)
        hidden = model.bert(input_ids=ids, attention_mask=attention).last_hidden_state
        loss = torch.nn.functional.cross_entropy(model.cls(hidden[chosen]), truth)  # head on masked positions only
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        tokens += int(attention.sum())
        if (step + 1) % 50 == 0:
            rate = tokens / (time.perf_counter() - began)
            print(f"step {step + 1} loss {np.mean(losses[-50:]):.3f} tokens/s {rate:.0f}", flush=True)
        if (step + 1) % 250 == 0:
            checkpoint(work, model, optimizer, step + 1, losses)
    finish(args, model, tokenizer, sources, losses, int(lengths.sum()))


def checkpoint(
    work: Path, model: BertForMaskedLM, optimizer: torch.optim.Optimizer, step: int, losses: list[float]
) -> None:
    state = {f"model.{k}": v.contiguous().clone() for k, v in model.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{index}.{k}": v.clone() for k, v in values.items()}
    save_file(state, work / "checkpoint.tmp", metadata={"step": str(step), "losses": json.dumps(losses)})
    (work / "checkpoint.tmp").replace(work / "checkpoint.safetensors")


def restore(work: Path, model: BertForMaskedLM, optimizer: torch.optim.Optimizer) -> tuple[int, list[float]]:
    path = work / "checkpoint.safetensors"
    if not path.exists():
        return 0, []
    from safetensors import safe_open

    with safe_open(path, "pt") as f:
        meta = f.metadata()
    state = load_file(path)
    model.load_state_dict({k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")})
    values: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            values.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
    print(f"resumed at step {meta['step']}", flush=True)
    return int(meta["step"]), json.loads(meta["losses"])


def finish(
    args: argparse.Namespace, model: BertForMaskedLM, tokenizer: PreTrainedTokenizerFast, sources: list[Source],
    losses: list[float], tokens: int,
) -> None:  # fmt: skip
    model.half().save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    licences: dict[str, list[str]] = {}
    for source in sources:
        corpus, _, language = source.name.partition("/")
        licences.setdefault(f"{corpus} ({source.licence})", []).append(language)
    tail = float(np.mean(losses[-100:]))
    card = CARD.format(
        steps=len(losses), tokens=tokens, seed=args.seed, loss=tail, perplexity=math.exp(tail), rate=MASK_RATE,
        batch=BATCH_TOKENS,
        sources="\n".join(f"- {k}: {len(v)} texts: {' '.join(v)}" for k, v in licences.items()),
    )  # fmt: skip
    (args.out / "README.md").write_text(card, encoding="utf-8")


CARD = """\
# seed: the encoder in the wheel

A 4-layer, 256-wide BERT with 16,000 byte-fallback BPE pieces (lower-cased), trained as a masked language model and on
nothing else. It exists so that the demo and the tests have a real encoder without a download; it is not a strong one.

- training: {steps} steps of about {batch:,} tokens, {rate:.0%} of tokens masked, AdamW, seed {seed}
- corpus: {tokens:,} tokens
- masked-LM loss at the end (mean of the last 100 steps): {loss:.3f} nats, perplexity {perplexity:.0f}
- never seen: translations side by side, romanised text, every fifth line of bible/ and tico19/
- weaknesses: religious, legal and medical prose of small size; at most 256 tokens; 16,000 pieces for more than 30
  scripts, so rare characters fall back to bytes; sentence vectors are close to a bag of words before training

Made by `scripts/data/pretrain_seed_encoder.py`. Weights: Apache-2.0. Text:

{sources}
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("align/data/seed"))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train(parser.parse_args())
