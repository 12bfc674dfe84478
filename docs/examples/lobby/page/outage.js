import { element, setText } from './dom.js';
import { clockTime, duration, lossWords, recoveryWords } from './words.js';

/** Why this tab is disconnected: from the loss of a connection until the next welcome message. */
export class Outage {
  #loss;
  #failures = 0;
  #serverStartedAt = 0;
  /** The name of the worker that this tab is on, or was on. */
  #worker = '';

  /** Records an ending: the first connection that is lost, and how many attempts fail. */
  ended({ outcome, verdict }) {
    if (outcome === 'failed') this.#failures += 1;
    // A connection that this tab closed itself, for example to change its name, is not lost.
    else if (verdict.cause !== 'close') this.#loss ??= { verdict, at: Date.now() };
  }

  /** What has happened so far. */
  get summary() {
    const tried = this.#failures > 1 ? ` in ${this.#failures} attempts` : '';
    const unreached = this.#failures > 0 ? `The server could not be reached${tried}.` : '';
    if (this.#loss === undefined) return unreached;
    const { verdict, at } = this.#loss;
    const lost = `${lossWords(verdict, this.#worker)} at ${clockTime(at)}.`;
    return unreached === '' ? lost : `${lost} ${unreached}`;
  }

  /** Ends the outage. Returns what has happened; an empty string if no connection was lost. */
  end({ serverStartedAt, worker }) {
    const hasRestarted = ![0, serverStartedAt].includes(this.#serverStartedAt);
    const loss = this.#loss;
    const attempt = this.#failures > 0 ? ` on attempt ${this.#failures + 1}` : '';
    const lostWorker = this.#worker;
    this.#serverStartedAt = serverStartedAt;
    this.#worker = worker.name;
    this.#loss = undefined;
    this.#failures = 0;
    if (loss === undefined) return '';
    const { verdict, at } = loss;
    const lostFor = duration(Date.now() - at);
    const to = worker.name === '' ? '' : ` to ${worker.name}`;
    const lost = lossWords(verdict, lostWorker, hasRestarted);
    return `${lost} at ${clockTime(at)}. Reconnected${to} after ${lostFor}${attempt}.`;
  }
}

/** The note in a room about an outage: what has happened, and what this tab has missed there. */
export class OutageNote {
  kind = 'outage';
  view;
  #words = element('p', { className: 'outage-missed' });
  #backAt;
  #cause;
  #missed = 0;

  /** @param backAt - when this tab was back, by the clock of the server. */
  constructor(summary, backAt) {
    this.view = element('li', { className: 'outage' }, element('p', {}, summary), this.#words);
    this.#backAt = backAt;
  }

  /** The server has told whether what was missed comes now. */
  recovered(cause) {
    this.#cause = cause;
    this.#show();
  }

  /** Counts a message of somebody else that was sent before this tab was back. Returns whether it was. */
  count({ kind, own, at }) {
    if (kind !== 'message' || own || at >= this.#backAt) return false;
    this.#missed += 1;
    this.#show();
    return true;
  }

  #show() {
    setText(this.#words, recoveryWords(this.#cause, this.#missed));
  }
}
