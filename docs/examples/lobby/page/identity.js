import { byId, setData, setText } from './dom.js';
import { codeWords, inventedName } from './words.js';

const form = byId('identity');
const field = byId('name');
const rename = byId('rename');
const ownId = byId('own-id');
const ownState = byId('own-state');
const banner = byId('banner');
const bannerText = byId('banner-text');
const countdown = byId('banner-countdown');
const action = byId('banner-action');

const stateWords = new Map([
  ['dialing', 'connecting'],
  ['open', 'open'],
  ['waiting', 'reconnecting'],
  ['left', 'left'],
  ['refused', 'turned away'],
  ['exhausted', 'gave up'],
]);

/** Who this tab is, how its connection is, and what can be done about it. */
export class Identity {
  #wire;
  #name;
  #ticker = 0;

  constructor(wire) {
    this.#wire = wire;
    this.#name = firstName();
    field.value = this.#name;
    field.addEventListener('input', () => this.#fieldOnInput());
    form.addEventListener('submit', (event) => this.#formOnSubmit(event));
    action.addEventListener('click', () => this.#wire.dial(this.#name));
  }

  get name() {
    return this.#name;
  }

  welcome({ id, name }) {
    this.#name = name;
    setText(ownId, id);
    document.title = `${name} · Mooring lobby`;
  }

  show(change) {
    const { state } = change;
    clearInterval(this.#ticker);
    setText(countdown, '');
    setData(ownState, 'state', state);
    setText(ownState, stateWords.get(state));
    field.ariaInvalid = String(state === 'refused');
    if (state !== 'open') setText(ownId, '–');
    if (state === 'waiting') this.#countDown(change);
    if (state !== 'dialing') this.#showBanner(state, bannerWords(change));
  }

  #fieldOnInput() {
    rename.hidden = field.value.trim() === this.#name;
  }

  #formOnSubmit(event) {
    event.preventDefault();
    this.#name = field.value.trim();
    sessionStorage.setItem('name', this.#name);
    history.replaceState(null, '', location.pathname);
    rename.hidden = true;
    this.#wire.dial(this.#name);
  }

  #showBanner(state, { sentence, offer }) {
    banner.hidden = sentence === '';
    setData(banner, 'state', state);
    setText(bannerText, sentence);
    action.hidden = offer === undefined;
    setText(action, offer ?? '');
  }

  #countDown({ delayMs, attempt }) {
    const dueAt = performance.now() + delayMs;
    const tick = () => {
      const seconds = Math.max(0, dueAt - performance.now()) / 1_000;
      setText(countdown, `Attempt ${attempt} in ${seconds.toFixed(1)} s`);
    };
    tick();
    this.#ticker = setInterval(tick, 100);
  }
}

function bannerWords({ state, code, reason, wasOpen, refusal }) {
  const lost = wasOpen ? `${capital(codeWords(code))} (${codeAndReason(code, reason)}).` : '';
  switch (state) {
    case 'waiting':
      return { sentence: lost || 'The server cannot be reached.', offer: 'Reconnect now' };
    case 'left':
      return {
        sentence: 'You left politely (1000 “bye”). The table stands still.',
        offer: 'Come back',
      };
    case 'refused':
      return { sentence: `${refusal.trim()} Choose another name.` };
    case 'exhausted':
      return { sentence: `${lost} Nobody answers any more.`.trim(), offer: 'Try again' };
    default:
      return { sentence: '' };
  }
}

function codeAndReason(code, reason) {
  return reason === '' ? String(code) : `${code} “${reason}”`;
}

function capital(sentence) {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** The one in the address wins, then the one this tab had before it was reloaded. */
function firstName() {
  const asked = new URLSearchParams(location.search).get('name');
  const name = asked ?? sessionStorage.getItem('name') ?? inventedName();
  sessionStorage.setItem('name', name);
  return name;
}
