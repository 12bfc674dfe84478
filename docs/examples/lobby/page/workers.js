import { byId, element, setData, setText } from './dom.js';
import { plural } from './words.js';

/** A worker that publishes nothing for so long is gone: each publishes once a second. */
const SILENT_MS = 3_500;
const CHECK_MS = 500;

const strip = byId('workers');
const list = byId('worker-list');
const ownWorker = byId('own-worker');
const ownBus = byId('own-bus');
const hint = byId('workers-hint');
const hintWords = hint.textContent;

const busWords = new Map([
  ['alone', 'supervisor.bus: this lobby is one process'],
  ['connecting', 'supervisor.bus: the worker of this tab has not reached the nats-server yet'],
  ['up', 'supervisor.bus: the worker of this tab reaches the others'],
  ['down', 'supervisor.bus: the worker of this tab does not reach the others'],
]);

/** The processes of the lobby. Each publishes its own connections, and this tab puts them together. */
export class Workers {
  #show;
  /** The latest snapshot of each worker, and when it arrived, by the id of the worker. */
  #heard = new Map();
  #ownId = '';
  #isLive = false;

  /** @param show - is called with all workers as one snapshot, whenever it changes. */
  constructor(show) {
    this.#show = show;
    setInterval(() => this.#dropSilent(), CHECK_MS);
  }

  welcome({ worker }) {
    this.#ownId = worker.id;
    this.#heard.clear();
    ownWorker.hidden = worker.name === '';
    showWorker(ownWorker, worker.name);
  }

  /** While this tab is not connected, no worker can be heard. */
  setLive(isLive) {
    this.#isLive = isLive;
    for (const node of [strip, ownWorker, ownBus])
      setData(node, 'stale', isLive ? undefined : true);
  }

  snapshot(snapshot) {
    const { id } = snapshot.worker;
    this.#heard.set(id, { snapshot, at: performance.now() });
    if (id === this.#ownId) showBus(snapshot.bus);
    this.#draw();
  }

  gone({ worker }) {
    if (this.#heard.delete(worker)) this.#draw();
  }

  /** The own worker stays: it publishes nothing to this tab while the tab is congested. */
  #dropSilent() {
    if (!this.#isLive) return;
    const silent = [...this.#heard.values()]
      .filter(({ at }) => performance.now() - at > SILENT_MS)
      .map(({ snapshot }) => snapshot.worker.id)
      .filter((id) => id !== this.#ownId);
    for (const id of silent) this.#heard.delete(id);
    if (silent.length > 0) this.#draw();
  }

  #draw() {
    const snapshots = Array.from(this.#heard.values(), ({ snapshot }) => snapshot);
    snapshots.sort((one, other) => byName.compare(one.worker.name, other.worker.name));
    strip.hidden = snapshots.every(({ worker }) => worker.name === '');
    list.replaceChildren(...snapshots.map((snapshot) => this.#tileView(snapshot)));
    this.#show(merged(snapshots));
  }

  #tileView({ worker, connections }) {
    const isOwn = worker.id === this.#ownId;
    return element(
      'li',
      { className: 'worker-tile', dataset: { worker: worker.name, own: isOwn } },
      workerView(worker.name),
      ...(isOwn ? [element('span', { className: 'chip own' }, 'this tab')] : []),
      element('span', {}, plural(connections.length, 'connection', 'connections')),
      element('span', { className: 'worker-process' }, `process ${worker.pid}`),
    );
  }
}

const byName = new Intl.Collator(undefined, { numeric: true });

/** The name of a worker behind a dot in its colour. */
export function workerView(name) {
  return showWorker(element('span', { className: 'worker' }), name);
}

function showWorker(node, name) {
  setText(node, name);
  // By the golden angle, neighbours differ most.
  const number = Number(/\d+$/.exec(name)?.[0] ?? 0);
  node.style.setProperty('--hue', String((number * 137 + 60) % 360));
  return node;
}

function showBus(bus) {
  ownBus.hidden = false;
  setText(ownBus, `bus ${bus}`);
  setText(
    hint,
    bus === 'up' ? hintWords : 'The bus is not up: this worker does not hear the others.',
  );
  setData(ownBus, 'bus', bus);
  ownBus.title = busWords.get(bus);
}

/** One snapshot of all workers. */
function merged(snapshots) {
  return {
    at: Math.max(...snapshots.map(({ at }) => at)),
    counts: sums(snapshots.map(({ counts }) => counts)),
    members: sums(snapshots.map(({ members }) => members)),
    guests: sums(snapshots.map(({ guests }) => guests)),
    connections: snapshots.flatMap(({ worker, connections }) =>
      connections.map((connection) => ({ ...connection, worker: worker.name })),
    ),
  };
}

/** Adds up numbers that have the same name. */
function sums(records) {
  const total = {};
  for (const [name, number] of records.flatMap(Object.entries)) {
    total[name] = (total[name] ?? 0) + number;
  }
  return total;
}
