import assert from 'node:assert/strict';
import {
  type Client,
  type ClientEvent,
  type ClientStatus,
  createClient,
  type Ending,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';
import { turns, until } from './until.ts';

/** A client, and everything that it reported. */
export class Dialing {
  readonly client: Client;
  readonly statuses: ClientStatus[] = [];
  readonly messages: unknown[] = [];
  readonly endings: Ending[] = [];
  /** The verdicts of its connections. */
  readonly verdicts: CloseVerdict[] = [];
  readonly events: ClientEvent[] = [];
  /** The streams that have completed. */
  readonly completed: string[] = [];

  constructor(url: Parameters<typeof createClient>[0], options: NodeClientOptions = {}) {
    this.client = createClient(url, options);
    const { client } = this;
    this.#note('status$', client.status$, this.statuses);
    this.#note('messages$', client.messages$, this.messages);
    this.#note('endings$', client.endings$, this.endings);
    client.endings$.subscribe((ending) => {
      if (ending.outcome === 'closed') this.verdicts.push(ending.verdict);
    });
    this.#note('events$', client.events$, this.events);
  }

  #note<Value>(name: string, stream: Client['messages$'] | object, into: Value[]): void {
    (stream as Client['messages$']).subscribe({
      next: (value) => into.push(value as Value),
      complete: () => this.completed.push(name),
    });
  }

  get states(): string[] {
    return this.statuses.map(({ state }) => state);
  }

  async up(): Promise<this> {
    await until(() => this.client.status.state === 'up', 'the client is up');
    // It sends waiting messages one turn later, and new ones at once after that.
    await turns(3);
    return this;
  }

  /** Why the first attempt failed. */
  async firstFailure(): Promise<Failure> {
    const ending = await this.firstEnding();
    assert.ok(ending.outcome === 'failed', 'it opened');
    return ending.failure;
  }

  /** The first ending, which must be the only one, of one attempt. */
  async firstEnding(): Promise<Ending> {
    await until(() => this.endings.length > 0, 'the first attempt is over');
    const [ending] = this.endings;
    assert.ok(ending);
    return ending;
  }
}
