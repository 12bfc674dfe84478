import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { snapshotPaths } from '../../src/connection/snapshot-paths.ts';

describe('snapshotPaths', () => {
  it('is the one state of a simple value', () => {
    assert.deepEqual(snapshotPaths('closed'), ['closed']);
  });

  it('lists parents first', () => {
    assert.deepEqual(snapshotPaths({ closing: 'local' }), ['closing', 'closing.local']);
  });

  it('lists every region', () => {
    const value = { open: { intake: 'receiving', liveness: 'healthy', flow: 'flowing' } };
    assert.deepEqual(snapshotPaths(value), [
      'open',
      'open.intake',
      'open.intake.receiving',
      'open.liveness',
      'open.liveness.healthy',
      'open.flow',
      'open.flow.flowing',
    ]);
  });

  it('bears with a region that has no state', () => {
    assert.deepEqual(snapshotPaths({ open: undefined }), ['open']);
  });
});
