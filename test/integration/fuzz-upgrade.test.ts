// Goal: whatever bytes request an upgrade, a supervised server admits and refuses the same clients as ws with the same
// limits, and releases every socket with one report. Method: send both the same bytes, in the same pieces, over TCP.
// MOORING_FUZZ_RUNS sets the number of runs, MOORING_FUZZ_SEED repeats them.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { WebSocketServer } from 'ws';
import {
  attach,
  createSupervisor,
  type Supervisor,
  type SupervisorEvent,
} from '../../src/index.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { until } from '../support/until.ts';

const runs = Number(process.env['MOORING_FUZZ_RUNS'] ?? 1_000);
// A push must not fail for what it has not changed, so CI uses the same bytes each time.
const fresh = process.env['CI'] ? 1 : randomInt(2 ** 31);
const seed = Number(process.env['MOORING_FUZZ_SEED'] ?? fresh);

type Header = readonly [name: string, value: string];

const sound: readonly Header[] = [
  ['Host', 'service.example'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
];

const names = [
  ...sound.map(([name]) => name),
  ...['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'Content-Length'],
  ...['Transfer-Encoding', 'Expect', 'HTTP2-Settings', 'X-Other', 'Cookie', 'Origin'],
];
const values = [
  ...['', 'websocket', 'WebSocket', 'websocket, h2c', 'h2c', 'TLS/1.0', 'upgrade', 'keep-alive'],
  ...['close', 'close, upgrade', 'keep-alive, Upgrade', '13', '8', '0', '13, 8', '1', '5', '-1'],
  ...['chunked', '100-continue', 'dGhlIHNhbXBsZSBub25jZQ==', 'AAAA', 'a, a', 'v1', '{}', '\t'],
  ...['permessage-deflate', 'permessage-deflate; =', 'x'.repeat(2_000), 'ü', 'a b', 'null'],
];

/** One change of a valid request. */
const change = fc.oneof(
  fc.record({ do: fc.constant('drop' as const), at: fc.nat(20) }),
  fc.record({
    do: fc.constant('set' as const),
    name: fc.constantFrom(...names),
    value: fc.constantFrom(...values),
  }),
  fc.record({
    do: fc.constant('add' as const),
    name: fc.constantFrom(...names),
    value: fc.constantFrom(...values),
  }),
  fc.record({ do: fc.constant('byte' as const), at: fc.nat(400), byte: fc.nat(255) }),
  fc.record({ do: fc.constant('cut' as const), at: fc.nat(400) }),
);

const request = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS', 'get', 'CONNECT'),
  path: fc.constantFrom('/', '/ws', '/ws?a=b', 'http://other.example/ws', '*', '//', '/%00', '/ü'),
  version: fc.constantFrom('1.1', '1.1', '1.1', '1.1', '1.0', '2.0', '0.9'),
  changes: fc.array(change, { maxLength: 4 }),
  trailing: fc.constantFrom(
    '',
    '',
    'hello',
    '\x89\x80\0\0\0\0',
    '\x88\x80\0\0\0\0',
    '\r\n',
    '0\r\n\r\n',
  ),
  pieces: fc.nat(3),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** The headers of a valid request after the changes of headers. */
function headersOf(changes: Request['changes']): Header[] {
  const headers = [...sound];
  for (const each of changes) {
    if (each.do === 'drop') headers.splice(each.at % headers.length, 1);
    if (each.do !== 'add' && each.do !== 'set') continue;
    const known = headers.findIndex(([name]) => each.do === 'set' && name === each.name);
    const at = known === -1 ? headers.length : known;
    headers.splice(at, 1, [each.name, each.value]);
  }
  return headers;
}

function bytesOf({ method, path, version, changes, trailing }: Request): Buffer {
  const lines = headersOf(changes).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n${trailing}`;
  const bytes = Buffer.from(text, 'latin1');
  for (const each of changes) {
    if (each.do === 'byte' && each.at < bytes.length) bytes[each.at] = each.byte;
  }
  const cut = changes.find((each) => each.do === 'cut');
  return cut?.do === 'cut' ? bytes.subarray(0, cut.at) : bytes;
}

/** What a server did with a request, as far as a client can observe it. */
type Outcome = 'open' | 'refused' | 'answered' | 'silence';

async function outcomeAt(port: number, bytes: Buffer, pieces: number): Promise<Outcome> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  let isOver = false;
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.on('end', () => socket.destroy());
  socket.on('close', () => {
    isOver = true;
  });
  const size = Math.ceil(bytes.length / (pieces + 1));
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await until(() => isOver, 'the server releases it', 15_000);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
  if (status === 101) return 'open';
  if (status >= 400) return 'refused';
  return status === 0 ? 'silence' : 'answered';
}

/** Where this side is deliberately stricter than ws. */
function isStricter(bytes: Buffer): boolean {
  const [head = ''] = bytes.toString('latin1').split('\r\n\r\n');
  const [line = ''] = head.split('\r\n');
  return (
    !/ HTTP\/(1\.1|2\.0)$/.test(line) ||
    !/^host:/im.test(head) ||
    /^sec-websocket-version:[ \t]*8\s*$/im.test(head)
  );
}

describe('upgrade requests of any bytes', { timeout: 300_000 }, () => {
  const watch = new ProcessWatch();
  const events: SupervisorEvent[] = [];
  let supervisor: Supervisor;
  let ours: Server;
  let theirs: Server;

  before(async () => {
    supervisor = createSupervisor({
      admission: { origins: 'any', acceptsPerSecondMax: 1_000_000 },
      unmatchedSubprotocols: 'open',
    });
    supervisor.events$.subscribe((event) => events.push(event));
    ours = createServer();
    attach(ours, supervisor);
    theirs = createServer((_request, response) => {
      response.writeHead(426).end();
    });
    const foreign = new WebSocketServer({ server: theirs });
    foreign.on('connection', (socket) => socket.on('error', () => {}));
    for (const server of [ours, theirs]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  });

  after(async () => {
    watch.stop();
    await supervisor.drain({ withinMs: 50 });
    for (const server of [ours, theirs]) server.close();
  });

  it('open or are refused as with ws, and leave nothing behind', async (t) => {
    t.diagnostic(`seed ${seed}, ${runs} runs`);
    const seen = new Map<Outcome, number>();
    const agrees = fc.asyncProperty(request, async (spec) => {
      const bytes = bytesOf(spec);
      const [port, foreignPort] = [ours, theirs].map(
        (each) => (each.address() as AddressInfo).port,
      );
      const [outcome, expected] = await Promise.all([
        outcomeAt(port ?? 0, bytes, spec.pieces),
        outcomeAt(foreignPort ?? 0, bytes, spec.pieces),
      ]);
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      if (expected === 'open' && isStricter(bytes)) assert.equal(outcome, 'refused');
      else assert.equal(outcome, expected);
    });
    await fc.assert(agrees, { numRuns: runs, seed, verbose: 1 });
    t.diagnostic(JSON.stringify(Object.fromEntries(seen)));
    assert.deepEqual(
      [...seen.keys()].filter((each) => each === 'open' || each === 'refused').length,
      2,
    );

    const inFlight = () => {
      const { handshaking, open, errored, closing } = supervisor.counts;
      return handshaking + open + errored + closing;
    };
    await until(() => inFlight() === 0, 'every connection has ended');
    const count = (type: SupervisorEvent['type']) =>
      events.filter((each) => each.type === type).length;
    assert.equal(count('connection.opened'), count('connection.closed'));
    assert.equal(count('connection.opened'), seen.get('open'));
    const blamed = events.filter(
      (event) => event.type === 'connection.failed' && event.failure.level === 'error',
    );
    assert.deepEqual(blamed, []);
    await watch.assertQuiet();
    const held = await new Promise((resolve) => ours.getConnections((_, count) => resolve(count)));
    assert.equal(held, 0);
  });
});
