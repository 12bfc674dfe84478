import { clockTime, duration, lossWords } from './words.js';

/** Why this tab is away, from the loss of one connection until the next one is welcome. */
export class Outage {
  #loss;
  #failures = 0;
  #serverStartedAt = 0;

  /** Takes note of an ending. Only the first connection that is lost counts; the attempts after it are counted. */
  ended({ outcome, verdict }) {
    if (outcome === 'failed') this.#failures += 1;
    // Whoever leaves, or comes back under another name, has lost nothing.
    else if (verdict.cause !== 'close') this.#loss ??= { verdict, at: Date.now() };
  }

  /** What has happened so far. */
  get story() {
    const tried = this.#failures > 1 ? ` in ${this.#failures} attempts` : '';
    const unreached = this.#failures > 0 ? `The server could not be reached${tried}.` : '';
    if (this.#loss === undefined) return unreached;
    const { verdict, at } = this.#loss;
    const lost = `${lossWords(verdict)} at ${clockTime(at)}.`;
    return unreached === '' ? lost : `${lost} ${unreached}`;
  }

  /** This tab is aboard of a server that started then. What there is to tell of the time between, if anything. */
  over(serverStartedAt) {
    const isAnother = ![0, serverStartedAt].includes(this.#serverStartedAt);
    const loss = this.#loss;
    const attempt = this.#failures > 0 ? `, at attempt ${this.#failures + 1}` : '';
    this.#serverStartedAt = serverStartedAt;
    this.#loss = undefined;
    this.#failures = 0;
    if (loss === undefined) return '';
    const { verdict, at } = loss;
    const away = duration(Date.now() - at);
    return `${lossWords(verdict, isAnother)} at ${clockTime(at)}. Back after ${away}${attempt}.`;
  }
}
