import { byId, element } from './dom.js';
import { clockTime, duration, endingWords, failureWords } from './words.js';

const SHOWN_MAX = 40;
const KNOWN_MAX = 1_000;

const list = byId('endings');
const empty = byId('endings-empty');

/** How connections ended, newest first. */
export class Endings {
  /** The ids of the connections whose endings were shown, or were asked for. */
  #known = new Set();

  add(ending) {
    if (this.#knows(ending.id)) return;
    list.prepend(endingView(ending));
    if (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
    empty.hidden = true;
  }

  /** Shows all endings that the server keeps. A server that has restarted may give the same ids to other connections. */
  replace(endings) {
    this.#known.clear();
    list.replaceChildren();
    empty.hidden = false;
    for (const ending of endings) this.add(ending);
  }

  /** Whether the connection that ended last is not here. Says so once, because the server may not know it either. */
  hasMissed(id) {
    return id !== '' && !this.#knows(id);
  }

  /** Whether an id was known. From now on it is. */
  #knows(id) {
    if (this.#known.has(id)) return true;
    this.#known.add(id);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.values().next().value);
    return false;
  }
}

function endingView(ending) {
  const { outcome, id, level, cause, at } = ending;
  const isClosed = outcome === 'closed';
  const sentence = element(
    'p',
    { className: 'ending-sentence' },
    element('b', {}, isClosed ? ending.name : 'A client'),
    ` ${isClosed ? endingWords(cause) : failureWords(cause)} `,
    element('span', { className: 'tag' }, id),
  );
  const time = element('time', { dateTime: new Date(at).toISOString() }, clockTime(at));
  const facts = element(
    'p',
    { className: 'facts' },
    element('span', { className: 'chip', dataset: { level } }, cause),
    ...(isClosed ? closedFacts(ending) : failedFacts(ending)),
  );
  return element(
    'li',
    { className: 'ending', dataset: { level, cause, outcome } },
    sentence,
    time,
    facts,
  );
}

function closedFacts({ code, reason, sentCode, origin, clean, openMs, worker }) {
  return [
    fact('code', String(code)),
    ...(reason === '' ? [] : [fact('reason', `“${reason}”`)]),
    ...(sentCode === undefined ? [] : [fact('server sent', String(sentCode))]),
    fact('origin', origin),
    fact('clean', clean ? 'yes' : 'no'),
    fact('open for', duration(openMs)),
    ...workerFact(worker),
  ];
}

function failedFacts({ phase, httpStatus, address, worker }) {
  return [
    fact('never opened', ''),
    fact('phase', phase),
    ...(httpStatus === undefined ? [] : [fact('HTTP', String(httpStatus))]),
    fact('from', address),
    ...workerFact(worker),
  ];
}

function workerFact(worker) {
  return worker === '' ? [] : [fact('on', worker)];
}

function fact(label, value) {
  return element('span', { className: 'fact' }, `${label} `, element('b', {}, value));
}
