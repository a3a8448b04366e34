#!/bin/sh
# Runs a script of this repository with the pinned Node.js, installing the packages first where they are missing or old.
# usage: with-node.sh SCRIPT.ts [ARG ...]   |   with-node.sh --bin TOOL [ARG ...]
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
stamp=$root/node_modules/.flotilla-installed
modules=$root/node_modules

if ! cmp -s "$root/package-lock.json" "$stamp"; then
  echo "flotilla: installing packages (npm ci) ..." >&2
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error >&2)
  # Where npm blocks install scripts, the package "node" is there without its binary: fetch that one binary.
  "$modules/.bin/node" --version >/dev/null 2>&1 || (cd "$root" && npm rebuild node --ignore-scripts=false >&2)
  cp "$root/package-lock.json" "$stamp"
fi

export PATH="$modules/.bin:$PATH"
# The C library keeps a heap for each of a dozen threads otherwise: 20 MB for nothing.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$modules/.cache/compile}"
if [ "$1" = --bin ]; then
  shift
  tool=$1
  shift
  exec "$modules/.bin/$tool" "$@"
fi
script=$1
shift
# Garbage of one short task after the other: a small space for it stays in the processor's caches and saves 50 MB. A service that stays gets less.
young=8
case "${1-} ${2-}" in
"up "* | "hub "*) young=4 ;;
"files serve") young=2 ;;
esac
exec "$modules/.bin/node" --max-semi-space-size=$young "$root/$script" "$@"
