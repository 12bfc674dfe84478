import { interval, map, type Subscription, take, takeWhile } from 'rxjs';
import type { LobbySupervisor, Member, Outbound } from './contract.ts';

const CRATE_BYTES = 65_536;
const EVERY_MS = 20;
/** A feed ends by itself, so that nobody can keep the lobby busy. */
const CRATES_MAX = 500;

const crate: Outbound = { type: 'crate', cargo: '#'.repeat(CRATE_BYTES) };

/** A feed that is heavy enough to fill the buffers of whoever does not read it. It runs while it has members. */
export class Cargo {
  readonly #supervisor: LobbySupervisor;
  #feed: Subscription | undefined;

  constructor(supervisor: LobbySupervisor) {
    this.#supervisor = supervisor;
  }

  haul(member: Member): void {
    member.join('cargo');
    const topic = this.#supervisor.topic('cargo');
    this.#feed?.unsubscribe();
    this.#feed = interval(EVERY_MS)
      .pipe(
        take(CRATES_MAX),
        takeWhile(() => topic.size > 0),
        map(() => crate),
      )
      .subscribe(topic);
  }
}
