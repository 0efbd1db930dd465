#!/usr/bin/env bash
# Two Paddles side by side, and the same test with both in turn: side_by_side.sh [BEFORE [AFTER [PYTEST ARGUMENTS]]]
#
# Makes .venv-paddle-BEFORE and .venv-paddle-AFTER in this checkout, where they are not there yet, each with one Paddle
# and the plugin. Takes minutes and some 2 GB the first time.
set -euo pipefail
cd "$(dirname "$0")/../.."

before=${1:-3.2.2}
after=${2:-3.3.1}

for version in "$before" "$after"; do
  venv=.venv-paddle-$version
  if [[ ! -e $venv/installed ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet . "paddlepaddle==$version"
    touch "$venv/installed"
  fi
done

exec ".venv-paddle-$after/bin/pytest" examples/paddle_regression \
  --paddle-against=".venv-paddle-$before/bin/python" "${@:3}"
