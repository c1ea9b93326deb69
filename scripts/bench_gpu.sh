#!/usr/bin/env bash
# Training on one GPU beside sentence-transformers: prints the tables, writes JSON, in under 9 minutes, without network.
#
#     bash scripts/bench_gpu.sh --out docs/results/performance-gpu.json
#
# It needs Python 3.11+ with torch >= 2.10 for CUDA, transformers >= 5.3, sentence-transformers >= 6, accelerate,
# pyarrow, safetensors, numpy, scipy and tqdm; this package need not be installed. What is missing can be carried as
# wheels in build/wheels (pyarrow and accelerate, as a rule: pyarrow 21 is the smallest), or in the folder WHEELS.
# With the package datasets sentence-transformers runs in its own Trainer, without it in a bare loop of its loss and its
# collator, which costs it nothing.
#
# Text is real (the verses in this package), the model a BERT-base body with random weights made on the spot.
# `--device cpu --toy` tries the script without a GPU, in seconds; its numbers mean nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
wheels=${WHEELS:-build/wheels}
PYTHON=${PYTHON:-$(command -v python3 || command -v python)}
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH="$PWD:$PWD/scripts${PYTHONPATH:+:$PYTHONPATH}"
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
export XDG_CACHE_HOME="$kept/cache"
if compgen -G "$wheels/*.whl" >/dev/null; then
  "$PYTHON" -m pip install --quiet --no-index --no-deps --target "$kept/packages" "$wheels"/*.whl
  export PYTHONPATH="$PYTHONPATH:$kept/packages"
fi
"$PYTHON" scripts/bench_gpu.py "$@"
