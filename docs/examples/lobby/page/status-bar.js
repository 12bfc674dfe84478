import { byId, setData, setText } from './dom.js';
import { clockTime, plural } from './words.js';

const bar = byId('status');
const ownState = byId('own-state');
const sentence = byId('status-text');
const countdown = byId('status-countdown');
const queued = byId('status-queued');
const button = byId('status-button');

const pills = new Map([
  ['dialing', 'dialing'],
  ['up', 'open'],
  ['closing', 'closing'],
  ['waiting', 'waiting'],
  ['offline', 'offline'],
  ['stopping', 'closing'],
  ['stopped', 'closed'],
  ['refused', 'refused'],
  ['exhausted', 'gave up'],
]);

const countdowns = new Map([
  ['waiting', 'Next attempt'],
  ['offline', 'Next attempt'],
]);

const buttonLabels = new Map([
  ['waiting', 'Connect now'],
  ['offline', 'Connect now'],
  ['stopped', 'Reconnect'],
  ['exhausted', 'Reconnect'],
]);

/** Why the client does not reconnect by itself. */
const givenUp = new Map([
  ['refused', 'It does not reconnect by itself.'],
  ['restarts', 'It has failed too often and does not reconnect by itself.'],
  ['crash', 'The client of this page crashed.'],
]);

/** The status of the connection of this tab, and a button to connect again. */
export class StatusBar {
  #outage;
  #shown = '';
  #ticker = 0;

  constructor(client, outage) {
    this.#outage = outage;
    button.addEventListener('click', () => {
      button.hidden = true;
      client.dialNow();
    });
  }

  changed(status) {
    const shown = shownState(status);
    // `up` is emitted again when the connection has become stable. Keep what the bar says about the last outage.
    if (shown === 'up' && this.#shown === 'up') return;
    this.#shown = shown;
    for (const node of [bar, ownState]) setData(node, 'state', shown);
    setText(ownState, pills.get(shown));
    setText(sentence, this.#sentence(shown, status));
    this.#showNext(shown, status);
    // The button must not flicker when an attempt fails at once.
    if (shown !== 'dialing') this.#showButton(buttonLabels.get(shown));
  }

  /** Connected, for the first time or after an outage. */
  welcome(outageSummary, worker) {
    const to = worker.name === '' ? '' : ` to ${worker.name}`;
    setText(sentence, outageSummary || `Connected${to} since ${clockTime(Date.now())}.`);
  }

  setQueued(count) {
    setText(queued, count === 0 ? '' : plural(count, 'message queued', 'messages queued'));
  }

  #showButton(label) {
    button.hidden = label === undefined;
    setText(button, label ?? '');
  }

  #sentence(shown, { gaveUp, refusal }) {
    switch (shown) {
      case 'up':
        return 'Connected. Waiting for the welcome message.';
      case 'closing':
        return 'The connection is closing.';
      case 'offline':
        return 'This device is offline. The tab reconnects when the network is back.';
      case 'stopping':
        return 'Closing the connection …';
      case 'stopped':
        return 'You closed the connection (1000 “bye”).';
      case 'refused':
        return `${refusal} Choose another name.`;
      case 'exhausted':
        return `${this.#outage.summary} ${givenUp.get(gaveUp)}`;
      default:
        return this.#outage.summary;
    }
  }

  #showNext(shown, { state, delayMs }) {
    clearInterval(this.#ticker);
    setText(countdown, shown === 'dialing' ? 'Connecting …' : '');
    if (state === 'waiting') this.#countDown(delayMs, countdowns.get(shown));
  }

  #countDown(delayMs, label) {
    const dueAt = performance.now() + delayMs;
    const tick = () => {
      const seconds = Math.max(0, dueAt - performance.now()) / 1_000;
      setText(countdown, `${label} in ${seconds.toFixed(1)} s`);
    };
    tick();
    this.#ticker = setInterval(tick, 100);
  }
}

function shownState({ state, states, refusal }) {
  if (refusal !== undefined) return 'refused';
  return states.includes('waiting.offline') ? 'offline' : state;
}
