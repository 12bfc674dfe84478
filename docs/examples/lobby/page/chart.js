import { byId, setData, setText } from './dom.js';

const PICTURE = '/connection.svg';
const COUNT_SHOWN_MAX = 999;

const holder = byId('chart');
const hint = byId('chart-hint');
const ownHint = byId('own-states');

/**
 * The statechart of a connection. It highlights the states of this tab and counts the connections in each state, or it
 * shows a stage of an example.
 */
export class Chart {
  #ownId = '';
  #own = [];
  #isUp = false;
  #counts = new Map();
  /** The stage of an example that is shown, if any. */
  #stage;
  /** The innermost active states when the chart was last scrolled. */
  #inView = [];
  /** Whether the user has moved the chart: then it does not scroll by itself. */
  #isHeld = false;

  constructor() {
    for (const type of ['pointerdown', 'wheel', 'keydown']) {
      holder.addEventListener(type, () => (this.#isHeld = true), { passive: true });
    }
    this.#load();
  }

  /** The status of the client has changed. */
  changed(status) {
    const wasUp = this.#isUp;
    this.#isUp = status.state === 'up';
    // The client emits `up` again when it is stable. The snapshots know more about this tab than that status.
    if (wasUp && this.#isUp) return;
    this.#own = ownStates(status);
    if (!this.#isUp) this.#counts.clear();
    this.#draw();
  }

  welcome({ id }) {
    this.#ownId = id;
  }

  /** Counts the connections of a snapshot. */
  show({ counts, connections }) {
    this.#own = connections.find(({ id }) => id === this.#ownId)?.states ?? this.#own;
    this.#counts.clear();
    for (const path of connections.flatMap(({ states }) => states)) this.#add(path, 1);
    // The snapshot lists connections from their opening to their end; the others are only counted.
    for (const state of ['handshaking', 'closed', 'failed']) this.#add(state, counts[state] ?? 0);
    this.#draw();
  }

  /** Shows a stage of an example, or the live state without one. */
  showStage(stage) {
    this.#stage = stage;
    this.#isHeld = false;
    this.#draw();
  }

  #add(path, count) {
    if (count > 0) this.#counts.set(path, (this.#counts.get(path) ?? 0) + count);
  }

  /** Loads the picture as a document, so that no string is parsed as markup here. */
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
    this.#showHints(active);
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

  #showHints(active) {
    const isLive = this.#stage === undefined;
    setText(
      hint,
      isLive ? 'highlighted: this tab; numbers: all connections' : 'an example, not this tab',
    );
    const whose = isLive ? 'this tab' : 'now in';
    setText(ownHint, active.length === 0 ? '' : `${whose}: ${deepest(active).join(', ')}`);
  }

  /** Scrolls states that have become active into view if the chart is wider than the window. */
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
    // Scroll the page only for an example: otherwise the user may be reading another part of it.
    if (this.#stage !== undefined) scrollPageTo(lit[0]);
  }
}

const lefts = (boxes) => boxes.map(({ left }) => left);
const rights = (boxes) => boxes.map(({ right }) => right);

function scrollPageTo(group) {
  const box = group.querySelector('.box').getBoundingClientRect();
  const isVisible = box.top > innerHeight * 0.3 && box.bottom < innerHeight * 0.95;
  if (!isVisible) scrollBy({ top: box.top - innerHeight * 0.55, behavior: motion() });
}

function motion() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
}

/** The path of a state, or both paths of an arrow. */
function pathOf({ id }) {
  return id.slice(id.indexOf('.') + 1);
}

/** The states of this tab as its client knows them: without a snapshot of the server. */
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
