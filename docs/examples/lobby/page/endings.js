import { byId, element } from './dom.js';
import { clockTime, duration, endingWords, failureWords } from './words.js';

const SHOWN_MAX = 40;
const KNOWN_MAX = 1_000;

const list = byId('endings');
const empty = byId('endings-empty');

/** How connections ended, newest first. */
export class Endings {
  /** The ids of the connections whose endings were shown. */
  #shown = new Set();
  /** The ids of those that were missed. */
  #missed = new Set();

  add(ending) {
    if (!addNew(this.#shown, ending.id)) return;
    list.prepend(endingView(ending));
    if (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
    empty.hidden = true;
  }

  /** Shows all endings that the server keeps. */
  replace(endings) {
    this.#shown.clear();
    list.replaceChildren();
    empty.hidden = false;
    for (const ending of endings) this.add(ending);
  }

  /** Whether the connection that ended last is not here. Says so once: the worker of this tab may not know it either. */
  hasMissed(id) {
    return id !== '' && !this.#shown.has(id) && addNew(this.#missed, id);
  }
}

/** Adds an id to those that are known, of which it keeps the latest. Returns whether it is new. */
function addNew(known, id) {
  if (known.has(id)) return false;
  known.add(id);
  if (known.size > KNOWN_MAX) known.delete(known.values().next().value);
  return true;
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
