import { type Clock, systemClock, type TimerHandle } from '../core/clock.ts';
import type { Level } from '../core/close-code.ts';
import { messageText } from '../core/errors.ts';
import { guarded } from '../core/guard.ts';
import { warnOnce } from '../core/warnings.ts';

/** One line of a log. */
export interface LogLine {
  /** The level at which it is logged. */
  readonly level: Level;
  /** The fields, for machines. Text from a peer is escaped. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The message, for people. Text from a peer is escaped. */
  readonly message: string;
}

/** How long identical lines are counted before the count is printed, in milliseconds. */
const WINDOW_MS = 1_000;
/** The limits of a window: lines, and their characters. Beyond either, a new window begins. */
const LINES_MAX = 1_000;
const CHARACTERS_MAX = 1_048_576;

/** A line, and how often it was repeated. */
interface Repeated {
  readonly line: LogLine;
  more: number;
}

/**
 * Prints identical lines once and counts the others, so that a flood of them does not fill a disk.
 *
 * The first line of its kind in a window is printed at once. When the window ends, each repeated line is printed once more
 * with the number of repeats: `… and 412 more`. A window begins with its first line, and its timer does not keep the
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

  /** Prints a line or counts it. Throws what the logger throws. */
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

  /** Ends the window: prints what was counted and forgets it. Never throws. */
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

/** The text by which lines are compared; `undefined` for fields that JSON cannot write, such as a BigInt. */
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

/** Outside an event, nothing else catches the error of a logger, and it would end the process. */
function warnOfLogger(error: Error): void {
  warnOnce(
    'MOORING_LOGGER_ERROR',
    `logEvents(events$, logger): logger threw: ${messageText(error)}`,
  );
}
