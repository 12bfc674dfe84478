import { byId, setData, setText } from './dom.js';

const PICTURE = '/connection.svg';
const COUNT_SHOWN_MAX = 999;

const holder = byId('chart');
const hint = byId('chart-hint');
const ownHint = byId('own-states');

/**
 * The chart of a connection: the states of this tab are lit, and each state counts who is in it. A stage of an example
 * takes the place of both.
 */
export class Chart {
  #ownId = '';
  #own = [];
  #counts = new Map();
  /** Which stage of an example is shown, if any. */
  #stage;
  /** The innermost active states of when the chart was last moved. */
  #inView = [];
  /** Whether somebody has moved the chart by hand: then it stays where it is. */
  #isHeld = false;

  constructor() {
    for (const type of ['pointerdown', 'wheel', 'keydown']) {
      holder.addEventListener(type, () => (this.#isHeld = true), { passive: true });
    }
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

  /** Shows a stage of an example; without one, what happens now. */
  showStage(stage) {
    this.#stage = stage;
    this.#isHeld = false;
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
    const active = this.#stage?.active ?? this.#own;
    this.#say(active);
    const lit = new Set(active);
    for (const group of holder.querySelectorAll('.state')) {
      const path = pathOf(group);
      group.classList.toggle('is-active', lit.has(path));
      const count = this.#stage === undefined ? this.#counts.get(path) : undefined;
      setData(group, 'count', count);
      setText(group.querySelector('.count'), countWords(count));
    }
    const taken = new Set(this.#stage?.arrows);
    for (const group of holder.querySelectorAll('.arrow')) {
      group.classList.toggle('is-taken', taken.has(pathOf(group)));
    }
    this.#bringIntoView(deepest(active));
  }

  #say(active) {
    const isLive = this.#stage === undefined;
    setText(
      hint,
      isLive ? 'lit: this tab; numbers: the whole fleet' : 'an example, and not this tab',
    );
    const whose = isLive ? 'this tab' : 'lit';
    setText(ownHint, active.length === 0 ? '' : `${whose}: ${deepest(active).join(', ')}`);
  }

  /** Where the chart is wider than the window, what has become active must not be beside it. */
  #bringIntoView(active) {
    if (this.#isHeld) return;
    const lit = active
      .filter((path) => !this.#inView.includes(path))
      .map((path) => holder.querySelector(`.state[id$=".${path}"]`))
      .filter((group) => group !== null);
    if (lit.length === 0) return;
    this.#inView = active;
    const boxes = lit.map((group) => group.querySelector('.box').getBoundingClientRect());
    const frame = holder.getBoundingClientRect();
    const middle = (Math.min(...lefts(boxes)) + Math.max(...rights(boxes))) / 2;
    holder.scrollLeft += middle - (frame.left + frame.right) / 2;
    // Somebody who steps looks at the chart; everybody else may be reading anything.
    if (this.#stage !== undefined) scrollTo(lit[0]);
  }
}

const lefts = (boxes) => boxes.map(({ left }) => left);
const rights = (boxes) => boxes.map(({ right }) => right);

function scrollTo(group) {
  const box = group.querySelector('.box').getBoundingClientRect();
  const isSeen = box.top > innerHeight * 0.3 && box.bottom < innerHeight * 0.95;
  if (!isSeen) scrollBy({ top: box.top - innerHeight * 0.55, behavior: motion() });
}

function motion() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
}

/** The path of a state, or both of an arrow. */
function pathOf({ id }) {
  return id.slice(id.indexOf('.') + 1);
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
