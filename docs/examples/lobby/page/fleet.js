import { byId, element, setData, setText } from './dom.js';
import { byteCount, clockTime, duration, endingWords, ticking } from './words.js';

/** How long a row stays after its end, and how long it takes to fade. */
const AFTERGLOW_MS = 7_000;
const FADE_MS = 600;

const table = byId('fleet');
const body = byId('vessels');
const empty = byId('fleet-empty');
const hint = byId('fleet-hint');
const counts = byId('counts');

/** Substates that deserve a second look, by what a chip calls them; what is as it should be has none. */
const markWords = new Map([
  ['welcoming', 'welcoming'],
  ['suspect', 'suspect'],
  ['asleep', 'asleep'],
  ['congested', 'congested'],
  ['local', 'we close'],
  ['peer', 'peer closes'],
  ['forced', 'destroyed'],
  ['reaping', 'socket gone'],
]);

/** The live table: one row for each connection, which stays a while after its end. */
export class Fleet {
  #rows = new Map();
  #ownId = '';
  #isLive = true;
  /** How far the server's clock is ahead of ours. */
  #aheadMs = 0;

  constructor() {
    setInterval(() => this.#tick(), 1_000);
  }

  /** Aboard, perhaps of a server that has begun anew and gives the same ids to others. */
  welcome({ id }) {
    this.#ownId = id;
    this.#rows.clear();
    body.replaceChildren();
  }

  /** Without a connection the table stands still, and says so. */
  setLive(isLive) {
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    setData(table, 'stale', isLive ? undefined : true);
    const stopped = `as it was at ${clockTime(Date.now())}; this tab is not connected`;
    setText(hint, isLive ? 'as the server sees it, live' : stopped);
  }

  /** A picture of the whole fleet. */
  show({ at, counts: byState, vessels }) {
    this.#aheadMs = at - Date.now();
    showCounts(byState);
    const known = new Set(vessels.map(({ id }) => id));
    for (const row of [...this.#rows.values()]) {
      if (!known.has(row.id) && !row.isOver) this.#remove(row);
    }
    for (const vessel of vessels) this.#rowOf(vessel).show(vessel);
    this.#tick();
  }

  /** A connection has ended: its row says how, and goes after a while. */
  end({ how, id, cause, openMs }) {
    const row = this.#rows.get(id);
    if (how !== 'closed' || row === undefined || row.isOver) return;
    row.end(cause, openMs);
    setTimeout(() => setData(row.tr, 'leaving', true), AFTERGLOW_MS);
    setTimeout(() => this.#remove(row), AFTERGLOW_MS + FADE_MS);
  }

  #rowOf({ id }) {
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    const row = new Row(id, id === this.#ownId);
    this.#rows.set(id, row);
    this.#place(row);
    return row;
  }

  /** Our own row first, then the newest: it is the one that somebody has just asked for. */
  #place({ id, tr }) {
    const own = this.#rows.get(this.#ownId)?.tr;
    if (id === this.#ownId || own === undefined) body.prepend(tr);
    else own.after(tr);
  }

  #remove(row) {
    row.tr.remove();
    if (this.#rows.get(row.id) === row) this.#rows.delete(row.id);
    this.#tick();
  }

  #tick() {
    const now = Date.now() + this.#aheadMs;
    if (table.dataset.stale === undefined) for (const row of this.#rows.values()) row.tick(now);
    empty.hidden = this.#rows.size > 0;
    table.hidden = this.#rows.size === 0;
  }
}

/** One connection in the table. */
class Row {
  isOver = false;
  #openedAt = 0;
  #who;
  #state = element('div', { className: 'vessel-state' });
  #topics = element('div', { className: 'vessel-topics' });
  #address = element('span', { className: 'vessel-address' });
  #age = element('span');
  #buffered = element('span');

  constructor(id, isOwn) {
    this.id = id;
    this.#who = element('div', { className: 'vessel-who' });
    this.tr = element('tr', { className: 'vessel', dataset: { id } });
    this.tr.append(
      cell('Connection', this.#who),
      cell('State', this.#state),
      cell('Topics', this.#topics),
      cell('Address', this.#address),
      cell('Open for', this.#age, 'number'),
      cell('Buffered', this.#buffered, 'number'),
    );
    if (isOwn) setData(this.tr, 'own', true);
  }

  show(vessel) {
    if (this.isOver) return;
    this.#openedAt = vessel.openedAt;
    this.#showWho(vessel);
    this.#showState(vessel.state, chipsOf(vessel));
    replaceWhenNew(
      this.#topics,
      vessel.topics.map((topic) => ({ text: topic })),
    );
    setText(this.#address, vessel.address);
    setText(this.#buffered, byteCount(vessel.bufferedBytes));
  }

  end(cause, openMs) {
    this.isOver = true;
    this.#showState('closed', []);
    delete this.#topics.dataset.shown;
    setText(this.#topics, endingWords(cause));
    setText(this.#age, duration(openMs));
    setText(this.#buffered, '–');
  }

  tick(now) {
    if (!this.isOver) setText(this.#age, ticking(now - this.#openedAt));
  }

  #showWho({ id, name, guest }) {
    if (this.#who.childElementCount > 0) return;
    const isOwn = this.tr.dataset.own !== undefined;
    const badge = isOwn ? 'this tab' : guest && 'guest';
    this.#who.append(
      element('span', { className: 'vessel-name' }, name),
      element('span', { className: 'vessel-id' }, id),
      ...(badge ? [element('span', { className: `chip ${isOwn ? 'own' : ''}` }, badge)] : []),
    );
  }

  #showState(state, chips) {
    if (this.tr.dataset.state !== undefined && this.tr.dataset.state !== state) this.#flash();
    setData(this.tr, 'state', state);
    const pill = this.#state.firstElementChild ?? element('span', { className: 'pill' });
    setData(pill, 'state', state);
    setText(pill, state);
    if (!pill.isConnected) this.#state.append(pill);
    replaceWhenNew(this.#state, chips, pill);
  }

  /** Draws the eye to a row whose state has just changed. */
  #flash() {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const colour = 'color-mix(in oklab, var(--tone) 14%, transparent)';
    requestAnimationFrame(() => {
      this.tr.animate([{ backgroundColor: colour }, {}], { duration: 1_200, easing: 'ease-out' });
    });
  }
}

function cell(label, content, className = '') {
  return element('td', { className, dataset: { label } }, content);
}

function chipsOf({ state, states, droppedMessages, invalidMessages }) {
  const chips = states
    .map((path) => path.split('.').at(-1))
    .filter((mark) => markWords.has(mark))
    .map((mark) => ({ mark, text: markWords.get(mark) }));
  if (state !== 'open') return chips;
  if (droppedMessages > 0) chips.push({ mark: 'dropped', text: `${droppedMessages} dropped` });
  if (invalidMessages > 0) chips.push({ mark: 'invalid', text: `${invalidMessages} invalid` });
  return chips;
}

/** Replaces chips only when they differ, after what has to stay in front of them. */
function replaceWhenNew(holder, chips, ...kept) {
  const shown = JSON.stringify(chips);
  if (holder.dataset.shown === shown) return;
  holder.dataset.shown = shown;
  holder.replaceChildren(...kept, ...chips.map(chipView));
}

function chipView({ text, mark }) {
  return element('span', { className: 'chip', dataset: mark ? { mark } : {} }, text);
}

function showCounts(byState) {
  for (const tile of counts.children) {
    const count = byState[tile.dataset.state] ?? 0;
    setData(tile, 'count', count);
    setText(tile.lastElementChild, String(count));
  }
}
