import { byId, element, setData, setText } from './dom.js';
import { QUEUE_MAX } from './lobby-client.js';
import { toast } from './toasts.js';

const list = byId('outgoing');
const log = byId('lines');

const PERHAPS_LOST = 'sent just before the connection was lost; it may not have arrived';

/** The states of a message that this tab has sent and not received back: its own, and results of the client. */
const states = new Map([
  ['sending', ''],
  ['sent', ''],
  ['waiting', 'queued'],
  ['lost', PERHAPS_LOST],
  ['connection-lost', PERHAPS_LOST],
  ['queue-full', `dropped: at most ${QUEUE_MAX} messages are queued`],
  ['stopped', 'not sent: this tab has disconnected'],
  ['refused', 'not sent: this tab is not connected'],
]);
const unsent = ['queue-full', 'stopped', 'refused'];
const pending = ['sending', 'sent', 'waiting'];

/** The messages of this tab that the server has not published yet. */
export class Outgoing {
  #client;
  #showQueued;
  #posts = new Map();
  #room = '';
  #isUp = false;

  constructor(client, showQueued) {
    this.#client = client;
    this.#showQueued = showQueued;
  }

  say(room, text) {
    const message = { type: 'say', room, text };
    this.#posts.set(message, this.#makePost(message));
    this.#draw();
    log.scrollTop = log.scrollHeight;
    void this.#client.post(message);
  }

  /** The client has a result for a message. */
  settled(message, result) {
    const post = this.#posts.get(message);
    if (post === undefined) return;
    setState(post, result);
    if (result === 'queue-full') toast('warn', `“${message.text}” was ${states.get(result)}.`);
    this.#draw();
  }

  /** When the connection ends, messages that were sent may be lost, and messages in the client are queued. */
  changed({ state }) {
    const isUp = state === 'up';
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (isUp) return;
    for (const post of this.#posts.values()) {
      if (post.state === 'sent') setState(post, 'lost');
      if (post.state === 'sending') setState(post, 'waiting');
    }
    this.#draw();
  }

  /** A message of this tab was published in a room. */
  received(room, text) {
    for (const { message, state } of this.#posts.values()) {
      if (message.room !== room || message.text !== text || unsent.includes(state)) continue;
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
    const words = element('span');
    const again = element('button', { className: 'link', type: 'button' }, 'Send again');
    const discard = element('button', { className: 'link', type: 'button' }, 'Discard');
    const view = element(
      'li',
      { className: 'outgoing' },
      element('p', { className: 'outgoing-text' }, message.text),
      element('p', { className: 'outgoing-state' }, words, again, discard),
    );
    again.addEventListener('click', () => {
      this.#posts.delete(message);
      this.say(message.room, message.text);
    });
    discard.addEventListener('click', () => {
      this.#posts.delete(message);
      this.#draw();
    });
    return setState({ message, view, words }, this.#isUp ? 'sending' : 'waiting');
  }

  #draw() {
    const posts = [...this.#posts.values()];
    list.replaceChildren(
      ...posts.filter(({ message }) => message.room === this.#room).map(({ view }) => view),
    );
    this.#showQueued(posts.filter(({ state }) => state === 'waiting').length);
  }
}

function setState(post, state) {
  post.state = state;
  setData(post.view, 'delivery', pending.includes(state) ? state : 'given-up');
  setText(post.words, states.get(state));
  return post;
}
