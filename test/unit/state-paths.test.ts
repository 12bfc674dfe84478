import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { statePaths } from '../../src/chart/table.ts';

describe('statePaths', () => {
  it('is the one state of a simple value', () => {
    assert.deepEqual(statePaths('closed'), ['closed']);
  });

  it('lists parents first', () => {
    assert.deepEqual(statePaths({ closing: 'local' }), ['closing', 'closing.local']);
  });

  it('lists every region', () => {
    const value = { open: { intake: 'receiving', liveness: 'healthy', flow: 'flowing' } };
    assert.deepEqual(statePaths(value), [
      'open',
      'open.intake',
      'open.intake.receiving',
      'open.liveness',
      'open.liveness.healthy',
      'open.flow',
      'open.flow.flowing',
    ]);
  });
});
