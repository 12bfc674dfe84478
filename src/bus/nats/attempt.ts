import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect, type NatsConnection, type TlsOptions } from '@nats-io/transport-node';
import { whenAborted } from '../../core/guard.ts';
import { addressOf } from './address.ts';
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
  const { host, isTls } = addressOf(server);
  const abandoned = new AbortController();
  const stopWaiting = whenAborted(closed, () => abandoned.abort());
  try {
    const speaksFirst = connection?.tls?.handshakeFirst !== true;
    const asksForTls = speaksFirst && (await probe(server, ATTEMPT_MS, abandoned.signal));
    const asks = isTls || (asksForTls && connection?.tls === undefined);
    const tls = connection?.tls ?? (asks ? {} : null);
    const nats = await connect({
      timeout: ATTEMPT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: PINGS_OUT_MAX,
      ...connection,
      ...(tls && { tls: { ...namesOf(host), ...tls, signal: abandoned.signal } as TlsOptions }),
      servers: server,
      // nats.js tries the addresses of a name within one connection, and closes that connection while it still tries. Node.js
      // tries them as well.
      resolve: false,
      noEcho: true,
      reconnect: false,
      maxReconnectAttempts: -1,
    });
    // It would never report its end.
    if (nats.isClosed()) throw new Error(`${host} has closed the connection`);
    return nats;
  } catch (thrown) {
    abandoned.abort();
    throw thrown;
  } finally {
    stopWaiting();
  }
}

/** The names by which TLS knows a host. Otherwise nats.js takes every certificate for one of `localhost`. */
function namesOf(host: string): ConnectionOptions {
  return isIP(host) === 0 ? { host, servername: host } : { host };
}
