import { byId, element, setData, setText } from './dom.js';
import { byteCount, clockTime, duration, endingWords, ticking } from './words.js';
import { workerView } from './workers.js';

/** How long a row stays after the end of its connection, and how long it fades. */
const ENDED_ROW_MS = 7_000;
const FADE_MS = 600;

const table = byId('connection-table');
const body = byId('connection-rows');
const empty = byId('connection-table-empty');
const hint = byId('connection-table-hint');
const counts = byId('counts');

/** The labels of the substates that get a mark. Normal substates get none. */
const markLabels = new Map([
  ['welcoming', 'welcoming'],
  ['suspect', 'suspect'],
  ['asleep', 'asleep'],
  ['congested', 'congested'],
  ['local', 'by server'],
  ['peer', 'by peer'],
  ['forced', 'terminated'],
  ['reaping', 'socket gone'],
]);

/** The live table: one row for each connection, which stays for a while after the connection has ended. */
export class ConnectionTable {
  #rows = new Map();
  #ownId = '';
  #isLive = true;
  /** How far the clock of the server is ahead of the clock of this page. */
  #aheadMs = 0;

  constructor() {
    setInterval(() => this.#tick(), 1_000);
  }

  /** Clears the table: a server that has restarted gives the same ids to other connections. */
  welcome({ id }) {
    this.#ownId = id;
    this.#rows.clear();
    body.replaceChildren();
  }

  /** While this tab is not connected, the table is not updated. */
  setLive(isLive) {
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    setData(table, 'stale', isLive ? undefined : true);
    const stopped = `not connected: as of ${clockTime(Date.now())}`;
    setText(hint, isLive ? 'live, as the server sees them' : stopped);
  }

  /** Shows a snapshot of all connections. */
  show({ at, counts: byState, connections }) {
    this.#aheadMs = at - Date.now();
    setData(table, 'shared', connections.some(({ worker }) => worker !== '') || undefined);
    showCounts(byState);
    const known = new Set(connections.map(({ id }) => id));
    for (const row of [...this.#rows.values()]) {
      if (!known.has(row.id) && !row.isEnded) this.#remove(row);
    }
    for (const connection of connections) this.#rowOf(connection).show(connection);
    this.#tick();
  }

  /** A connection has ended: its row shows how, and is removed after a while. */
  end({ outcome, id, cause, openMs }) {
    const row = this.#rows.get(id);
    if (outcome !== 'closed' || row === undefined || row.isEnded) return;
    row.end(cause, openMs);
    setTimeout(() => setData(row.tr, 'leaving', true), ENDED_ROW_MS);
    setTimeout(() => this.#remove(row), ENDED_ROW_MS + FADE_MS);
  }

  #rowOf({ id }) {
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    const row = new Row(id, id === this.#ownId);
    this.#rows.set(id, row);
    this.#place(row);
    return row;
  }

  /** The row of this tab comes first, then the newest. */
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
  isEnded = false;
  #openedAt = 0;
  #peer;
  #state = element('div', { className: 'connection-state' });
  #topics = element('div', { className: 'connection-topics' });
  #address = element('span', { className: 'connection-address' });
  #worker = element('div', { className: 'connection-worker' });
  #age = element('span');
  #buffered = element('span');

  constructor(id, isOwn) {
    this.id = id;
    this.#peer = element('div', { className: 'connection-peer' });
    this.tr = element('tr', { className: 'connection', dataset: { id } });
    this.tr.append(
      cell('Connection', this.#peer),
      cell('State', this.#state),
      cell('Topics', this.#topics),
      cell('Address', this.#address, 'address'),
      cell('Worker', this.#worker, 'on-worker'),
      cell('Open for', this.#age, 'number'),
      cell('Buffered', this.#buffered, 'number'),
    );
    if (isOwn) setData(this.tr, 'own', true);
  }

  show(connection) {
    if (this.isEnded) return;
    this.#openedAt = connection.openedAt;
    this.#showPeer(connection);
    this.#showState(connection.state, chipsOf(connection));
    replaceChips(
      this.#topics,
      connection.topics.map((topic) => ({ text: topic })),
    );
    setText(this.#address, connection.address);
    if (this.#worker.childElementCount === 0) this.#worker.append(workerView(connection.worker));
    setText(this.#buffered, byteCount(connection.bufferedBytes));
  }

  end(cause, openMs) {
    this.isEnded = true;
    this.#showState('closed', []);
    delete this.#topics.dataset.shown;
    setText(this.#topics, endingWords(cause));
    setText(this.#age, duration(openMs));
    setText(this.#buffered, '–');
  }

  tick(now) {
    if (!this.isEnded) setText(this.#age, ticking(now - this.#openedAt));
  }

  #showPeer({ id, name, guest }) {
    if (this.#peer.childElementCount > 0) return;
    const isOwn = this.tr.dataset.own !== undefined;
    const badge = isOwn ? 'this tab' : guest && 'guest';
    this.#peer.append(
      element('span', { className: 'connection-name' }, name),
      element('span', { className: 'connection-id' }, id),
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
    replaceChips(this.#state, chips, pill);
  }

  /** Highlights a row whose state has just changed. */
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
    .filter((mark) => markLabels.has(mark))
    .map((mark) => ({ mark, text: markLabels.get(mark) }));
  if (state !== 'open') return chips;
  if (droppedMessages > 0) chips.push({ mark: 'dropped', text: `${droppedMessages} dropped` });
  if (invalidMessages > 0) chips.push({ mark: 'invalid', text: `${invalidMessages} invalid` });
  return chips;
}

/** Replaces the chips if they differ. The `kept` nodes stay in front of them. */
function replaceChips(holder, chips, ...kept) {
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
