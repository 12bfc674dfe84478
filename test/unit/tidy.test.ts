import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import {
  browserEntryOf,
  DEFINITION,
  entryOf,
  exported,
  statements,
  symbolsOf,
} from '../package/entry-points.ts';
import { filesIn, pageConditions, read, root, withoutComments } from '../package/repository.ts';

// Goal: enforce rules that the linter cannot express. Method: read the repository as text. Every rule
// collects its offenders, so that a failure names them all at once.

const sources = filesIn('src', '.ts');
const charts = filesIn('machines', '.ts');
const tests = filesIn('test', '.ts');
const pages = [
  'README.md',
  ...['docs', 'test', '.github'].flatMap((folder) => filesIn(folder, '.md')),
];

/** Matching lines of code, as `file:line`. Comments do not count. */
function linesWith(pattern: RegExp, files: readonly string[]): string[] {
  return files.flatMap((file) =>
    withoutComments(codeOf(file))
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file}:${index + 1} ${line.trim()}`] : [],
      ),
  );
}

/** The code of a file. Where options are resolved, the default of `random` may be named; it is removed here. */
function codeOf(file: string): string {
  const code = read(file);
  return /^src\/(server|client)\/options\.ts$/.test(file)
    ? code.replace(/\brandom(: \w+\.random \?\?| \?\?=) Math\.random\b/, '')
    : code;
}

describe('src/ and machines/', () => {
  // `Date.parse` reads a text and no clock.
  it('ask the clock for time and the options for chance', () => {
    const globals =
      /\b(Date(?!\.parse\b)|performance|setTimeout|setInterval|setImmediate|queueMicrotask)\b|Math\.random|process\.(nextTick|hrtime|uptime)|node:(timers|perf_hooks)/;
    const files = [...sources, ...charts].filter((file) => file !== 'src/core/clock.ts');
    assert.deepEqual(linesWith(globals, files), []);
  });

  it('never print', () => {
    assert.deepEqual(linesWith(/\bconsole\b|process\.std(out|err)/, [...sources, ...charts]), []);
  });

  it('keep charts free of timers and invoked actors', () => {
    assert.deepEqual(linesWith(/\b(after|invoke)\s*:/, charts), []);
  });

  it('keep files short', () => {
    const long = [...limited([...sources, ...charts], 400), ...limited(tests, 500)];
    assert.deepEqual(long, []);
  });
});

function limited(files: readonly string[], linesMax: number): string[] {
  return files.flatMap((file) => {
    const lines = read(file)
      .split('\n')
      .filter((line) => line.trim() !== '').length;
    return lines > linesMax ? [`${file}: ${lines} of ${linesMax} lines`] : [];
  });
}

function builtFrom(source: string): { types: string; default: string } {
  const stem = source.replace(/\.ts$/, '');
  return { types: `./dist/${stem}.d.ts`, default: `./dist/${stem}.js` };
}

describe('the entry points', () => {
  it('are named in package.json with the files that the build makes of them', () => {
    const expected = exported.map(([subpath]) => {
      const entry = entryOf(subpath) ?? subpath;
      const browser = browserEntryOf(entry);
      const native = browser === undefined ? [] : pageConditions;
      const ofPages = native.map((condition) => [condition, builtFrom(browser ?? '')]);
      return [subpath, { ...Object.fromEntries(ofPages), ...builtFrom(entry) }];
    });
    assert.deepEqual(exported, expected);
  });

  it('leave no index file out', () => {
    const indexes = [...sources, ...charts].filter((file) => basename(file) === 'index.ts');
    const entries = new Set(exported.map(([subpath]) => entryOf(subpath)));
    assert.deepEqual(
      indexes.filter((file) => !entries.has(file)),
      [],
    );
  });

  it('are re-exports and nothing else', () => {
    const named = /^export (?:type )?\{[^}]*\} from '\.{1,2}\/[^']+';$/;
    const files = exported.flatMap(([subpath]) => {
      const entry = entryOf(subpath) ?? subpath;
      return [entry, browserEntryOf(entry) ?? entry];
    });
    const offenders = files.flatMap((file) => {
      return statements(file)
        .filter((text) => !(named.test(text) || (isChartEntry(file) && isStar(text))))
        .map((text) => `${file}: ${text}`);
    });
    assert.deepEqual(offenders, []);
  });

  it('export nothing without a TSDoc comment', () => {
    const undocumented = exported
      .flatMap(([subpath]) => symbolsOf(entryOf(subpath) ?? subpath))
      .filter(({ file, name }) => !documented(read(file), name))
      .map(({ file, name }) => `${file}: ${name}`);
    assert.deepEqual(undocumented, []);
  });
});

const isChartEntry = (file: string) => file === 'machines/index.ts';
const isStar = (text: string) => /^export \* from '\.\/[^']+';$/.test(text);

function documented(code: string, name: string): boolean {
  return new RegExp(`\\*/\\n(?:// biome-ignore[^\\n]*\\n)?${DEFINITION} ${name}\\b`).test(code);
}

describe('every file', () => {
  const files = filesIn('.').filter((file) => !/\.(png|svg|ico)$/.test(file));

  it('never holds the marks of a merge that was not finished', () => {
    // A formatter turns them into nested quotations.
    const marks = /^(<{7}|={7}|>{7}|(> ){6}>)( |$)/m;
    assert.deepEqual(
      files.filter((file) => marks.test(read(file))),
      [],
    );
  });

  it('never mentions the machine it was written on', () => {
    // Written so that this file does not match itself.
    const places = /(?<![\w.~-])\/(?:work|root|home|Users)\/|\bnpm[j]s\b|\bdebian[.]org\b/;
    const offenders = files.filter((file) => places.test(read(file)));
    assert.deepEqual(offenders, []);
  });
});

describe('the pages', () => {
  it('link to files and headings that exist', () => {
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter((target) => !resolves(page, target))
        .map((target) => `${page}: ${target}`),
    );
    assert.deepEqual(broken, []);
  });
});

function linksOf(page: string): string[] {
  return [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function resolves(page: string, target: string): boolean {
  const [path = '', heading] = target.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, file))) return false;
  return heading === undefined || anchorsOf(file).includes(heading);
}

/** The anchors of a page: those that code hosts make of its headings, and ids in tables. */
function anchorsOf(page: string): string[] {
  const text = read(page);
  const counts = new Map<string, number>();
  const headings = [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    const count = counts.get(anchor) ?? 0;
    counts.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
  return [...headings, ...(text.match(/(?<=<a id=")[^"]+/g) ?? [])];
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}
