#!/bin/sh
# Compiles the benchmarks into a folder of their own and runs them, so that no other run and no test replaces code that is
# being measured. The folder is named after this process, which the benchmarks take over, and they remove it when they end.
set -eu
cd "$(dirname "$0")/../.."

# A run that was killed could not remove its folder.
for left in .test/bench-*; do
  kill -0 "${left#.test/bench-}" 2>/dev/null || rm -rf "$left"
done

folder=.test/bench-$$
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' HUP INT TERM
node_modules/.bin/tsc -p test --outDir "$folder"
node_modules/.bin/tsc -p src --outDir "$folder/dist" --declaration false
node "$folder/test/self-reference.js"
exec node --enable-source-maps "$folder/test/bench/index.bench.js" "$@"
