import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { HeartbeatOptions } from '../../src/index.ts';
import { until } from './until.ts';

/** What a crowd of peers reports about itself. */
export interface PeerCensus {
  open: number;
  closed: number;
  /** The pings of the peer that has received the fewest. */
  pingsMin: number;
}

/** What a service in a separate process reports about itself. */
export interface ServiceCensus {
  port: number;
  open: number;
  /** Causes of every connection that has closed. */
  causes: string[];
  suspects: number;
}

/** A process that can be stopped at any moment, like a laptop when its lid is closed. */
export class FrozenProcess<Census> {
  readonly #child: ChildProcess;
  readonly #reports: Census[] = [];

  protected constructor(program: string, order: object) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.#child = fork(path, [JSON.stringify(order)], { env, execArgv: [] });
    this.#child.on('message', (report) => this.#reports.push(report as Census));
  }

  /** The latest report. */
  get latest(): Census | undefined {
    return this.#reports.at(-1);
  }

  /** Requests a report and waits for it. */
  async census(): Promise<Census> {
    const seen = this.#reports.length;
    this.#child.send('census');
    return this.nextReport(seen);
  }

  protected async nextReport(seen = this.#reports.length): Promise<Census> {
    await until(() => this.#reports.length > seen, 'the process reports', 30_000);
    return this.#reports.at(-1) as Census;
  }

  /** Stops the process and waits until the kernel confirms it. */
  async freeze(): Promise<void> {
    this.#child.kill('SIGSTOP');
    const stat = `/proc/${this.#child.pid}/stat`;
    await until(() => / T /.test(readFileSync(stat, 'utf8')), 'the process is frozen');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends the process, frozen or not, and waits until it has exited. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** WebSocket clients in a separate process. They answer pings and send nothing else. */
export class FrozenPeer extends FrozenProcess<PeerCensus> {
  static async open(url: string, count = 1): Promise<FrozenPeer> {
    const peer = new FrozenPeer('./frozen-peer-client.js', { url, count });
    await peer.nextReport(0);
    return peer;
  }
}

/** A supervisor in a separate process. */
export class FrozenService extends FrozenProcess<ServiceCensus> {
  port = 0;

  static async start(heartbeat: HeartbeatOptions): Promise<FrozenService> {
    const service = new FrozenService('./frozen-peer-service.js', heartbeat);
    ({ port: service.port } = await service.nextReport(0));
    return service;
  }
}
