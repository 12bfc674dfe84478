import { byId, element, setData, setText } from './dom.js';
import { toast } from './toasts.js';
import { WAITING_MAX } from './wire.js';

const list = byId('outgoing');
const log = byId('lines');

const PERHAPS_LOST = 'left as the connection broke; perhaps it never arrived';

/** What became of a message that this tab has posted and not heard back. */
const fates = new Map([
  ['sending', ''],
  ['sent', ''],
  ['waiting', 'waits'],
  ['lost', PERHAPS_LOST],
  ['connection-lost', PERHAPS_LOST],
  ['queue-full', `dropped: no more than ${WAITING_MAX} may wait`],
  ['stopped', 'not sent: this tab is not connected any more'],
  ['refused', 'not sent: this tab is not connected'],
]);
const neverLeft = ['queue-full', 'stopped', 'refused'];
const onTheWay = ['sending', 'sent', 'waiting'];

/** What was said in this tab and has not come back from the server yet. */
export class Outgoing {
  #wire;
  #tellWaiting;
  #posts = new Map();
  #room = '';
  #isUp = false;

  constructor(wire, tellWaiting) {
    this.#wire = wire;
    this.#tellWaiting = tellWaiting;
  }

  say(room, text) {
    const message = { type: 'say', room, text };
    this.#posts.set(message, this.#makePost(message));
    this.#draw();
    log.scrollTop = log.scrollHeight;
    void this.#wire.post(message);
  }

  /** The client says what became of a message. */
  settled(message, fate) {
    const post = this.#posts.get(message);
    if (post === undefined) return;
    setFate(post, fate);
    if (fate === 'queue-full') toast('warn', `A message was ${fates.get(fate)}: “${message.text}”`);
    this.#draw();
  }

  /** The connection is open, or is not: what was on its way then may be lost. */
  changed({ state }) {
    const isUp = state === 'up';
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (isUp) return;
    for (const post of this.#posts.values()) {
      if (post.fate === 'sent') setFate(post, 'lost');
      if (post.fate === 'sending') setFate(post, 'waiting');
    }
    this.#draw();
  }

  /** Something of ours has arrived in a room. */
  heard(room, text) {
    for (const { message, fate } of this.#posts.values()) {
      if (message.room !== room || message.text !== text || neverLeft.includes(fate)) continue;
      this.#posts.delete(message);
      this.#draw();
      return;
    }
  }

  show(room) {
    this.#room = room;
    this.#draw();
  }

  #makePost(message) {
    const fate = element('span', { className: 'fate' });
    const again = element('button', { className: 'link', type: 'button' }, 'Say it again');
    const discard = element('button', { className: 'link', type: 'button' }, 'Discard');
    const view = element(
      'li',
      { className: 'outgoing' },
      element('p', { className: 'outgoing-text' }, message.text),
      element('p', { className: 'fate-line' }, fate, again, discard),
    );
    again.addEventListener('click', () => {
      this.#posts.delete(message);
      this.say(message.room, message.text);
    });
    discard.addEventListener('click', () => {
      this.#posts.delete(message);
      this.#draw();
    });
    return setFate({ message, view, words: fate }, this.#isUp ? 'sending' : 'waiting');
  }

  #draw() {
    const posts = [...this.#posts.values()];
    list.replaceChildren(
      ...posts.filter(({ message }) => message.room === this.#room).map(({ view }) => view),
    );
    this.#tellWaiting(posts.filter(({ fate }) => fate === 'waiting').length);
  }
}

function setFate(post, fate) {
  post.fate = fate;
  setData(post.view, 'fate', onTheWay.includes(fate) ? fate : 'given-up');
  setText(post.words, fates.get(fate));
  return post;
}
