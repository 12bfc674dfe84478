import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../../../src/client/index.ts';
import type { Moves, Percentiles } from '../orders.ts';
import { percentiles } from '../readers/measurements.ts';
import { nowMicros, STAMP_DIGITS } from '../subjects/publishing.ts';

/** Moves clients of Mooring, one after the other, while stamped messages are appended. */
export async function move(plan: Moves): Promise<Percentiles> {
  const movers = Array.from({ length: plan.clients }, (_, at) => new Mover(plan, at));
  await Promise.all(movers.map((mover) => mover.dial()));
  const underWay: Promise<number>[] = [];
  for (let moved = 0; moved < plan.moves; moved += 1) {
    await sleep(plan.everyMs);
    const mover = movers[moved % movers.length];
    if (mover !== undefined) underWay.push(mover.move());
  }
  return percentiles(Float64Array.from(await Promise.all(underWay)));
}

class Mover {
  readonly #plan: Moves;
  /** The number of the server that it is on, or was on. */
  #at: number;
  #client: Client | null = null;

  constructor(plan: Moves, at: number) {
    this.#plan = plan;
    this.#at = at;
  }

  /** Leaves a server for the other one. */
  async move(): Promise<number> {
    await this.#client?.close();
    await sleep(this.#plan.awayMs);
    this.#at += 1;
    return this.dial();
  }

  /** Dials. Returns the time until it is told where it is and has what was appended before it dialed, in microseconds. */
  dial(): Promise<number> {
    const positions = this.#client?.positions;
    const dialedAt = nowMicros();
    let hadAt = Number.NaN;
    const port = this.#plan.ports[this.#at % this.#plan.ports.length];
    const client = createClient(`ws://127.0.0.1:${port}/ws`, { mooring: true, positions });
    this.#client = client;
    return new Promise((resolve, reject) => {
      client.recoveries$.subscribe(({ recovered, cause }) => {
        hadAt = nowMicros();
        if (positions !== undefined && !recovered) reject(new Error(`it was told ${cause}`));
      });
      client.messages$.subscribe((text) => {
        if (Number(String(text).slice(0, STAMP_DIGITS)) < dialedAt) hadAt = nowMicros();
        else resolve(hadAt - dialedAt);
      });
    });
  }
}
