import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Warnings, warnOnce } from '../../src/core/warnings.ts';

const warnings: (Error & { code?: string; detail?: string })[] = [];
const note = (warning: Error) => warnings.push(warning);
/** Warnings are emitted before the next turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  warnings.length = 0;
  process.on('warning', note);
});
afterEach(() => void process.off('warning', note));

describe('warnOnce', () => {
  it('warns once for each code', async () => {
    for (const code of ['MOORING_A', 'MOORING_B', 'MOORING_A']) warnOnce(code, 'told');
    await turn();
    assert.deepEqual(
      warnings.map(({ name, code, message }) => [name, code, message]),
      [
        ['MooringWarning', 'MOORING_A', 'told'],
        ['MooringWarning', 'MOORING_B', 'told'],
      ],
    );
  });

  it('does nothing where there is no process', async () => {
    const { process: ours } = globalThis;
    for (const none of [undefined, {}]) {
      Object.defineProperty(globalThis, 'process', { value: none, configurable: true });
      try {
        warnOnce(`MOORING_NONE_${typeof none}`, 'told');
      } finally {
        Object.defineProperty(globalThis, 'process', { value: ours, configurable: true });
      }
    }
    await turn();
    assert.deepEqual(warnings, []);
  });
});

describe('the warnings of one owner', () => {
  it('are one about each thing, with its detail', async () => {
    const ours = new Warnings();
    const warning = { code: 'MOORING_C', message: 'told', detail: 'at length' };
    for (const about of ['one', 'two', 'one']) ours.once(about, warning);
    new Warnings().once('one', warning);
    await turn();
    assert.deepEqual(
      warnings.map(({ code, detail }) => [code, detail]),
      Array.from({ length: 3 }, () => ['MOORING_C', 'at length']),
    );
  });

  it('are twenty with one code at most, however many owners there are', async () => {
    for (let index = 0; index < 100; index += 1) {
      new Warnings().once('one', { code: 'MOORING_D', message: 'told' });
    }
    await turn();
    assert.equal(warnings.length, 20);
  });
});
