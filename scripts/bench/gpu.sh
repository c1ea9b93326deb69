#!/usr/bin/env bash
# Training on one GPU beside sentence-transformers: prints the tables, writes JSON, in under 9 minutes, without network.
#
#     bash scripts/bench/gpu.sh --out docs/results/performance-gpu.json
#
# It needs Python 3.11+ with this package's dependencies, torch for CUDA; this package need not be installed. What is
# missing can be carried as wheels in build/wheels (datasets, dill and multiprocess, as a rule), or in the folder WHEELS.
# `--device cpu --toy` tries the script without a GPU, in seconds; its numbers mean nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
wheels=${WHEELS:-build/wheels}
PYTHON=${PYTHON:-$(command -v python3 || command -v python)}
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" XDG_CACHE_HOME="$kept"
if compgen -G "$wheels/*.whl" >/dev/null; then
  "$PYTHON" -m pip install --quiet --no-index --no-deps --target "$kept/packages" "$wheels"/*.whl
  export PYTHONPATH="$PYTHONPATH:$kept/packages"
fi
"$PYTHON" -m scripts.bench.gpu "$@"
