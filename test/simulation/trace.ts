/** One line of a trace. */
export interface TraceLine {
  readonly atMs: number;
  readonly what: string;
  /** The number of the connection. 0 for lines without one. */
  readonly who: number;
  readonly detail: string | number;
}

/**
 * Everything that happened in a simulation, as a digest and, if requested, as lines.
 *
 * The digest is two FNV hashes side by side: equal for equal traces, and different enough for others.
 */
export class SimulationTrace {
  /** The recorded lines, in order. Empty unless lines are kept. */
  readonly lines: TraceLine[] = [];
  /** How much was recorded. */
  size = 0;
  /** The time of the next line, in milliseconds. */
  atMs = 0;

  readonly #keepsLines: boolean;
  #low = 0x811c9dc5;
  #high = 0x01000193;

  constructor(keepsLines: boolean) {
    this.#keepsLines = keepsLines;
  }

  note(what: string, who = 0, detail: string | number = ''): void {
    this.size += 1;
    this.#mix(Math.floor(this.atMs * 64));
    this.#mix(who);
    this.#mixText(what);
    if (typeof detail === 'number') this.#mix(detail);
    else this.#mixText(detail);
    if (this.#keepsLines) this.lines.push({ atMs: this.atMs, what, who, detail });
  }

  get digest(): string {
    return hex(this.#high) + hex(this.#low);
  }

  #mixText(text: string): void {
    for (let index = 0; index < text.length; index += 1) this.#mix(text.charCodeAt(index));
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul(this.#high ^ value, 0x5bd1e995) ^ (this.#low >>> 13);
  }
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0');
}
