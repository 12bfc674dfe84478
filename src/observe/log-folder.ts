import { type Clock, systemClock, type TimerHandle } from '../core/clock.ts';
import type { Level } from '../core/close-code.ts';
import { messageText } from '../core/errors.ts';
import { guarded } from '../core/guard.ts';
import { warnOnce } from '../core/warnings.ts';

/** One line of a log. */
export interface LogLine {
  readonly level: Level;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** How long identical lines are counted before the count is printed, in milliseconds. */
const WINDOW_MS = 1_000;
/** How much is remembered within a window: lines, and characters of them. Beyond either a new window begins. */
const LINES_MAX = 1_000;
const CHARACTERS_MAX = 1_048_576;

/** A line, and how often it came again. */
interface Repeated {
  readonly line: LogLine;
  more: number;
}

/**
 * Prints identical lines once and counts the others, so that a flood of them does not fill a disk.
 *
 * A line is printed when it comes for the first time within a window. When the window ends, each line that came again
 * is printed with how often it did: `… and 412 more`. A window begins with a line, and its timer does not keep the
 * process alive.
 */
export class LogFolder {
  readonly #write: (line: LogLine) => void;
  readonly #clock: Clock;
  readonly #lines = new Map<string, Repeated>();
  #characters = 0;
  #window: TimerHandle | null = null;

  constructor(write: (line: LogLine) => void, clock: Clock = systemClock) {
    this.#write = write;
    this.#clock = clock;
  }

  /** Prints a line, or counts it. Throws what the logger throws. */
  add(line: LogLine): void {
    const text = textOf(line);
    const repeated = text === undefined ? undefined : this.#lines.get(text);
    if (repeated !== undefined) {
      repeated.more += 1;
      return;
    }
    this.#write(line);
    if (text !== undefined) this.#remember(text, line);
  }

  /** Ends the window: prints what was counted, and forgets it. Never throws. */
  flush(): void {
    if (this.#window !== null) this.#clock.clearTimer(this.#window);
    this.#window = null;
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    this.#characters = 0;
    for (const { line, more } of lines) {
      if (more > 0) guarded(() => this.#write(folded(line, more)), warnOfLogger);
    }
  }

  #remember(text: string, line: LogLine): void {
    const isFull = this.#lines.size >= LINES_MAX || this.#characters >= CHARACTERS_MAX;
    if (isFull) this.flush();
    this.#lines.set(text, { line, more: 0 });
    this.#characters += text.length;
    this.#window ??= this.#clock.setTimer(WINDOW_MS, () => this.flush());
  }
}

/** Lines with the same text are identical. There is none for fields that have no JSON, such as a BigInt as a code. */
function textOf({ level, message, fields }: LogLine): string | undefined {
  try {
    return JSON.stringify([level, message, fields]);
  } catch {
    return undefined;
  }
}

function folded({ level, message, fields }: LogLine, more: number): LogLine {
  return { level, fields: { ...fields, more }, message: `${message} … and ${more} more` };
}

/** Outside of an event nobody else catches what a logger throws: it would end the process. */
function warnOfLogger(error: Error): void {
  warnOnce('MOORING_LOGGER_ERROR', `the logger of logEvents threw: ${messageText(error)}`);
}
