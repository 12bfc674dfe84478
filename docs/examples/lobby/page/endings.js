import { byId, element } from './dom.js';
import { clockTime, duration, endingWords, failureWords } from './words.js';

const SHOWN_MAX = 40;

const list = byId('endings');
const empty = byId('endings-empty');

/** How connections ended, newest first. */
export class Endings {
  /** The number of the latest ending that was shown. */
  latest = 0;

  add(ending) {
    if (ending.number <= this.latest) return;
    this.latest = ending.number;
    list.prepend(endingView(ending));
    if (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
    empty.hidden = true;
  }

  /** Shows all endings that the server keeps. A server that has restarted counts from the beginning. */
  replace(endings) {
    this.latest = 0;
    list.replaceChildren();
    empty.hidden = false;
    for (const ending of endings) this.add(ending);
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

function closedFacts({ code, reason, sentCode, origin, clean, openMs }) {
  return [
    fact('code', String(code)),
    ...(reason === '' ? [] : [fact('reason', `“${reason}”`)]),
    ...(sentCode === undefined ? [] : [fact('server sent', String(sentCode))]),
    fact('origin', origin),
    fact('clean', clean ? 'yes' : 'no'),
    fact('open for', duration(openMs)),
  ];
}

function failedFacts({ phase, httpStatus, address }) {
  return [
    fact('never opened', ''),
    fact('phase', phase),
    ...(httpStatus === undefined ? [] : [fact('HTTP', String(httpStatus))]),
    fact('from', address),
  ];
}

function fact(label, value) {
  return element('span', { className: 'fact' }, `${label} `, element('b', {}, value));
}
