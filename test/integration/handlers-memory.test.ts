import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  type Connection,
  createSupervisor,
  type Listener,
  listen,
  type Supervisor,
  type SupervisorOptions,
} from '../../src/index.ts';
import { untilCollected } from '../support/garbage.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

const CONNECTIONS = 10;

// Without the recorder of `Service`, which would hold every connection of its events.
describe('what a connection leaves behind', () => {
  let supervisor: Supervisor<unknown, unknown, unknown>;
  let listener: Listener;
  let refs: WeakRef<object>[] = [];

  afterEach(async () => {
    await listener.close();
    await supervisor.drain({ withinMs: 1_000 });
  });

  /** Opens and ends connections, and returns when all have ended and `onClose` was called for each. */
  async function comeAndGo(onOpen: Required<Options>['onOpen'], part: (peer: RawPeer) => void) {
    let closed = 0;
    refs = [];
    supervisor = createSupervisor({
      timeouts: { welcomeMs: 30, closeMs: 50 },
      onOpen: (connection) => {
        refs.push(new WeakRef(connection));
        return onOpen(connection);
      },
      onClose: () => {
        closed += 1;
      },
    });
    listener = await listen(supervisor, { path: '/ws' });
    for (let count = 0; count < CONNECTIONS; count += 1) part(await RawPeer.open(listener.port));
    await until(() => closed === CONNECTIONS, 'all have ended');
    assert.equal(refs.length, CONNECTIONS);
  }

  const endings: readonly [string, (peer: RawPeer) => void][] = [
    ['is closed by its peer', (peer) => peer.sendClose(1000)],
    ['is reset', (peer) => peer.reset()],
  ];

  for (const [ending, part] of endings) {
    it(`L2: nothing, when it ${ending}`, async () => {
      await comeAndGo((connection) => {
        connection.join('lobby');
        connection.messages$.subscribe(() => connection.id);
        return () => connection.id;
      }, part);
      await untilCollected(refs);
    });

    it(`L2: nothing, when its onOpen never settles and it ${ending}`, async () => {
      const onOpen = (connection: Connection<unknown, unknown, unknown>) => {
        connection.join('lobby');
        return new Promise(() => {});
      };
      await comeAndGo(onOpen, part);
      await untilCollected(refs);
    });
  }

  it('L2: nothing, when its onOpen never settles and it gets 1011 for that', async () => {
    await comeAndGo(
      () => new Promise(() => {}),
      (peer) => void peer.finishPolitely(),
    );
    await untilCollected(refs);
  });
});
