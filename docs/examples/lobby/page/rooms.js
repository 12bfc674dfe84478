import { byId, element, setData, setText } from './dom.js';
import { OutageNote } from './outage.js';
import { toast } from './toasts.js';
import { clockTime, endingWords, plural } from './words.js';

const LINES_MAX = 200;
const FOLLOWS_WITHIN_MS = 120_000;
const HOME = 'harbour';
const NOTE_MARGIN_PX = 14;

const list = byId('rooms');
const log = byId('lines');
const linesList = byId('line-list');
const title = byId('room-title');
const members = byId('room-members');
const membership = byId('membership');
const composer = byId('composer');
const text = byId('text');

/** The rooms, their lines, and which of them this tab is in. */
export class Rooms {
  #client;
  #outgoing;
  #rooms = new Map();
  #current = HOME;
  /** The rooms that this tab is in, and that it joins again after a reconnect. */
  #joined = new Set([HOME]);
  #isUp = false;
  /** Whether the client accepts messages. While it is not connected, it queues them. */
  #acceptsMessages = true;

  constructor(client, outgoing) {
    this.#client = client;
    this.#outgoing = outgoing;
    membership.addEventListener('click', () => this.#toggleMembership());
    composer.addEventListener('submit', (event) => this.#composerOnSubmit(event));
    this.#draw();
  }

  /** Joins the rooms of this tab on a new connection. */
  rejoin(connection) {
    for (const room of this.#joined) connection.send({ type: 'join', room });
  }

  /** Shows the rooms that the server has. */
  welcome({ rooms }) {
    for (const name of rooms)
      if (!this.#rooms.has(name)) this.#rooms.set(name, this.#makeRoom(name));
    list.replaceChildren(...Array.from(this.#rooms.values(), ({ button }) => button));
    this.#draw();
  }

  /** Adds a note to every room of this tab. It does not say yet what was missed there. */
  addOutage(summary, at) {
    for (const room of this.#rooms.values()) {
      if (this.#isIn(room)) room.outage = this.#addNote(room, summary, at);
    }
  }

  /** Whether this tab gets everything that it missed in a room. If so, that comes next. If not, it loads the latest lines. */
  recovered({ topic, recovered, cause }) {
    const room = this.#rooms.get(topic);
    // A tab can be told that messages are lost although it was not away. A tab that is new to a room has missed nothing.
    const note = room.outage ?? (recovered || cause === 'first' ? undefined : this.#addNote(room));
    note?.recovered(cause);
    room.outage = undefined;
    room.resumed = recovered ? note : undefined;
    if (!recovered) void this.#load(room, cause);
    this.#draw();
  }

  changed({ state }) {
    this.#isUp = state === 'up';
    this.#acceptsMessages = !['stopping', 'stopped', 'exhausted'].includes(state);
    this.#drawControls();
  }

  /** Adds the latest lines. Lines that arrive meanwhile wait: they are newer, and the server may have sent them twice. */
  async #load(room, cause) {
    room.waiting ??= [];
    const loading = this.#client.latest(room.name).catch(() => this.#notLoaded(room));
    room.loading = loading;
    const lines = await loading;
    // It must be loaded anew already.
    if (loading !== room.loading) return;
    // The tab had left the room, and more was said since then than the lobby remembers.
    if (cause === 'first' && !adjoins(lines, room.lines)) this.#addNote(room).recovered('expired');
    const { waiting } = room;
    room.waiting = undefined;
    for (const line of [...lines, ...waiting]) this.#receive(room, line);
    this.#draw();
  }

  #notLoaded(room) {
    const text = `The latest messages of ${room.name} could not be loaded.`;
    if (this.#isIn(room)) toast('warn', text);
    return [];
  }

  line({ room: name, line }) {
    const room = this.#rooms.get(name);
    // It was sent before the server received `leave`. This tab loads it when it joins again.
    if (!this.#isIn(room)) return;
    if (room.waiting !== undefined) {
      room.waiting.push(line);
      return;
    }
    const previous = room.lines.at(-1);
    const received = this.#receive(room, line);
    if (received === undefined) return;
    if (name === this.#current) this.#append(room, received, previous);
    else if (line.kind === 'message') setData(room.button, 'unread', true);
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
    return this.#joined.has(name);
  }

  /** Keeps a line. Returns nothing if this tab has it already. */
  #receive(room, line) {
    const own = this.#outgoing.received(line.id);
    if (room.lines.some(({ id }) => id === line.id)) return undefined;
    const received = { ...line, own };
    received.missed = room.resumed?.count(received) ?? false;
    this.#keep(room, received);
    return received;
  }

  #addNote(room, summary = '', backAt = 0) {
    const note = new OutageNote(summary, backAt);
    this.#keep(room, note);
    return note;
  }

  #keep(room, line) {
    room.lines.push(line);
    if (room.lines.length > LINES_MAX) room.lines.shift();
  }

  #toggleMembership() {
    const room = this.#rooms.get(this.#current);
    if (room === undefined) return;
    const { name } = room;
    if (!this.#joined.delete(name)) this.#joined.add(name);
    this.#client.send({ type: this.#isIn(room) ? 'join' : 'leave', room: name });
    this.#draw();
  }

  #composerOnSubmit(event) {
    event.preventDefault();
    const message = text.value.trim();
    if (message === '') return;
    this.#outgoing.say(this.#current, message);
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
    const isIn = this.#joined.has(this.#current);
    setText(membership, isIn ? 'Leave' : 'Join');
    membership.hidden = !this.#isUp;
    // They stay enabled during an outage: the client queues messages.
    for (const control of composer.elements) control.disabled = !(isIn && this.#acceptsMessages);
    text.placeholder = this.#placeholder(isIn);
  }

  #placeholder(isIn) {
    if (!this.#acceptsMessages) return 'Not connected';
    if (!isIn) return this.#isUp ? 'Join the room to write' : 'Not connected';
    return this.#isUp ? `Message to ${this.#current}` : 'Message (queued for now)';
  }

  #drawMembers() {
    const room = this.#rooms.get(this.#current);
    setText(members, room === undefined ? '' : plural(room.members, 'member', 'members'));
  }

  #drawLines(room) {
    if (room === undefined) {
      this.#showEmpty('Messages appear here when this tab is connected.');
    } else if (!this.#isIn(room)) {
      this.#showEmpty('You are not in this room. Join it to see its messages.');
    } else if (room.lines.length === 0) {
      this.#showEmpty('Loading the latest messages …');
    } else {
      linesList.replaceChildren(
        ...room.lines.map((line, at) => lineView(line, room.lines[at - 1])),
      );
      log.scrollTop = log.scrollHeight;
    }
  }

  #append(room, line, previous) {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    if (previous === undefined) linesList.replaceChildren();
    linesList.append(lineView(line, previous));
    while (linesList.childElementCount > LINES_MAX) linesList.firstElementChild.remove();
    if (!isAtEnd && !line.own) return;
    // The note stays in sight above what was missed.
    const note = room.resumed?.view.offsetTop - log.offsetTop - NOTE_MARGIN_PX;
    log.scrollTop = line.missed ? note : log.scrollHeight;
  }

  #showEmpty(sentence) {
    linesList.replaceChildren(element('li', { className: 'empty' }, sentence));
  }
}

/** Whether nothing is missing between the lines that a tab has and those that it has loaded. */
function adjoins(loaded, lines) {
  const ids = new Set(loaded.map(({ id }) => id));
  return lines.every(({ kind }) => kind === 'outage') || lines.some(({ id }) => ids.has(id));
}

function lineView(line, previous) {
  if (line.kind === 'outage') return line.view;
  return line.kind === 'message' ? messageView(line, previous) : presenceView(line);
}

function messageView(line, previous) {
  const { from, name, at } = line;
  const follows =
    previous?.kind === 'message' && previous.from === from && at - previous.at < FOLLOWS_WITHIN_MS;
  const avatar = element('span', { className: 'line-avatar', ariaHidden: 'true' }, initial(name));
  avatar.style.setProperty('--hue', hueOf(name));
  const head = element(
    'p',
    { className: 'line-head' },
    element('span', { className: 'line-name' }, name),
    ...(line.own ? [element('span', { className: 'chip own' }, 'you')] : []),
    element('time', { dateTime: new Date(at).toISOString() }, clockTime(at)),
  );
  const body = element('p', { className: 'line-text' }, line.text);
  const rest = follows ? [head, body] : [element('div', {}, head, body)];
  const { missed } = line;
  return element('li', { className: 'line', dataset: { follows, missed } }, avatar, ...rest);
}

function presenceView({ kind, name, text: cause, at }) {
  const words = kind === 'joined' ? 'joined' : endingWords(cause);
  return element('li', { className: 'presence', title: clockTime(at) }, `${name} ${words}`);
}

function initial(name) {
  const [first = '?'] = new Intl.Segmenter().segment(name.toUpperCase());
  return first.segment ?? first;
}

/** The hue of a name, the same in every tab. */
function hueOf(name) {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return String(hash);
}
