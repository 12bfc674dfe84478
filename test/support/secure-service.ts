import type { IncomingMessage } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { attach, createSupervisor, type Supervisor } from '../../src/index.ts';
import { type SelfSigned, selfSigned } from './certificate.ts';

/** What a server over TLS saw of one client. */
export interface SecureVisit {
  readonly servername: string | false | null | undefined;
  readonly protocol: string | null;
  readonly cipher: string;
  /** The name in the certificate of the client. */
  readonly clientName: string | undefined;
}

/** A supervisor on an HTTPS server that records how each client has connected. */
export class SecureService {
  readonly certificate: SelfSigned;
  readonly visits: SecureVisit[] = [];
  readonly #server: Server;
  readonly #supervisor: Supervisor<unknown>;

  private constructor(name: string, options: ServerOptions) {
    this.certificate = selfSigned(name);
    this.#server = createServer({ ...this.certificate, ...options });
    this.#server.on('tlsClientError', () => {});
    this.#supervisor = createSupervisor({ authenticate: (request) => this.#note(request) });
    attach(this.#server, this.#supervisor);
  }

  /** Starts a server that has a self-signed certificate of this name. */
  static async start(name: string, options: ServerOptions = {}): Promise<SecureService> {
    const service = new SecureService(name, options);
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await this.#supervisor.drain({ withinMs: 200 });
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #note({ socket }: IncomingMessage): object {
    const secure = socket as TLSSocket & { readonly servername?: string | false | null };
    const { subject } = secure.getPeerCertificate();
    this.visits.push({
      servername: secure.servername,
      protocol: secure.getProtocol(),
      cipher: secure.getCipher().name,
      clientName: subject && String(subject.CN),
    });
    return {};
  }
}
