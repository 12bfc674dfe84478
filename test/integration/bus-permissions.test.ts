// Goal: permissions can be corrected while everything runs. Method: a real nats-server that reads its configuration again, and
// a clock that the test moves.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { RawNats } from '../support/raw-nats.ts';
import { eventually, until } from '../support/until.ts';

const REFUSED_MS = 30_000;
const credentials = { user: 'ada', pass: 'secret' };
const folder = mkdtempSync(join(tmpdir(), 'mooring-nats-'));
const file = join(folder, 'nats.conf');
after(() => rmSync(folder, { recursive: true }));

function permit(subject: string): void {
  const permissions = `{ publish: "mooring.>", subscribe: "${subject}" }`;
  const users = `[{ user: ada, password: secret, permissions: ${permissions} }]`;
  writeFileSync(file, `authorization { users: ${users} }\n`);
}

/** Whether a new connection hears the subject that was not permitted. */
async function isPermitted(port: number): Promise<boolean> {
  const nats = await RawNats.connect(port, credentials);
  nats.subscribe('mooring.1.live.probe');
  nats.publish('mooring.1.live.probe', '');
  await nats.flush();
  await nats.close();
  return nats.heard.length > 0;
}

describe('a channel that a server does not permit', { timeout: 20_000 }, () => {
  it('is reported once, and heard when the server permits it', async () => {
    permit('mooring.1.all');
    const server = await NatsServer.start(await newestNatsServer(), ['-c', file]);
    after(() => server.kill());
    const clock = new VirtualClock();
    const moves: string[] = [];
    const errors: string[] = [];
    const link = natsBus({ servers: server.url, connection: credentials }).open({
      clock,
      moved: (state) => moves.push(state),
      rejoined: () => {},
      errored: ({ message }) => errors.push(message),
    });
    const heard: string[] = [];
    link.listen('live/room', (message) => heard.push(`${message}`));
    await until(() => clock.timersPending === 1, 'it is refused');
    clock.advance(REFUSED_MS);
    await until(() => clock.timersPending === 1, 'it is refused again');
    permit('mooring.>');
    server.reload();
    await eventually(() => isPermitted(server.port), 'the server has read the file again');
    const outside = await RawNats.connect(server.port, credentials);
    clock.advance(REFUSED_MS);
    await link.listen('all', () => {}).ready;
    outside.publish('mooring.1.live.room', 'hello');
    await until(() => heard.length > 0, 'it hears');
    assert.deepEqual([heard, moves, clock.timersPending], [['hello'], ['up'], 0]);
    assert.match(errors.join(), /^[^,]*Subscription to "mooring\.1\.live\.room"[^,]*$/);
    await outside.close();
    await link.close();
  });
});
