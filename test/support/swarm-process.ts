import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EndStyle, SwarmOrder } from './swarm.ts';

/** The parent's side of a crowd of clients in a separate process. */
export class Swarm {
  readonly #child: ChildProcess;

  constructor(port: number, firstLocalPort = 0) {
    const program = fileURLToPath(new URL('./swarm.js', import.meta.url));
    this.#child = fork(program, [String(port), String(firstLocalPort)]);
  }

  /** Opens more connections and waits until each is answered. */
  async open(count: number): Promise<void> {
    await this.#order({ open: count });
  }

  /** Ends all connections and waits until the sockets are gone. */
  async end(style: EndStyle): Promise<void> {
    await this.#order({ end: style });
  }

  /** Ends the process and waits for it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #order(order: SwarmOrder): Promise<void> {
    this.#child.send(order);
    await once(this.#child, 'message');
  }
}
