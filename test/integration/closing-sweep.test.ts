import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { CloseVerdict } from '../../src/index.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

/** How many connections are open at once. */
const BATCH = 100;

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Codes that an endpoint may put into a close frame (RFC 6455 §7.4). */
const receivable = [...range(1000, 1003), ...range(1007, 1014), ...range(3000, 4999)];

/** All others up to 5999, and a sample of the rest of the 16 bits. */
const unreceivable = [
  ...range(0, 5999),
  8191,
  16_384,
  32_767,
  32_768,
  49_152,
  65_534,
  65_535,
].filter((code) => !receivable.includes(code));

describe('C01 every close code', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('C01: each code that may be sent is echoed and reported as it came', async () => {
    service = await Service.start();
    for (let index = 0; index < receivable.length; index += BATCH) {
      await closeWithEach(receivable.slice(index, index + BATCH));
    }
    const verdicts = await closed();
    assert.deepEqual(verdicts.map(({ code }) => code).sort(ascending), receivable);
    const odd = verdicts.filter(({ code, reason, origin, layer, clean, cause }) => {
      const told = [reason, origin, layer, clean, cause].join(' ');
      return told !== `code ${code} peer websocket true peer-close`;
    });
    assert.deepEqual(odd, []);
  });

  it('C01: each code that must not be sent is a protocol error', async () => {
    service = await Service.start();
    for (let index = 0; index < unreceivable.length; index += BATCH) {
      await closeWithEach(unreceivable.slice(index, index + BATCH));
    }
    const verdicts = await closed();
    assert.equal(verdicts.length, unreceivable.length);
    const odd = verdicts.filter(({ code, sent, origin, clean, cause }) => {
      const told = [code, sent?.code, origin, clean, cause].join(' ');
      return told !== '1006 1002 local false protocol-error';
    });
    assert.deepEqual(odd, []);
  });

  /** The close frame is in the packet of the request, so each connection costs one read. */
  async function closeWithEach(codes: readonly number[]): Promise<void> {
    const peers = await Promise.all(codes.map(() => RawPeer.connect(service.port)));
    for (const [index, peer] of peers.entries()) {
      const code = codes[index] ?? 0;
      const payload = closePayload(code, `code ${code}`);
      peer.request({ trailing: buildFrame({ opcode: opcode.close, payload }) });
    }
    await until(() => peers.every((peer) => peer.closed), 'every peer is released');
    await until(() => service.inFlight === 0, 'every connection has ended');
    for (const [index, peer] of peers.entries()) {
      const code = codes[index] ?? 0;
      const echo = { code, reason: `code ${code}` };
      const expected = receivable.includes(code) ? echo : { code: 1002, reason: '' };
      assert.deepEqual(peer.closeFrame, expected);
    }
  }

  async function closed(): Promise<CloseVerdict[]> {
    await until(() => service.inFlight === 0, 'every connection has ended');
    const { open, closed: count } = service.supervisor.counts;
    const verdicts = service.of('connection.closed').map(({ verdict }) => verdict);
    assert.deepEqual({ open, count }, { open: 0, count: service.of('connection.opened').length });
    return verdicts;
  }
});

const ascending = (a: number, b: number) => a - b;
