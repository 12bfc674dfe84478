#!/bin/sh
# Sets up, compiles and runs tests. `npm test` and the `test:...` scripts call it; test/README.md shows how.
#
#   sh test/run.sh                 everything
#   sh test/run.sh unit model      the tests in these folders of test/
#   sh test/run.sh outbox          the files called outbox.test.ts
#   sh test/run.sh outbox --test-name-pattern=late      options go to node
set -eu
cd "$(dirname "$0")/.."

names=
for word do
  shift
  case $word in
    -*) set -- "$@" "$word" ;;
    *) names="$names $word" ;;
  esac
done
[ -n "$names" ] || names='unit model simulation integration browser package'

# The tests of a folder of test/, of a path to a file, or of a file name without its extension.
files_of() {
  name=${1#./}
  name=${name#test/}
  name=${name%/}
  if [ -d "test/$name" ]; then
    find "test/$name" -name '*.test.ts'
  else
    name=${name%.ts}
    find test -path "*/${name%.test}.test.ts"
  fi
}

files=
for name in $names; do
  found=$(files_of "$name")
  [ -n "$found" ] || {
    echo "no test is called $name: name a folder of test/, or a file such as test/unit/outbox.test.ts" >&2
    exit 1
  }
  files="$files $found"
done

tools=
case $files in *test/integration/*) tools="$tools integration" ;; esac
case $files in *test/browser/*) tools="$tools browser" ;; esac
case $files in *test/package/*) tools="$tools package" ;; esac
# shellcheck disable=SC2086 # one word for each kind of tests
sh test/setup.sh $tools
npm run --silent compile

# Unit tests wait for nothing, so they may use every core. By default Node.js leaves one core free, which the
# other tests need.
case $names in ' unit') set -- "--test-concurrency=$(getconf _NPROCESSORS_ONLN)" "$@" ;; esac

compiled=$(printf '%s\n' $files | sort -u | sed 's|^|.test/|; s|\.ts$|.js|')
# shellcheck disable=SC2086 # one word for each file
exec node --enable-source-maps --test --test-timeout=300000 --test-reporter=spec "$@" $compiled
