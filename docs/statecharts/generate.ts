import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type GeneratedFile, generatedFiles } from './files.ts';
import { packageRoot } from './package-root.ts';

// Makes the pictures and pages of the charts again, or with --check only says which of them are stale.
const { check, into } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    into: { type: 'string', default: packageRoot() },
  },
}).values;

const stale = await staleOf(await generatedFiles());
for (const { path, text } of stale) {
  if (check) console.error(`stale: ${path}`);
  else await write(join(into, path), text);
}
if (check && stale.length > 0) {
  console.error('npm run docs makes them again');
  process.exitCode = 1;
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
