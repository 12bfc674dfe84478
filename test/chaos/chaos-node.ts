import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';

/** What a node is told when it starts. */
export interface NodeStart {
  readonly servers: string;
  readonly topics: readonly string[];
  /** The time between two messages, in milliseconds. */
  readonly everyMs: number;
  /** 0 for any free one. */
  readonly port: number;
  readonly plant: string | null;
}

/** What a node does next: append no more, append one last message to each topic, only report, or drain and end. */
export type NodeTask = 'calm' | 'last' | 'report' | 'drain';

/** What a node reports. */
export interface NodeReport {
  readonly port?: number;
  readonly kept?: readonly [topic: string, id: string, position: string];
  /** How many of its messages are not confirmed. */
  readonly pending?: number;
  readonly fault?: string;
}

/** A node as a process, which may be killed, frozen and started again on its port. */
export class ChaosNode {
  readonly faults: string[] = [];
  readonly #start: NodeStart;
  readonly #kept: (topic: string, id: string, position: string) => void;
  #child: ChildProcess;
  #port = 0;
  #pending: number | null = null;
  #isFrozen = false;
  #hasKept = false;

  constructor(start: NodeStart, kept: (topic: string, id: string, position: string) => void) {
    this.#start = start;
    this.#kept = kept;
    this.#child = this.#fork();
  }

  get port(): number {
    return this.#port;
  }

  /** Whether clients can find it: it runs, and is not about to end. */
  get isUp(): boolean {
    return !this.#isOver && this.#port > 0 && !this.#isFrozen;
  }

  /** Whether it has kept a message since it was started. */
  get hasKept(): boolean {
    return this.#hasKept;
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #fork(): ChildProcess {
    const path = fileURLToPath(new URL('./service-program.js', import.meta.url));
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const start = { ...this.#start, port: this.#port };
    const child = fork(path, [JSON.stringify(start)], { env, execArgv: [], silent: true });
    child.on('message', (report: NodeReport) => this.#heard(report, child));
    child.stderr?.on('data', (text) => this.faults.push(String(text)));
    child.on('error', (error) => this.faults.push(String(error)));
    return child;
  }

  #heard({ port, kept, pending, fault }: NodeReport, from: ChildProcess): void {
    if (port !== undefined) this.#port = port;
    if (kept !== undefined) {
      // The last report of one that was killed may come late.
      this.#hasKept ||= from === this.#child;
      this.#kept(...kept);
    }
    if (pending !== undefined) this.#pending = pending;
    if (fault !== undefined) this.faults.push(fault);
  }

  async untilUp(): Promise<void> {
    await until(() => this.#port > 0 || this.#isOver, 'the node is up', 20_000);
    if (this.#isOver) throw new Error(`the node has ended: ${this.faults.join('\n')}`);
  }

  /** Gives it a task, and waits for its report. Returns how many of its messages are not confirmed. */
  async ask(task: Exclude<NodeTask, 'drain'>): Promise<number> {
    this.#pending = null;
    this.#child.send(task);
    await until(() => this.#pending !== null || this.#isOver, `the node does ${task}`, 20_000);
    return this.#pending ?? 0;
  }

  freeze(): void {
    this.#isFrozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#isOver) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Drains it, and waits until it has ended. */
  async drain(): Promise<void> {
    this.#child.send('drain');
    await until(() => this.#isOver, 'the node has drained', 20_000);
  }

  /** Starts it again, on the same port. */
  restart(): void {
    this.#isFrozen = false;
    this.#hasKept = false;
    this.#child = this.#fork();
  }
}
