import type { Entry } from '../core/bus-log.ts';

const ENTRIES_MAX = 256;
const BYTES_MAX = 1_048_576;

/** Entries that were heard before those that precede them. Above a bound, the last are dropped and read again later. */
export class WaitingEntries {
  /** In the order of their numbers. */
  readonly #entries: Entry[] = [];
  #bytes = 0;

  get first(): Entry | undefined {
    return this.#entries[0];
  }

  add(entry: Entry): void {
    const at = this.#entries.findLastIndex(({ offset }) => offset <= entry.offset);
    if (this.#entries[at]?.offset === entry.offset) return;
    this.#entries.splice(at + 1, 0, entry);
    this.#bytes += entry.payload.length;
    while (this.#entries.length > ENTRIES_MAX || this.#bytes > BYTES_MAX) {
      this.#bytes -= this.#entries.pop()?.payload.length ?? 0;
    }
  }

  /** Takes out the first. */
  shift(): void {
    this.#bytes -= this.#entries.shift()?.payload.length ?? 0;
  }

  /** Whether an entry is of a log other than these. */
  hasOther(...logs: readonly (string | null)[]): boolean {
    return this.#entries.some(({ log }) => !logs.includes(log));
  }

  /** Keeps only the entries of one log. */
  keepOnly(log: string): void {
    const kept = this.#entries.filter((entry) => entry.log === log);
    this.clear();
    for (const entry of kept) this.add(entry);
  }

  clear(): void {
    this.#entries.length = 0;
    this.#bytes = 0;
  }
}
