import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { build } from 'esbuild';
import type { HostSigns } from '../../src/client/index.ts';
import { read, root } from './repository.ts';

// Goal: the recipe for React Native reports what its two modules report. Method: bundle it with substitute modules
// whose listeners the test calls.

/** The substitutes for the two modules: the listeners, and what has been removed. */
interface FakeModules {
  app?: ((state: string) => void) | undefined;
  network?: ((state: { isConnected: boolean | null }) => void) | undefined;
}

const fakes: Readonly<Record<string, string>> = {
  'react-native': `export const AppState = {
    addEventListener(type, listener) {
      fakeModules.app = listener;
      return { remove: () => { fakeModules.app = undefined; } };
    },
  };`,
  '@react-native-community/netinfo': `export default {
    addEventListener(listener) {
      fakeModules.network = listener;
      listener({ isConnected: null });
      return () => { fakeModules.network = undefined; };
    },
  };`,
};

type NativeSigns = (host: HostSigns) => () => void;

async function recipe(): Promise<NativeSigns> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'docs/examples/react-native/native-signs.ts')],
    bundle: true,
    format: 'esm',
    write: false,
    plugins: [
      {
        name: 'fakes',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /react-native/ }, ({ path }) =>
            path in fakes ? { path, namespace: 'fake' } : undefined,
          );
          onLoad({ filter: /.*/, namespace: 'fake' }, ({ path }) => ({
            contents: fakes[path] ?? '',
          }));
        },
      },
    ],
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
  const { nativeSigns } = await import(`data:text/javascript;base64,${code}`);
  return nativeSigns;
}

describe('docs/examples/react-native', () => {
  const modules: FakeModules = {};
  let nativeSigns: NativeSigns;

  before(async () => {
    Object.assign(globalThis, { fakeModules: modules });
    nativeSigns = await recipe();
  });

  it('reports changes of the app and the network until it is stopped', () => {
    const log: string[] = [];
    const stop = nativeSigns({
      offline: () => log.push('offline'),
      online: () => log.push('online'),
      woke: () => log.push('woke'),
    });
    assert.deepEqual(log, [], 'nothing is known at first');
    for (const state of ['background', 'active', 'inactive']) modules.app?.(state);
    for (const isConnected of [false, null, true]) modules.network?.({ isConnected });
    assert.deepEqual(log, ['woke', 'offline', 'online']);
    stop();
    assert.deepEqual([modules.app, modules.network], [undefined, undefined]);
  });

  it('is the recipe of the guide', () => {
    const guide = read('docs/guide/client.md');
    const [, code] = read('docs/examples/react-native/native-signs.ts').split(
      /(?=export function)/,
    );
    assert.ok(code !== undefined && guide.includes(code.replace('export ', '').trim()));
  });
});
