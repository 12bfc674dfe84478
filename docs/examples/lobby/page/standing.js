import { byId, setData, setText } from './dom.js';
import { clockTime, plural } from './words.js';

const strip = byId('standing');
const ownState = byId('own-state');
const story = byId('standing-story');
const countdown = byId('standing-countdown');
const waiting = byId('standing-waiting');
const action = byId('standing-action');

const pills = new Map([
  ['dialing', 'dialing'],
  ['up', 'open'],
  ['closing', 'closing'],
  ['waiting', 'waiting'],
  ['offline', 'offline'],
  ['stopping', 'leaving'],
  ['stopped', 'left'],
  ['refused', 'turned away'],
  ['exhausted', 'ended'],
]);

const countdowns = new Map([
  ['waiting', 'Next attempt'],
  ['offline', 'One attempt all the same'],
]);

const offers = new Map([
  ['waiting', 'Dial now'],
  ['offline', 'Dial now'],
  ['stopped', 'Come back'],
  ['exhausted', 'Come back'],
]);

/** Why nothing follows by itself. */
const finalities = new Map([
  ['refused', 'Another attempt would not mend that, so there is none.'],
  ['restarts', 'That was once too often.'],
  ['crash', 'The client of this page has failed.'],
]);

/** How the connection of this tab is, in words, and what can be done about it. */
export class Standing {
  #outage;
  #shown = '';
  #ticker = 0;

  constructor(wire, outage) {
    this.#outage = outage;
    action.addEventListener('click', () => {
      action.hidden = true;
      wire.dialNow();
    });
  }

  changed(status) {
    const shown = shownState(status);
    // That it has become stable is no news, and what happened before stays to be read.
    if (shown === 'up' && this.#shown === 'up') return;
    this.#shown = shown;
    for (const node of [strip, ownState]) setData(node, 'state', shown);
    setText(ownState, pills.get(shown));
    setText(story, this.#sentence(shown, status));
    this.#showNext(shown, status);
    // An attempt that fails at once must not make the button flicker.
    if (shown !== 'dialing') this.#offer(offers.get(shown));
  }

  /** Aboard again, or for the first time. */
  welcome(whatHappened) {
    setText(story, whatHappened || `Connected since ${clockTime(Date.now())}.`);
  }

  setWaiting(count) {
    setText(waiting, count === 0 ? '' : plural(count, 'message waits', 'messages wait'));
  }

  #offer(offer) {
    action.hidden = offer === undefined;
    setText(action, offer ?? '');
  }

  #sentence(shown, { gaveUp, refusal }) {
    switch (shown) {
      case 'up':
        return 'Connected, and waiting for a welcome.';
      case 'closing':
        return 'The connection is closing.';
      case 'offline':
        return 'This device is offline. The tab comes back when the network does.';
      case 'stopping':
        return 'Saying goodbye …';
      case 'stopped':
        return 'You left politely (1000 “bye”). The table stands still.';
      case 'refused':
        return `${refusal} Choose another name.`;
      case 'exhausted':
        return `${this.#outage.story} ${finalities.get(gaveUp)}`;
      default:
        return this.#outage.story;
    }
  }

  #showNext(shown, { state, delayMs }) {
    clearInterval(this.#ticker);
    setText(countdown, shown === 'dialing' ? 'Dialing …' : '');
    if (state === 'waiting') this.#countDown(delayMs, countdowns.get(shown));
  }

  #countDown(delayMs, what) {
    const dueAt = performance.now() + delayMs;
    const tick = () => {
      const seconds = Math.max(0, dueAt - performance.now()) / 1_000;
      setText(countdown, `${what} in ${seconds.toFixed(1)} s`);
    };
    tick();
    this.#ticker = setInterval(tick, 100);
  }
}

function shownState({ state, states, refusal }) {
  if (refusal !== undefined) return 'refused';
  return states.includes('waiting.offline') ? 'offline' : state;
}
