import { byId, setData, setText } from './dom.js';

const PICTURE = '/connection.svg';
const COUNT_SHOWN_MAX = 999;

const holder = byId('chart');
const ownHint = byId('own-states');

/** The chart of a connection: the states of this tab are lit, and each state counts who is in it. */
export class Chart {
  #ownId = '';
  #own = [];
  #counts = new Map();

  constructor() {
    this.#load();
  }

  /** The client of this tab has moved on. */
  changed(status) {
    this.#own = ownStates(status);
    if (status.state !== 'up') this.#counts.clear();
    this.#draw();
  }

  welcome({ id }) {
    this.#ownId = id;
  }

  /** A picture of the whole fleet. */
  show({ counts, vessels }) {
    this.#own = vessels.find(({ id }) => id === this.#ownId)?.states ?? this.#own;
    this.#counts.clear();
    for (const path of vessels.flatMap(({ states }) => states)) this.#add(path, 1);
    // The others are not in the table: they are not open yet, or are over.
    for (const state of ['handshaking', 'closed', 'failed']) this.#add(state, counts[state] ?? 0);
    this.#draw();
  }

  #add(path, count) {
    if (count > 0) this.#counts.set(path, (this.#counts.get(path) ?? 0) + count);
  }

  /** As a document of its own, so that no text has to become markup here. */
  #load() {
    const request = new XMLHttpRequest();
    request.open('GET', PICTURE);
    request.responseType = 'document';
    request.addEventListener('load', () => {
      holder.replaceChildren(document.importNode(request.responseXML.documentElement, true));
      this.#draw();
    });
    request.send();
  }

  #draw() {
    setText(ownHint, this.#own.length === 0 ? '' : `this tab: ${deepest(this.#own).join(', ')}`);
    const own = new Set(this.#own);
    for (const group of holder.querySelectorAll('.state')) {
      const path = group.id.slice(group.id.indexOf('.') + 1);
      group.classList.toggle('is-active', own.has(path));
      const count = this.#counts.get(path);
      setData(group, 'count', count);
      setText(group.querySelector('.count'), countWords(count));
    }
  }
}

/** What this tab knows of its own connection before the server says more, and after it cannot any more. */
function ownStates({ state, ending }) {
  if (state === 'dialing') return ['handshaking'];
  if (state === 'closing') return ['closing'];
  if (state === 'up') return ['open'];
  return ending === undefined ? [] : [ending.outcome];
}

/** The states that have no other active ones inside them. */
function deepest(paths) {
  return paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)));
}

function countWords(count) {
  return count > COUNT_SHOWN_MAX ? `${COUNT_SHOWN_MAX}+` : String(count ?? '');
}
