import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { locksOf } from './lockfile.ts';
import { read } from './repository.ts';

const manifest = JSON.parse(read('package.json'));
const locked = locksOf('package-lock.json');
/** TypeDoc has packages of its own: see test/setup.sh. */
const lockedForDocs = locksOf('docs/typedoc/package-lock.json');

describe('the lockfile', () => {
  it('records what is installed and not where it comes from', () => {
    const addressed = [...locked, ...lockedForDocs].filter(
      ([, { resolved }]) => resolved !== undefined,
    );
    assert.deepEqual(addressed, []);
  });

  it('of the API reference locks exact versions', () => {
    const { dependencies } = JSON.parse(read('docs/typedoc/package.json'));
    const [, locks] = lockedForDocs.find(([path]) => path === '') ?? [];
    assert.deepEqual(locks?.dependencies, dependencies);
    const loose = Object.values<string>(dependencies).filter(
      (version) => !/^\d+(\.\d+)+$/.test(version),
    );
    assert.deepEqual(loose, []);
  });

  it('locks what package.json asks for', () => {
    const [, locks] = locked.find(([path]) => path === '') ?? [];
    const { name, version, license, dependencies, devDependencies, engines } = manifest;
    const { peerDependencies, peerDependenciesMeta } = manifest;
    const peers = { peerDependencies, peerDependenciesMeta };
    const wanted = { name, version, license, dependencies, devDependencies, engines, ...peers };
    assert.deepEqual(locks, wanted);
  });
});
