import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** What a bundler makes of a page that uses only the client, in bytes. */
export interface Bundle {
  /** The npm packages in the bundle, and their share of the minified code. */
  readonly minifiedByPackage: Readonly<Record<string, number>>;
  readonly minified: number;
  readonly gzipped: number;
  /** Every package whose files were read, including those of which nothing was left. */
  readonly packagesRead: readonly string[];
}

// It must use its imports, or nothing would be left of them.
const page = `import { createClient } from 'mooring/client';
globalThis.client = createClient('wss://example.com/feed');`;

/** Bundles such a page from what is installed in `folder`, as for production. `external` packages are excluded. */
export async function bundleOf(folder: string, external: string[] = []): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    stdin: { contents: page, resolveDir: folder },
    absWorkingDir: folder,
    // Sets the condition `browser`, and with `minify` the environment of production.
    platform: 'browser',
    format: 'esm',
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    outfile: 'page.js',
    external,
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const kept = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  const minifiedByPackage: Record<string, number> = {};
  for (const [path, { bytesInOutput }] of kept) {
    const name = packageOf(path);
    if (bytesInOutput > 0) minifiedByPackage[name] = (minifiedByPackage[name] ?? 0) + bytesInOutput;
  }
  return {
    minifiedByPackage,
    minified: code.length,
    gzipped: gzipSync(code, { level: 9 }).length,
    packagesRead: [...new Set(Object.keys(metafile.inputs).map(packageOf))].sort(),
  };
}

/** The package that a file belongs to. Of nested packages, the innermost. */
function packageOf(path: string): string {
  const [, name = 'page'] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  return name;
}

/**
 * What a bundler keeps of a bare import of the client, if every module of the package is declared to have
 * side effects.
 */
export async function codeAtImport(folder: string): Promise<string> {
  const isPackage = /^\.|^mooring\b/;
  const { outputFiles } = await build({
    stdin: { contents: "import 'mooring/client';", resolveDir: folder },
    absWorkingDir: folder,
    platform: 'browser',
    format: 'esm',
    bundle: true,
    minify: true,
    write: false,
    plugins: [
      {
        name: 'side effects',
        setup({ onResolve, resolve }) {
          onResolve({ filter: isPackage }, async ({ path, pluginData, ...from }) => {
            if (pluginData === 'resolved') return undefined;
            const { path: file } = await resolve(path, { ...from, pluginData: 'resolved' });
            return { path: file, sideEffects: true };
          });
          onResolve({ filter: /^rxjs\b/ }, ({ path }) => {
            return { path, external: true, sideEffects: false };
          });
        },
      },
    ],
  });
  return outputFiles[0]?.text.trim() ?? '';
}
