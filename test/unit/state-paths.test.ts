import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nested, pathsTo, type StateValue } from '../../src/chart/table.ts';

/** The innermost states, all paths, and the value of XState. */
const rows: Record<string, [leaves: string[], paths: string[], value: StateValue]> = {
  'one state': [['closed'], ['closed'], 'closed'],
  'a state within another': [['closing.local'], ['closing', 'closing.local'], { closing: 'local' }],
  'states in regions': [
    ['open.intake.receiving', 'open.liveness.healthy', 'open.flow.flowing'],
    [
      'open',
      'open.intake',
      'open.intake.receiving',
      'open.liveness',
      'open.liveness.healthy',
      'open.flow',
      'open.flow.flowing',
    ],
    { open: { intake: 'receiving', liveness: 'healthy', flow: 'flowing' } },
  ],
};

for (const [title, [leaves, paths, value]] of Object.entries(rows)) {
  describe(title, () => {
    it('has paths, parents first', () => assert.deepEqual(pathsTo(leaves), paths));
    it('has the value of XState', () => assert.deepEqual(nested(paths), value));
  });
}
