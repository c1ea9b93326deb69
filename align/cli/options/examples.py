"""Examples of every verb, which its help ends with."""

from __future__ import annotations

EXAMPLES = {
    "doctor": ["align doctor", "align doctor --ddp --json"],
    "cache": ["align cache", "align cache stores --clear --days 30"],
    "romanize": ["align romanize rus_Cyrl.txt rus_Latn.txt --lang rus_Cyrl"],
    "pairs transliteration": [
        "align pairs transliteration rus_Cyrl.txt ell_Grek.txt --out pairs",
        "align pairs transliteration corpus --share 0.1 --minimum 10000 --processes 8 --out pairs",
    ],
    "pairs translation": [
        "align pairs translation rus_Cyrl.txt eng_Latn.txt --out pairs",
        "align pairs translation memory.tmx --pair eng_Latn-hin_Deva --exclude testset --out pairs",
    ],
    "pairs conditional": ["align pairs conditional mlt_Latn.txt --labelled tagged.tsv --lang mlt_Latn --out pairs"],
    "pairs nli": ["align pairs nli eng_Latn.train.tsv hin_Deva.train.tsv --parallel --out pairs"],
    "pairs classes": [
        "align pairs classes eng_Latn.tsv deu_Latn.tsv --labelled eng_Latn --out pairs",
    ],
    "pairs sts": ["align pairs sts eng_Latn.train.tsv --scale 0 5 --out pairs"],
    "pairs synonyms": [
        "align pairs synonyms eng_Latn-deu_Latn=train.tsv --exclude eng_Latn-deu_Latn.tsv --out pairs",
        "align pairs synonyms --wordnet omw-fr:1.4 --wordnet omw-en:1.4 --out pairs",
    ],
    "pairs switched": [
        "align pairs switched pairs --lexicon eng_Latn-hin_Deva=dictionary.tsv --out switched",
        "align pairs switched --texts eng_Latn.txt --lexicon synonyms --rows original --out switched",
    ],
    "pairs entities": [
        "align pairs entities eng_Latn.txt --names cldr-territories.tsv --languages hin_Deva,tam_Taml --out switched",
        "align pairs entities eng_Latn.jsonl --names names.jsonl --outputs 3 --out switched",
    ],
    "pairs knowledge": [
        "align pairs knowledge names.tsv --triples triples.tsv --descriptions texts.jsonl --out knowledge",
        "align pairs knowledge cldr-territories.tsv --languages eng_Latn,hin_Deva,tam_Taml --out names",
    ],
    "pairs fragments": [
        "align pairs fragments pairs --model intfloat/multilingual-e5-small --out fragments",
    ],
    "pairs negatives": [
        "align pairs negatives pairs --model model --number 5 --ranks 10 100 --relative-margin 0.05 --out hard",
        "align pairs negatives pairs.tsv --model intfloat/multilingual-e5-small --guide BAAI/bge-m3 --out hard",
    ],
    "check-overlap": ["align check-overlap pairs tatoeba sib200 --romanize --fail-above 0.01"],
    "scripts": [
        "align scripts e5 --prompt 'query: '",
        "align scripts e5 --text lines.txt --prompt 'query: ' --out model",
    ],
    "trim": [
        "align trim xlm-roberta-base hin_Deva.txt tam_Taml.txt eng_Latn.txt --scripts Deva,Taml --out small",
        "align trim e5 --layers 4 --prompt 'query: ' --out student",
    ],
    "extend": [
        "align extend e5 --text amh_Ethi.txt --pieces 2000 --prompt 'query: ' --out larger",
        "align extend e5 --text chr_Cher.txt --rows romanised --prompt 'query: ' --out larger",
    ],
    "train": [
        "align train transliteration --pairs pairs --model xlm-roberta-base --out model",
        "align train translation --pairs pairs --evaluate retrieval=dev --best retrieval/P@1 --patience 3 --out model",
        "align train feature_distillation --pairs pairs --model student --teacher e5 --out model",
        "align train translico --pairs pairs --set train.steps=2000 --set train.bf16=true --out model",
    ],
    "recipe": ["align recipe", "align recipe translico --set train.steps=2000 > mine.toml"],
    "lab": ["align lab --autocast --out lab.json", "align lab --objectives info_nce,siglip --share 0.05_0.65_0.65"],
    "head words": [
        "align head words model pairs --vocabulary lists --out head",
        "align head words model eng_Latn-deu_Latn=train.tsv --exclude tests --vocabulary lists --save whole --out head",
    ],
    "head fusion": ["align head fusion model --pairs hard --joint 1 --rest 1 --out scorer"],
    "route": [
        "align route e5 tower --prompt 'query: ' --languages hin_Latn,tam_Latn --out model",
        "align route romanising tower --scripts fallback --out model",
    ],
    "map": ["align map en.vec de.vec --dictionary train.tsv --method rcsls --out mapped"],
    "merge": [
        "align merge scripts words --weights 0.5,0.5 --out model",
        "align merge scripts words --method task --start xlm-roberta-base --weights 0.7,1 --out model",
        "align merge scripts words -w 0.3,0.7 -w 0.5,0.5 --evaluate retrieval=dev --best retrieval/P@1 --out model",
    ],
    "demo": ["align demo --out demo"],
    "eval": [
        "align eval model tatoeba stsb --out results",
        "align eval model aligned/text --languages rus_Cyrl,rus_Latn,eng_Latn --map --out results",
        "align eval xlm-roberta-base retrieval=verses --protocol glot500 --out scores.json",
        "align eval model tatoeba --twin uroman",
        "align eval model sts=sts --set cross=true",
        "align eval model bli=eng_Latn-deu_Latn.tsv --protocol xling --set vocabulary=lists --set both=true",
        "align eval model --head head bli=eng_Latn-deu_Latn.tsv --set vocabulary=lists",
        "align eval --static eng_Latn=en.vec --static deu_Latn=de.vec bli=eng_Latn-deu_Latn.tsv",
        "align eval model wordsim=multisimlex --layers all",
        "align eval model classification=sib200 xsim=flores --set xsim.k=8",
        "align eval model token_classification=ud --protocol pos-tuned --bf16",
        "align eval meta-llama/Llama-3.2-1B mexa=flores --dtype bfloat16",
    ],
    "list": ["align list", "align list tatoeba --data data", "align list bli"],
    "compare": ["align compare results --baseline seed --by script"],
    "certify": [
        "align certify xlm-roberta-base model --data data --bf16 --out certificate --card",
        "align certify model model --head head --grains words --names model,with-head",
    ],
    "advise": [
        "align advise scores.tsv --target hin_Deva,tir_Ethi",
        "align advise results --target tir_Ethi --text texts --parallel --model seed --sizes sizes.tsv",
    ],
    "report": ["align report results --baseline seed --training model --out report.html"],
    "words-align": [
        "align words-align eng.txt fra.txt --model bert-base-multilingual-cased > out.pharaoh",
        "align words-align hin.conllu eng.conllu --model model --method match --base 1 --out out.pharaoh",
        "align words-align zho.txt eng.txt --split characters --model model --scores --out out.pharaoh",
    ],
    "project": [
        "align project eng.txt deu.txt --labels eng.iob2 --model model --out deu.iob2",
        "align project eng.conllu rus.conllu --labels eng.iob2 --method alignment --model model --out rus.jsonl",
    ],
    "offsets": [
        "align offsets model --text hin_Deva.txt --text hin_Latn=romanised.txt --text eng_Latn.txt --out offsets",
        "align offsets model --text hin_Deva.txt --text eng_Latn.txt --method shift --pivot eng_Latn --out offsets",
    ],
    "encode": [
        "align encode model corpus.tsv --out vectors",
        "align encode intfloat/multilingual-e5-small corpus.parquet --prompt 'passage: ' --bf16 --out vectors",
        "align encode model hin_Deva.txt eng_Latn.txt --offsets offsets --out vectors",
    ],
    "index": ["align index vectors --out index", "align index vectors --factory IVF1024,PQ48 --out index"],
    "upgrade-index": ["align upgrade-index vectors --model newer --floor .95 --out upgraded"],
    "search": [
        'align search model index "V nachale bylo Slovo" -k 3 --language rus_Cyrl',
        "align search model index --queries queries.txt --json > hits.jsonl",
    ],
    "serve": [
        "align serve model index",
        "align serve e5 russian english --prompt 'passage: ' --query-prompt 'query: ' --port 8080",
    ],
    "rerank": ["align rerank scorer hits.jsonl --depth 10 > reranked.jsonl"],
    "tm": ["align tm model memory.tmx --languages eng_Latn-hin_Deva --queries new.txt --terms terms.tsv --json"],
    "mine": ["align mine russian english --out mined.tsv --threshold 1.05"],
    "augment-queries": ["align augment-queries vectors --source romanized --out likely.tsv"],
    "augment": ["align augment vectors likely.tsv --model model --dev asked.tsv --out augmented"],
    "export": [
        "align export vectors npy out/npy",
        "align export vectors milvus http://localhost:19530 --option index=FLAT",
    ],
    "push": [
        "align push model user/model --results results --license apache-2.0 --base-model xlm-roberta-base --dry-run",
    ],
    "verify-export": ["align verify-export vectors lance out/lance --queries 200"],
}
"""What is typed after ``align`` -> command lines."""
