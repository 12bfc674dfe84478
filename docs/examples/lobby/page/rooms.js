import { byId, element, setData, setText } from './dom.js';
import { clockTime, endingWords, plural } from './words.js';

const LINES_MAX = 200;
const FOLLOWS_WITHIN_MS = 120_000;
const HOME = 'harbour';

const list = byId('rooms');
const log = byId('lines');
const said = byId('said');
const title = byId('room-title');
const members = byId('room-members');
const membership = byId('membership');
const composer = byId('composer');
const text = byId('text');

/** The rooms: which there are, which this tab is in, and what is said there. */
export class Rooms {
  #wire;
  #outgoing;
  #rooms = new Map();
  #current = HOME;
  /** The names of the rooms that this tab is in, or goes back to. */
  #wanted = new Set([HOME]);
  /** Of this connection and those before it, as long as the same server gave them. */
  #ownIds = new Set();
  #serverStartedAt = 0;
  #isUp = false;
  /** The client takes messages, and keeps them while it has no connection. */
  #takesMessages = true;

  constructor(wire, outgoing) {
    this.#wire = wire;
    this.#outgoing = outgoing;
    membership.addEventListener('click', () => this.#toggleMembership());
    composer.addEventListener('submit', (event) => this.#composerOnSubmit(event));
    this.#draw();
  }

  /** On every new connection, this tab goes back to the rooms it was in. */
  enter(connection) {
    for (const room of this.#wanted) connection.send({ type: 'join', room });
  }

  /** The server has said which rooms there are. */
  welcome({ id, rooms, serverStartedAt }) {
    if (serverStartedAt !== this.#serverStartedAt) this.#ownIds.clear();
    this.#serverStartedAt = serverStartedAt;
    this.#ownIds.add(id);
    for (const name of rooms)
      if (!this.#rooms.has(name)) this.#rooms.set(name, this.#makeRoom(name));
    list.replaceChildren(...Array.from(this.#rooms.values(), ({ button }) => button));
    this.#draw();
  }

  /** Writes down in every room of this tab why it has missed something. */
  tellOutage(text) {
    for (const room of this.#rooms.values()) {
      if (this.#isIn(room)) this.#keep(room, { kind: 'outage', text, at: Date.now() });
    }
  }

  changed({ state }) {
    this.#isUp = state === 'up';
    this.#takesMessages = !['stopping', 'stopped', 'exhausted'].includes(state);
    this.#drawControls();
  }

  /** What the server remembers is added to what was heard here: a server that was started again knows nothing. */
  joined({ room: name, lines }) {
    const room = this.#rooms.get(name);
    const known = new Set(room.lines.map(keyOf));
    for (const line of lines.filter((line) => !known.has(keyOf(line)))) this.#hear(room, line);
    this.#draw();
  }

  line({ room: name, line }) {
    const room = this.#rooms.get(name);
    // Said before the server knew that we leave. It is told again to whoever comes back.
    if (!this.#isIn(room)) return;
    const previous = room.lines.at(-1);
    const heard = this.#hear(room, line);
    if (name === this.#current) this.#append(heard, previous);
    else if (line.kind === 'said') setData(room.button, 'unread', true);
  }

  setMembers(counts) {
    for (const [name, room] of this.#rooms) {
      room.members = counts[name] ?? 0;
      setText(room.count, String(room.members));
    }
    this.#drawMembers();
  }

  #makeRoom(name) {
    const count = element('span', { className: 'room-members' }, '0');
    const button = element('button', { className: 'room', type: 'button' }, name, count);
    button.addEventListener('click', () => {
      this.#current = name;
      this.#draw();
    });
    return { name, count, button, lines: [], members: 0 };
  }

  #isIn({ name }) {
    return this.#wanted.has(name);
  }

  /** Notes now whether we said it: another server may give the same id to somebody else. */
  #hear(room, line) {
    const heard = { ...line, own: this.#ownIds.has(line.id) };
    this.#keep(room, heard);
    if (heard.own && line.kind === 'said') this.#outgoing.heard(room.name, line.text);
    return heard;
  }

  #keep(room, line) {
    room.lines.push(line);
    if (room.lines.length > LINES_MAX) room.lines.shift();
  }

  #toggleMembership() {
    const room = this.#rooms.get(this.#current);
    if (room === undefined) return;
    const { name } = room;
    if (!this.#wanted.delete(name)) this.#wanted.add(name);
    this.#wire.send({ type: this.#isIn(room) ? 'join' : 'leave', room: name });
    this.#draw();
  }

  #composerOnSubmit(event) {
    event.preventDefault();
    const wanted = text.value.trim();
    if (wanted === '') return;
    this.#outgoing.say(this.#current, wanted);
    text.value = '';
  }

  #draw() {
    const room = this.#rooms.get(this.#current);
    for (const { name, button } of this.#rooms.values()) {
      button.ariaCurrent = String(name === this.#current);
    }
    setText(title, this.#current);
    if (room !== undefined) setData(room.button, 'unread', undefined);
    this.#drawControls();
    this.#drawMembers();
    this.#drawLines(room);
    this.#outgoing.show(this.#current);
  }

  #drawControls() {
    const isIn = this.#wanted.has(this.#current);
    setText(membership, isIn ? 'Leave' : 'Join');
    membership.hidden = !this.#isUp;
    // Not while it is only away: whoever is typing goes on, and what is said waits.
    for (const control of composer.elements) control.disabled = !(isIn && this.#takesMessages);
    text.placeholder = this.#invitation(isIn);
  }

  #invitation(isIn) {
    if (!this.#takesMessages) return 'Not connected';
    if (!isIn) return this.#isUp ? 'Join the room to talk' : 'Not connected';
    return this.#isUp ? `Say something in ${this.#current}` : 'Say something; it will wait';
  }

  #drawMembers() {
    const room = this.#rooms.get(this.#current);
    setText(members, room === undefined ? '' : plural(room.members, 'member', 'members'));
  }

  #drawLines(room) {
    if (room === undefined) {
      this.#showEmpty('As soon as this tab is connected, you can hear what is said here.');
    } else if (!this.#isIn(room)) {
      this.#showEmpty('You are not in this room. Join it to hear what is said.');
    } else if (room.lines.length === 0) {
      this.#showEmpty('Nothing has been said here yet. Somebody has to begin.');
    } else {
      said.replaceChildren(...room.lines.map((line, at) => lineView(line, room.lines[at - 1])));
      log.scrollTop = log.scrollHeight;
    }
  }

  #append(line, previous) {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    if (previous === undefined) said.replaceChildren();
    said.append(lineView(line, previous));
    while (said.childElementCount > LINES_MAX) said.firstElementChild.remove();
    if (isAtEnd || line.own) log.scrollTop = log.scrollHeight;
  }

  #showEmpty(sentence) {
    said.replaceChildren(element('li', { className: 'empty' }, sentence));
  }
}

/** What makes a line the same in two answers of the server. */
function keyOf({ kind, id, at, text }) {
  return JSON.stringify([kind, id, at, text]);
}

function lineView(line, previous) {
  if (line.kind === 'outage') return element('li', { className: 'outage' }, line.text);
  return line.kind === 'said' ? saidView(line, previous) : passageView(line);
}

function saidView(line, previous) {
  const { id, name, at } = line;
  const follows =
    previous?.kind === 'said' && previous.id === id && at - previous.at < FOLLOWS_WITHIN_MS;
  const face = element('span', { className: 'line-face', ariaHidden: 'true' }, initial(name));
  face.style.setProperty('--hue', hueOf(name));
  const head = element(
    'p',
    { className: 'line-head' },
    element('span', { className: 'line-name' }, name),
    ...(line.own ? [element('span', { className: 'chip own' }, 'you')] : []),
    element('time', { dateTime: new Date(at).toISOString() }, clockTime(at)),
  );
  const body = element('p', { className: 'line-text' }, line.text);
  const rest = follows ? [head, body] : [element('div', {}, head, body)];
  return element('li', { className: 'line', dataset: { follows } }, face, ...rest);
}

function passageView({ kind, name, text: cause, at }) {
  const words = kind === 'came' ? 'came in' : endingWords(cause);
  return element('li', { className: 'passage', title: clockTime(at) }, `${name} ${words}`);
}

function initial(name) {
  const [first = '?'] = new Intl.Segmenter().segment(name.toUpperCase());
  return first.segment ?? first;
}

/** One colour for one name, in every tab. */
function hueOf(name) {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return String(hash);
}
