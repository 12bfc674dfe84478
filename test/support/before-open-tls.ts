import type { ServerOptions } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { requestBytes } from './before-open-instants.ts';
import { until } from './until.ts';

/** TLS with a key that both sides know: real encryption without a certificate in the repository. */
const psk = Buffer.from('6d6f6f72696e67', 'hex');
const protocol = { ciphers: 'PSK+HIGH:@SECLEVEL=0', maxVersion: 'TLSv1.2' } as const;

/** Options of a TLS server that these clients can connect to. */
export const tlsOptions: ServerOptions = { ...protocol, pskCallback: () => psk };

/** A client over TLS, and the TCP socket below it. */
export function connectOverTls(port: number): { tcp: Socket; tls: TLSSocket } {
  const tcp = connectTcp({ port, host: '127.0.0.1' });
  const tls = connect({
    ...protocol,
    socket: tcp,
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk, identity: 'test' }),
  });
  for (const socket of [tcp, tls]) socket.on('error', () => {});
  return { tcp, tls };
}

/** Requests an upgrade over TLS with these further headers, and returns the status of the answer. */
export async function statusOverTls(
  port: number,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const { tls } = connectOverTls(port);
  let answer = '';
  tls.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  tls.write(requestBytes(port, headers));
  await until(() => answer.includes('\r\n') || tls.destroyed, 'the request is answered');
  tls.destroy();
  return Number(answer.slice(9, 12));
}
