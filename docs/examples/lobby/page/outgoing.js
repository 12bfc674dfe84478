import { byId, element, setData, setText } from './dom.js';
import { QUEUE_MAX } from './lobby-client.js';
import { toast } from './toasts.js';

const list = byId('outgoing');
const log = byId('lines');

const PERHAPS_LOST = 'sent just before the connection was lost; it is sent again';

/** The states of a message that this tab has sent and not received back: its own, and results of the client. */
const states = new Map([
  ['sending', ''],
  ['sent', ''],
  ['waiting', 'queued'],
  ['lost', PERHAPS_LOST],
  ['connection-lost', PERHAPS_LOST],
  ['unconfirmed', 'not confirmed: the lobby does not know whether it has kept this'],
  ['queue-full', `dropped: at most ${QUEUE_MAX} messages are queued`],
  ['stopped', 'not sent: this tab has disconnected'],
  ['refused', 'not sent: this tab is not connected'],
]);
const perhapsLost = ['sent', 'lost', 'connection-lost'];
const pending = ['sending', 'waiting', ...perhapsLost];

/** The messages of this tab that the lobby has not kept yet, as far as this tab knows. */
export class Outgoing {
  #client;
  #showQueued;
  /** By their ids, which this tab chooses: a message that the lobby gets twice is shown once. */
  #posts = new Map();
  /** The ids of all messages of this tab. */
  #said = new Set();
  #room = '';
  #isUp = false;

  constructor(client, showQueued) {
    this.#client = client;
    this.#showQueued = showQueued;
  }

  say(room, text) {
    this.#send({ type: 'say', room, id: crypto.randomUUID(), text });
  }

  #send(message) {
    this.#said.add(message.id);
    this.#posts.set(message.id, this.#makePost(message));
    this.#draw();
    log.scrollTop = log.scrollHeight;
    void this.#client.post(message);
  }

  /** Sends what may not have arrived again, on a new connection and before what is queued. */
  repeat(connection) {
    for (const post of this.#posts.values()) {
      if (!perhapsLost.includes(post.state)) continue;
      connection.send(post.message);
      setState(post, 'sent');
    }
    this.#draw();
  }

  /** The client has a result for a message, or the lobby for the message with this id. */
  settled({ id, text }, result) {
    const post = this.#posts.get(id);
    if (post === undefined) return;
    setState(post, result);
    if (result === 'queue-full') toast('warn', `“${text}” was ${states.get(result)}.`);
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

  /** A line has arrived. Returns whether it is a message of this tab. */
  received(id) {
    if (this.#posts.delete(id)) this.#draw();
    return this.#said.has(id);
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
      this.#posts.delete(message.id);
      this.#send(message);
    });
    discard.addEventListener('click', () => {
      this.#posts.delete(message.id);
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
