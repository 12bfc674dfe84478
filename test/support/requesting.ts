import assert from 'node:assert/strict';
import {
  type Client,
  createClient,
  type DialedConnection,
  MooringError,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import type { SupervisorOptions } from '../../src/index.ts';
import { RawPeer } from './raw-peer.ts';
import type { Service } from './service.ts';
import type { Stops } from './stops.ts';
import { until } from './until.ts';

const SOH = '\u0001';

/** A heading, as docs/protocol.md specifies it. */
export const heading = (...values: unknown[]): string => SOH + JSON.stringify(values);

/** The headings among the texts that a raw peer has received. */
export const headingsOf = (texts: readonly string[]): unknown[][] =>
  texts.filter((text) => text.startsWith(SOH)).map((text) => JSON.parse(text.slice(1)));

export const quick: NodeClientOptions = {
  mooring: true,
  backoff: { minMs: 5, maxMs: 10, stableMs: 60_000 },
  timeouts: { closeMs: 200 },
};

/** Makes services and clients between which requests go. */
export const requesting = (stops: Stops) => ({
  serve: (options: SupervisorOptions<unknown, unknown, unknown> = {}): Promise<Service> =>
    stops.service({ timeouts: { closeMs: 200, forcedMs: 100 }, ...options }),

  dial(service: Service, options: NodeClientOptions = {}): Client {
    const client = createClient(service.url, { ...quick, ...options });
    stops.add(() => client.close());
    return client;
  },

  /** A client of the test that speaks the headings itself. */
  async rawPeer(service: Service): Promise<RawPeer> {
    const peer = await RawPeer.open(service.port, {
      headers: { 'Sec-WebSocket-Protocol': 'mooring.v1' },
    });
    stops.add(() => peer.destroy());
    return peer;
  },
});

export async function connected(client: Client): Promise<DialedConnection> {
  await until(() => client.status.state === 'up', 'the client is up');
  return client.connection as DialedConnection;
}

/** Awaits a rejection, and returns its error. */
export async function rejection(promise: Promise<unknown>): Promise<MooringError> {
  const thrown: unknown = await promise.then(
    (value) => assert.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof MooringError, String(thrown));
  return thrown;
}

/** A promise that the test settles. */
export function latch<Value = void>() {
  let open: (value: Value) => void = () => {};
  const opened = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

export const never = new Promise<never>(() => {});
