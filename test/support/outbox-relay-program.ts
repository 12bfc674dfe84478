/** The program of a relay that stops between an append and the deletion of its row, so that a test can kill it there. */
import type { ClientConfig } from 'pg';
import { relayOutbox, type Topics } from '../../docs/examples/recipes/postgres-outbox.ts';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import { createSupervisor } from '../../src/index.ts';

/** What the program is told when it starts. */
export interface RelayOrder {
  readonly bus: NatsBusOptions;
  readonly database: ClientConfig;
  /** How many rows it appends before it stops. */
  readonly rows: number;
}

const { bus, database, rows } = JSON.parse(process.argv[2] ?? '') as RelayOrder;
const supervisor = createSupervisor({ bus: natsBus(bus), durable: () => true });
supervisor.events$.subscribe();

let kept = 0;
const topics: Topics = {
  topic: (name) => ({
    async append(message, options) {
      const appended = await supervisor.topic(name).append(message, options);
      kept += 1;
      if (kept < rows) return appended;
      process.send?.(appended.outcome);
      return new Promise(() => {});
    },
  }),
};
await relayOutbox(topics, database, new AbortController().signal, console.error);
