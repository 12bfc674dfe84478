import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { AnswerLine, Orders } from './lines.ts';

/** The command of a child, and a name for messages about it. */
export interface Command {
  readonly name: string;
  readonly program: string;
  readonly arguments: readonly string[];
}

type Settle = (answer: AnswerLine) => void;

/** Every running child. None may outlive the measurement, however it ends. */
const running = new Set<Child<never>>();

/** A process that carries out orders, one at a time. */
export class Child<O extends Orders<O>> {
  readonly #name: string;
  readonly #process: ChildProcess;
  #settle: Settle | null = null;

  constructor(command: Command) {
    this.#name = command.name;
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    this.#process = spawn(command.program, command.arguments, { stdio: [...stdio] });
    this.#process.on('error', (error) => this.#answered({ error: error.message }));
    this.#process.on('exit', (code, signal) => {
      running.delete(this as unknown as Child<never>);
      this.#answered({ error: `${this.#name} ended with ${code ?? signal}` });
    });
    // Writing to a child that has just ended fails. Its exit already reports that.
    this.#process.stdin?.on('error', () => {});
    if (this.#process.stdout === null) throw new Error(`${this.#name} has no output`);
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.#answered(JSON.parse(line) as AnswerLine);
    });
    running.add(this as unknown as Child<never>);
  }

  /** Sends an order and waits until it is carried out. Fails if that takes longer than `withinMs`. */
  async ask<K extends keyof O & string>(
    name: K,
    argument?: Parameters<O[K]>[0],
    withinMs = 60_000,
  ): Promise<Awaited<ReturnType<O[K]>>> {
    const { exitCode, signalCode, stdin } = this.#process;
    if (exitCode !== null || signalCode !== null) throw new Error(`${this.#name} has ended`);
    const answer = await new Promise<AnswerLine>((resolve) => {
      const late = setTimeout(
        () => this.#answered({ error: `no answer to '${name}' within ${withinMs} ms` }),
        withinMs,
      );
      this.#settle = (answered) => {
        clearTimeout(late);
        resolve(answered);
      };
      stdin?.write(`${JSON.stringify({ name, argument })}\n`);
    });
    if ('error' in answer) throw new Error(`${this.#name}: ${answer.error}`);
    return answer.result as Awaited<ReturnType<O[K]>>;
  }

  /** Ends the process and waits until it has exited. */
  async stop(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.kill();
    await ended;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #answered(answer: AnswerLine): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(answer);
  }
}

/** Ends every child at once. */
export function killChildren(): void {
  for (const child of running) child.kill();
}
