import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type GeneratedFile, generatedFiles } from './statecharts/files.ts';
import { packageRoot } from './statecharts/package-root.ts';
import { apiFiles } from './typedoc/files.ts';

// Regenerates the generated files below docs/. With --check, it only reports which of them are stale.
// Names select a part:
//
//   node .test/docs/generate.js               everything
//   node .test/docs/generate.js statecharts   the pictures and pages of the charts
//   node .test/docs/generate.js api           the reference, which needs TypeDoc
const parts: Readonly<Record<string, () => Promise<readonly GeneratedFile[]>>> = {
  statecharts: generatedFiles,
  api: apiFiles,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    check: { type: 'boolean', default: false },
    into: { type: 'string', default: packageRoot() },
  },
});
const { check, into } = values;

const chosen = positionals.length === 0 ? Object.keys(parts) : positionals;
const files = await Promise.all(chosen.map((name) => parts[name]?.() ?? unknown(name)));

const stale = await staleOf(files.flat());
for (const { path, text } of stale) {
  if (check) console.error(`stale: ${path}`);
  else await write(join(into, path), text);
}
if (check && stale.length > 0) {
  console.error('npm run docs makes them again');
  process.exitCode = 1;
}

function unknown(name: string): never {
  throw new Error(`no part is called ${name}: say ${Object.keys(parts).join(' or ')}`);
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function staleOf(files: readonly GeneratedFile[]): Promise<readonly GeneratedFile[]> {
  const states = await Promise.all(
    files.map(async (file) => ({ file, isStale: (await written(file.path)) !== file.text })),
  );
  return states.filter(({ isStale }) => isStale).map(({ file }) => file);
}

/** What is there now; nothing when the file does not exist. */
async function written(path: string): Promise<string | undefined> {
  try {
    return await readFile(join(into, path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
