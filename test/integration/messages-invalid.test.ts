// Goal: a peer that sends only invalid messages costs little and is soon gone, whatever the policy. Method: raw peers
// that send many more than they may, in one write, beside a peer that breaks no rule.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { z } from 'zod';
import { logEvents, type StandardSchemaV1, type SupervisorOptions } from '../../src/index.ts';
import { DialedPair } from '../support/dialed-pair.ts';
import { buildFrame, type FrameSpec, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const PER_MINUTE = 60;
const farewell = { code: 1008, reason: 'too many invalid messages' };

const messages = z.strictObject({ text: z.string() });
const valid = { opcode: opcode.text, payload: '{"text":"fine"}' };

/** Each message is invalid in a different way. */
const faults: readonly FrameSpec[] = [
  { opcode: opcode.text, payload: '{"text":1}' },
  { opcode: opcode.text, payload: '{"text":"","more":1}' },
  { opcode: opcode.text, payload: '{' },
  { opcode: opcode.binary, payload: 'bytes' },
  { opcode: opcode.text, payload: '['.repeat(100) },
  { opcode: opcode.text, payload: `[${'1,'.repeat(10_000)}1]` },
];

const repeated = (count: number, ...specs: readonly FrameSpec[]) =>
  Buffer.concat(
    Array.from({ length: count }, (_, index) =>
      buildFrame(specs[index % specs.length] as FrameSpec),
    ),
  );

describe('invalid messages', () => {
  let service: Service;
  afterEach(() => service.stop());

  const start = async (options: SupervisorOptions<unknown, unknown, unknown> = {}) => {
    service = await Service.start({ messages, ...options });
    return RawPeer.open(service.port);
  };

  for (const invalidMessages of ['reply', 'ignore'] as const) {
    it(`${invalidMessages}: the sixty-first within a minute ends the connection with 1008`, async () => {
      const peer = await start({ invalidMessages });
      peer.socket.write(repeated(2_000, ...faults));
      await peer.finishPolitely();
      await service.closedAs({
        ...farewell,
        origin: 'local',
        cause: 'invalid-message',
        clean: true,
        sent: farewell,
        level: 'warn',
      });
      assert.deepEqual(peer.closeFrame, farewell);
      assert.equal(service.of('message.invalid').length, PER_MINUTE + 1);
      assert.equal(peer.texts.length, invalidMessages === 'reply' ? PER_MINUTE : 0);
    });
  }

  it('close: the first ends it with its own code', async () => {
    const peer = await start({ invalidMessages: 'close', limits: { invalidPerMinuteMax: 1 } });
    peer.socket.write(repeated(10, { opcode: opcode.text, payload: '{' }));
    await peer.finishPolitely();
    await service.closedAs({ code: 1007, cause: 'invalid-message', level: 'warn' });
    assert.equal(service.of('message.invalid').length, 1);
  });

  it('sixty end nothing, and valid messages do not count', async () => {
    const peer = await start();
    peer.socket.write(repeated(200, valid));
    peer.socket.write(repeated(PER_MINUTE, ...faults));
    peer.socket.write(repeated(200, valid));
    await until(() => service.messages.length === 400, 'all that are valid are delivered');
    assert.equal(service.of('message.invalid').length, PER_MINUTE);
    assert.equal(service.supervisor.counts.open, 1);
  });

  it('they count only for the connection that sends them', async () => {
    const peer = await start();
    const bystander = await RawPeer.open(service.port);
    bystander.socket.write(repeated(PER_MINUTE, ...faults));
    await until(() => bystander.texts.length === PER_MINUTE, 'the bystander is answered');
    peer.socket.write(repeated(100, ...faults));
    await peer.finishPolitely();
    bystander.socket.write(repeated(1, valid));
    await until(() => service.messages.length === 1, 'the message of the bystander arrives');
    assert.equal(service.supervisor.counts.open, 1);
  });

  it('the answers to a flood of the shortest take a few kilobytes', async () => {
    const peer = await start();
    let answered = 0;
    peer.socket.on('data', (chunk: Buffer) => {
      answered += chunk.length;
    });
    peer.socket.write(repeated(100_000, { opcode: opcode.text, payload: '1' }));
    await peer.finishPolitely();
    assert.ok(answered <= PER_MINUTE * 256, `${answered} bytes`);
  });

  it('peers that flood in turns write two log lines each', async () => {
    const peers = [await start({ invalidMessages: 'ignore' }), await RawPeer.open(service.port)];
    const lines: { message: string; more: number | undefined }[] = [];
    const warn = (fields: object, message: string) => {
      if (!message.includes('message.invalid')) return;
      lines.push({ message, more: (fields as { more?: number }).more });
    };
    const logging = logEvents(service.supervisor.events$, { info() {}, warn, error() {} });
    for (let count = 1; count <= PER_MINUTE; count += 1) {
      for (const peer of peers) peer.json({ text: 1 });
      await until(() => service.of('message.invalid').length === 2 * count, 'both are refused');
    }
    logging.unsubscribe();
    // A machine that takes longer than a second for them has more windows.
    const firsts = lines.filter(({ more }) => more === undefined);
    const counts = lines.filter(({ more }) => more !== undefined);
    const folded = counts.reduce((sum, { more = 0 }) => sum + more, 0);
    assert.equal(firsts.length + folded, 2 * PER_MINUTE, 'none is lost');
    assert.ok(lines.length <= PER_MINUTE, `${lines.length} lines`);
    for (const { message, more } of counts) {
      assert.match(message, new RegExp(`: text: .* … and ${more} more$`));
    }
  });

  it('an answer is short, however long and many the unknown keys', async () => {
    const peer = await start();
    const nasty = '\u0001"\\€😀'.repeat(100);
    const keys = Object.fromEntries(Array.from({ length: 500 }, (_, key) => [`${nasty}${key}`, 1]));
    for (let count = 0; count < 5; count += 1) peer.json({ text: '', ...keys });
    await until(() => peer.texts.length === 5, 'all are answered');
    for (const text of peer.texts) assert.ok(Buffer.byteLength(text) <= 2_000, text);
  });

  it('messages that are expensive to check let other peers in between', async () => {
    const order: string[] = [];
    const peer = await start({
      messages: costly(() => order.push('fault')),
      onMessage: (connection) => void (order.push('echo') && connection.send('echo')),
    });
    const bystander = await RawPeer.open(service.port);
    const speak = () => bystander.json('echo');
    bystander.socket.on('data', speak);
    speak();
    await until(() => order.length > 0, 'the message of the bystander arrives');
    peer.socket.write(repeated(5, { opcode: opcode.text, payload: '1' }));
    await until(() => peer.texts.length === 5, 'all are answered');
    const between = order.join(' ').split('fault').slice(1, -1);
    assert.equal(between.length, 4);
    for (const echoes of between) assert.match(echoes, /echo/, order.join(' '));
    bystander.socket.off('data', speak);
  });
});

/** A contract for texts that takes 20 ms to reject a value. */
function costly(found: () => void): StandardSchemaV1 {
  const validate = (value: unknown) => {
    if (typeof value === 'string') return { value };
    for (const beganAt = performance.now(); performance.now() < beganAt + 20; );
    found();
    return { issues: [{ message: 'expected a text' }] };
  };
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

describe('client: invalid messages', () => {
  let pair: DialedPair;
  afterEach(() => pair.end());

  it('more than invalidPerMinuteMax end the connection with our 1008', async () => {
    pair = await DialedPair.open({ limits: { invalidPerMinuteMax: 3 } });
    const fault = { masked: false, opcode: opcode.text, payload: '{' };
    pair.host.socket.write(repeated(10, fault));
    await pair.host.finishPolitely();
    await pair.closedAs({
      ...farewell,
      sent: farewell,
      origin: 'local',
      cause: 'invalid-message',
      clean: true,
      level: 'warn',
      next: 'waiting',
    });
    const invalid = pair.dialing.events.filter(({ type }) => type === 'message.invalid');
    assert.equal(invalid.length, 4);
  });
});
