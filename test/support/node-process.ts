import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BusState } from '../../src/index.ts';
import { until } from './until.ts';

/** What a node is told when it starts. */
export interface NodeOrder {
  readonly servers: string;
  readonly topics: readonly string[];
  /** The time between two publications, in milliseconds. */
  readonly everyMs: number;
}

/** What a node does next: only report, stop publishing, publish the last messages, or drain and end. */
export type NodeTask = 'report' | 'calm' | 'last' | 'drain';

/** What a node reports about itself. */
export interface NodeCensus {
  readonly port: number;
  readonly bus: BusState;
  /** `bus.up` and `bus.down`, in order. */
  readonly moves: readonly string[];
  /** Errors and warnings. */
  readonly faults: readonly string[];
  /** Publications that were said to be forwarded while the bus was not up. */
  readonly untrue: number;
}

/** A process of a service, which a test may kill and freeze. */
export class NodeProcess {
  readonly #child: ChildProcess;
  readonly #reports: NodeCensus[] = [];
  #output = '';

  private constructor(order: NodeOrder) {
    const path = fileURLToPath(new URL('./node-program.js', import.meta.url));
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.#child = fork(path, [JSON.stringify(order)], { env, execArgv: [], silent: true });
    this.#child.on('message', (report) => this.#reports.push(report as NodeCensus));
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text) => {
        this.#output += text;
      });
  }

  static async start(order: NodeOrder): Promise<NodeProcess> {
    const node = new NodeProcess(order);
    await node.#reportAfter(0);
    return node;
  }

  /** All that it has printed, which should be nothing. */
  get output(): string {
    return this.#output;
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get port(): number {
    return this.#reports[0]?.port ?? 0;
  }

  /** Gives it a task, and waits until that is done. */
  async ask(task: NodeTask): Promise<NodeCensus> {
    const seen = this.#reports.length;
    this.#child.send(task);
    return this.#reportAfter(seen);
  }

  async #reportAfter(seen: number): Promise<NodeCensus> {
    const isDone = () => this.#reports.length > seen || this.isOver;
    await until(isDone, 'the node reports', 20_000);
    const report = this.#reports[seen];
    if (report === undefined) throw new Error(`the node has ended: ${this.#output}`);
    return report;
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.isOver) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Waits until it ends by itself. @returns its exit code */
  async ended(): Promise<number | null> {
    await until(() => this.isOver, 'the node ends');
    return this.#child.exitCode;
  }
}
