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
  #rooms = new Map();
  #current = HOME;
  #ownId = '';
  #isOpen = false;

  constructor(wire) {
    this.#wire = wire;
    membership.addEventListener('click', () => this.#toggleMembership());
    composer.addEventListener('submit', (event) => this.#composerOnSubmit(event));
  }

  /** The server has said which rooms there are; this tab goes back to those it was in. */
  welcome({ id, rooms }) {
    this.#ownId = id;
    for (const name of rooms)
      if (!this.#rooms.has(name)) this.#rooms.set(name, this.#makeRoom(name));
    list.replaceChildren(...Array.from(this.#rooms.values(), ({ button }) => button));
    for (const [room, { wanted }] of this.#rooms)
      if (wanted) this.#wire.send({ type: 'join', room });
    this.#draw();
  }

  /** The connection is open, or is not. */
  setOpen(isOpen) {
    this.#isOpen = isOpen;
    if (!isOpen) for (const room of this.#rooms.values()) room.joined = false;
    this.#draw();
  }

  joined({ room: name, lines }) {
    this.#rooms.get(name).joined = true;
    this.#rooms.get(name).lines = lines;
    this.#draw();
  }

  left({ room: name }) {
    this.#rooms.get(name).joined = false;
    this.#draw();
  }

  line({ room: name, line }) {
    const room = this.#rooms.get(name);
    const previous = room.lines.at(-1);
    room.lines.push(line);
    if (room.lines.length > LINES_MAX) room.lines.shift();
    if (name === this.#current) this.#append(line, previous);
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
    return { name, count, button, lines: [], members: 0, joined: false, wanted: name === HOME };
  }

  #toggleMembership() {
    const room = this.#rooms.get(this.#current);
    if (room === undefined) return;
    room.wanted = !room.joined;
    this.#wire.send({ type: room.joined ? 'leave' : 'join', room: room.name });
  }

  #composerOnSubmit(event) {
    event.preventDefault();
    const wanted = text.value.trim();
    if (wanted !== '' && this.#wire.send({ type: 'say', room: this.#current, text: wanted })) {
      text.value = '';
    }
  }

  #draw() {
    const room = this.#rooms.get(this.#current);
    for (const { name, button } of this.#rooms.values()) {
      button.ariaCurrent = String(name === this.#current);
    }
    const isIn = room?.joined === true;
    setText(title, this.#current);
    setText(membership, isIn ? 'Leave' : 'Join');
    membership.hidden = !this.#isOpen;
    for (const control of composer.elements) control.disabled = !isIn;
    text.placeholder = this.#invitation(isIn);
    if (room !== undefined) setData(room.button, 'unread', undefined);
    this.#drawMembers();
    this.#drawLines(room);
  }

  #invitation(isIn) {
    if (!this.#isOpen) return 'Not connected';
    return isIn ? `Say something in ${this.#current}` : 'Join the room to talk';
  }

  #drawMembers() {
    const room = this.#rooms.get(this.#current);
    setText(members, room === undefined ? '' : plural(room.members, 'member', 'members'));
  }

  #drawLines(room) {
    if (room === undefined) {
      this.#showEmpty('As soon as this tab is connected, you can hear what is said here.');
    } else if (!room.joined && this.#isOpen) {
      this.#showEmpty('You are not in this room. Join it to hear what is said.');
    } else if (room.lines.length === 0) {
      this.#showEmpty('Nothing has been said here yet. Somebody has to begin.');
    } else {
      said.replaceChildren(
        ...room.lines.map((line, at) => lineView(line, room.lines[at - 1], this.#ownId)),
      );
      log.scrollTop = log.scrollHeight;
    }
  }

  #append(line, previous) {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    if (previous === undefined) said.replaceChildren();
    said.append(lineView(line, previous, this.#ownId));
    while (said.childElementCount > LINES_MAX) said.firstElementChild.remove();
    if (isAtEnd || line.id === this.#ownId) log.scrollTop = log.scrollHeight;
  }

  #showEmpty(sentence) {
    said.replaceChildren(element('li', { className: 'empty' }, sentence));
  }
}

function lineView(line, previous, ownId) {
  return line.kind === 'said' ? saidView(line, previous, ownId) : passageView(line);
}

function saidView(line, previous, ownId) {
  const { id, name, at } = line;
  const follows =
    previous?.kind === 'said' && previous.id === id && at - previous.at < FOLLOWS_WITHIN_MS;
  const face = element('span', { className: 'line-face', ariaHidden: 'true' }, initial(name));
  face.style.setProperty('--hue', hueOf(name));
  const head = element(
    'p',
    { className: 'line-head' },
    element('span', { className: 'line-name' }, name),
    ...(id === ownId ? [element('span', { className: 'chip own' }, 'you')] : []),
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
