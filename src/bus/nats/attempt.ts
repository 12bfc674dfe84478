import { connect, type NatsConnection, type TlsOptions } from '@nats-io/transport-node';
import { whenAborted } from '../../core/guard.ts';
import type { ResolvedNatsBusOptions } from './options.ts';
import { probe } from './probe.ts';

/** How long one attempt to connect may take. */
const ATTEMPT_MS = 2_000;

/** An unreachable server is noticed after three of these. */
const PING_INTERVAL_MS = 2_000;
const PINGS_OUT_MAX = 2;

/**
 * Connects to a server.
 *
 * nats.js keeps the socket of an attempt that was accepted and then hangs, and that socket would keep the process alive. So the
 * server must speak first, and a TLS handshake gets a signal that destroys its socket. A connection that is lost does not
 * connect again by itself, because only a new attempt has both.
 *
 * @throws Error that says why it has failed
 */
export async function attempt(
  server: string,
  connection: ResolvedNatsBusOptions['connection'],
  closed: AbortSignal,
): Promise<NatsConnection> {
  const abandoned = new AbortController();
  const stopWaiting = whenAborted(closed, () => abandoned.abort());
  try {
    const speaksFirst = connection?.tls?.handshakeFirst !== true;
    const asksForTls = speaksFirst && (await probe(server, ATTEMPT_MS, abandoned.signal));
    const tls = connection?.tls === undefined && asksForTls ? {} : connection?.tls;
    return await connect({
      timeout: ATTEMPT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: PINGS_OUT_MAX,
      ...connection,
      ...(tls && { tls: { ...tls, signal: abandoned.signal } as TlsOptions }),
      servers: server,
      noEcho: true,
      reconnect: false,
      maxReconnectAttempts: -1,
    });
  } catch (thrown) {
    abandoned.abort();
    throw thrown;
  } finally {
    stopWaiting();
  }
}
