import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { filesIn, read, root } from './repository.ts';
import { type Run, run } from './run.ts';

// Goal: every block of TypeScript or JavaScript in the README and docs/ compiles unchanged. Method: each block
// becomes a module beside the compiled tests, where its imports resolve as in an application, and the compiler
// checks all of them at once. A comment above a block that begins with `given` declares what the block assumes,
// and does not show on the page.

const folder = join(root, '.test/snippets');
const BLOCK =
  /(?:<!-- given\n(?<given>[\s\S]*?)-->\n\n)?^```(?<language>tsx?|js)\n(?<code>[\s\S]*?)^```$/gm;

interface Snippet {
  readonly name: string;
  readonly code: string;
}

function snippetsOf(page: string): Snippet[] {
  const text = read(page);
  return [...text.matchAll(BLOCK)].map(({ groups, index }) => {
    const line = text.slice(0, index).split('\n').length;
    const extension = groups?.['language'] === 'tsx' ? 'tsx' : 'ts';
    const name = `${page.replaceAll(/[/.]/g, '-')}-line-${line}.${extension}`;
    return { name, code: `${groups?.['given'] ?? ''}${groups?.['code'] ?? ''}\nexport {};\n` };
  });
}

const config = {
  extends: '../../tsconfig.json',
  compilerOptions: {
    rootDir: '../..',
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: {
      mooring: ['../../src/index.ts'],
      'mooring/*': ['../../*/index.ts', '../../src/*/index.ts', '../../src/bus/*/index.ts'],
      next: ['../../docs/examples/next.d.ts'],
    },
  },
  include: ['.'],
};

/** Optional peers of an application: their types are not installed here. */
const ambient = `declare module 'pino' {
  export function pino(): Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>;
}\n${read('docs/examples/react-native/native-modules.d.ts')}`;

describe('the blocks of code of the pages', () => {
  // Blocks of the API reference are declarations, made from the sources.
  const written = filesIn('docs', '.md').filter((page) => !page.startsWith('docs/reference/api/'));
  const snippets = ['README.md', ...written].flatMap(snippetsOf);
  let compiled: Run;

  before(async () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const { name, code } of snippets) writeFileSync(join(folder, name), code);
    writeFileSync(join(folder, 'ambient.d.ts'), ambient);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    compiled = await run('node_modules/.bin/tsc', ['-p', '.test/snippets'], root);
  });

  for (const { name } of snippets) {
    it(`${name.replace(/\.tsx?$/, '')} compiles`, () => {
      const errors = compiled.output.split('\n').filter((line) => line.includes(name));
      assert.deepEqual(errors, []);
    });
  }

  it('cause no further compiler errors', () => {
    assert.deepEqual({ ...compiled }, { status: 0, output: '' });
  });
});
