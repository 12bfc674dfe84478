import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { HeartbeatOptions } from '../../src/index.ts';
import { until } from './until.ts';

/** What a crowd of peers says of itself. */
export interface PeerCensus {
  open: number;
  closed: number;
  /** Pings that the peer with the fewest has got. */
  pingsMin: number;
}

/** What a service in a process of its own says of itself. */
export interface ServiceCensus {
  port: number;
  open: number;
  /** Causes of every connection that has closed. */
  causes: string[];
  suspects: number;
}

/** A process that can be stopped in the middle of whatever it does, like a laptop that is shut. */
export class FrozenProcess<Census> {
  readonly #child: ChildProcess;
  readonly #reports: Census[] = [];

  protected constructor(program: string, order: object) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.#child = fork(path, [JSON.stringify(order)], { env, execArgv: [] });
    this.#child.on('message', (report) => this.#reports.push(report as Census));
  }

  /** The latest that was reported. */
  get latest(): Census | undefined {
    return this.#reports.at(-1);
  }

  /** Asks and waits for the answer. */
  async census(): Promise<Census> {
    const seen = this.#reports.length;
    this.#child.send('census');
    return this.nextReport(seen);
  }

  protected async nextReport(seen = this.#reports.length): Promise<Census> {
    await until(() => this.#reports.length > seen, 'the process reports', 30_000);
    return this.#reports.at(-1) as Census;
  }

  /** Stops the process and waits until the kernel says so. */
  async freeze(): Promise<void> {
    this.#child.kill('SIGSTOP');
    const stat = `/proc/${this.#child.pid}/stat`;
    await until(() => / T /.test(readFileSync(stat, 'utf8')), 'the process is frozen');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends the process, frozen or not, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** WebSocket clients in a process of their own; they answer pings and say nothing else. */
export class FrozenPeer extends FrozenProcess<PeerCensus> {
  static async open(url: string, count = 1): Promise<FrozenPeer> {
    const peer = new FrozenPeer('./frozen-peer-client.js', { url, count });
    await peer.nextReport(0);
    return peer;
  }
}

/** A supervisor in a process of its own. */
export class FrozenService extends FrozenProcess<ServiceCensus> {
  port = 0;

  static async start(heartbeat: HeartbeatOptions): Promise<FrozenService> {
    const service = new FrozenService('./frozen-peer-service.js', heartbeat);
    ({ port: service.port } = await service.nextReport(0));
    return service;
  }
}
