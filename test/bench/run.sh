#!/bin/sh
# Compiles the benchmarks into a folder of their own and runs them, so that no other run and no test replaces code that is
# being measured. The folder is named after this process, which the benchmarks take over, and they remove it when they end.
#
#   npm run bench                           every row and both pictures
#   npm run bench -- --quick                the main rows, in about three minutes
#   npm run bench -- --only accept          the rows or workloads whose names begin so; `--rounds 9` for more rounds
#   npm run bench -- --only capacity        how many sockets the machine holds, which runs only when it is named
#   npm run bench -- --json rows.json       keeps everything; `--from rows.json` adds rows to it, and shows them all
#   npm run bench -- --from rows.json --write    writes docs/benchmarks.md and its pictures
#   npm run bench -- --only accept --anyway      shows figures of a busy machine too, for work on the benchmarks
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
