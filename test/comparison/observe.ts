import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/until.ts';
import type { Scene, Situation } from './situations.ts';
import type { Subject } from './subject.ts';

/** What one library reported to its user in one situation. */
export interface Observation {
  readonly subject: string;
  readonly situation: string;
  /** Its events, in order. */
  readonly trace: readonly string[];
  /** How many of them report the failure or the end. */
  readonly reports: number;
  /** Whether an exception was thrown that its user cannot catch anywhere. */
  readonly hasUncaught: boolean;
  /** The result for a message. */
  readonly sent: string;
}

export const OBSERVED_MS = 1_500;
export const SEND_AT_MS = 1_200;
export const EVENTS_MAX = 8;

/** A pause between an observed step and the next act, so that they do not overlap. */
const BEAT_MS = 50;

const UNCAUGHT = 'uncaught exception';

/** Leads a library into a situation and records its reports, for a fixed time. */
export async function observe(subject: Subject, situation: Situation): Promise<Observation> {
  const place = await situation.prepare(subject);
  const notes = new Notes();
  const { step } = situation;
  const ends = sleep(OBSERVED_MS);
  const dialed = subject.dial(`ws://127.0.0.1:${place.port}/`, notes.log);
  let sent: Promise<string> | undefined;
  const scene: Scene = {
    dialed,
    link: () => place.link?.() ?? missing(),
    send: () => {
      sent ??= said(() => dialed.send('hello'));
    },
  };
  const sends = sleep(SEND_AT_MS).then(scene.send);
  if (step !== undefined) {
    const isReady = step.when === 'open' ? dialed.isOpen : place.isReached;
    await until(isReady, `${subject.name} is ${step.when}`, SEND_AT_MS / 2);
    await sleep(BEAT_MS);
    step.act(scene);
  }
  await Promise.all([sends, ends]);
  const observed = await Promise.race([sent, sleep(0, 'no answer')]);
  notes.stop();
  dialed.close();
  await place.stop();
  const told = notes.toldOf(subject.endings);
  return {
    subject: subject.name,
    situation: situation.name,
    ...told,
    sent: observed ?? 'no answer',
  };
}

function missing(): never {
  throw new Error('there is no network to break in this situation');
}

async function said(send: () => Promise<string>): Promise<string> {
  try {
    return await send();
  } catch (error) {
    return `throws ${(error as Error).message}`;
  }
}

/** Everything that is reported during the observation, also through the process. */
class Notes {
  readonly #events: { readonly name: string; readonly text: string }[] = [];
  #isOver = false;

  constructor() {
    process.on('uncaughtException', this.#uncaught);
  }

  readonly log = (name: string, detail = ''): void => {
    if (!this.#isOver) this.#events.push({ name, text: `${name} ${detail}`.trim() });
  };

  readonly #uncaught = (error: Error): void => this.log(UNCAUGHT, error.message);

  stop(): void {
    this.#isOver = true;
    process.off('uncaughtException', this.#uncaught);
  }

  toldOf(endings: readonly string[]): Pick<Observation, 'trace' | 'reports' | 'hasUncaught'> {
    const names = this.#events.map(({ name }) => name);
    const texts = this.#events.map(({ text }) => text);
    const trace = texts.length > EVENTS_MAX ? [...texts.slice(0, EVENTS_MAX), '…'] : texts;
    const reports = names.filter((name) => endings.includes(name)).length;
    return { trace, reports, hasUncaught: names.includes(UNCAUGHT) };
  }
}
