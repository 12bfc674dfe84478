import { byId, element, setText } from './dom.js';

const FLOOD_MESSAGES = 400;
const OVERSIZE_BYTES = 100_000;

/** What this tab does itself. `outcome` is the cause and code, or the event, that the server then reports. */
const tabActions = [
  {
    kind: 'leave',
    title: 'Disconnect',
    outcome: 'peer-close 1000',
    perform: (client) => client.leave('bye'),
  },
  {
    kind: 'flood',
    title: 'Flood',
    outcome: 'message-rate 1008',
    perform: flood,
  },
  {
    kind: 'oversize',
    title: 'Send 100 kB',
    outcome: 'protocol-error 1009',
    perform: (client) => client.send('~'.repeat(OVERSIZE_BYTES)),
  },
  {
    kind: 'throw',
    title: 'Break a handler',
    outcome: 'handler-error 1011',
    perform: (client) => client.send({ type: 'throw' }),
  },
  {
    kind: 'json',
    title: 'Broken JSON',
    outcome: 'message.invalid',
    perform: (client) => client.send('{"type":"say",'),
  },
  {
    kind: 'contract',
    title: 'Unknown room',
    outcome: 'message.invalid',
    perform: (client) => client.send({ type: 'say', room: 'atlantis', text: 'Anybody here?' }),
  },
  {
    kind: 'restart',
    title: 'Restart the server',
    about: 'closes every connection and starts again',
    aboutWorker: 'closes its connections, and none of the others',
    outcome: 'drain 1001',
    perform: (client) => client.send({ type: 'restart' }),
  },
];

/** What guests do. Most of it is impossible in a browser. */
const guestActions = [
  {
    kind: 'polite',
    title: 'Close properly',
    about: 'sends a close frame',
    outcome: 'peer-close 1000',
    expect: 'It closes with 1000 “bye”.',
  },
  {
    kind: 'vanish',
    title: 'Reset TCP',
    about: 'without a close frame',
    outcome: 'tcp-reset 1006',
    expect: 'It resets its TCP connection: errored, then closed.',
  },
  {
    kind: 'freeze',
    title: 'Stop answering',
    about: 'ignores pings',
    outcome: 'heartbeat-timeout 1006',
    expect: 'Pinged after 4 s of silence; suspect 2 s later; terminated after 2 s more.',
  },
  {
    kind: 'doze',
    title: 'Freeze its page',
    about: 'answers pings, not beats',
    outcome: 'open · asleep',
    expect: 'It answers pings, but no beats: asleep after 8 s, until it sends a message.',
  },
  {
    kind: 'flood',
    title: 'Flood',
    about: 'with 400 messages',
    outcome: 'message-rate 1008',
    expect: 'It exceeds the message rate and is closed with 1008.',
  },
  {
    kind: 'garbage',
    title: 'Send garbage',
    about: 'bytes that are not a frame',
    outcome: 'protocol-error 1002',
    expect: 'It sends bytes that are not a frame and is closed with 1002.',
  },
  {
    kind: 'stall',
    title: 'Stop reading',
    about: 'its outbox fills up',
    outcome: 'slow-consumer 1013',
    expect: 'First congested; if it reads nothing for 4 s, it is closed with 1013.',
  },
  {
    kind: 'wait',
    title: 'Wait for onOpen',
    about: 'which takes 3 s',
    outcome: 'open · welcoming',
    expect: 'It is open, but its messages wait until onOpen has settled.',
  },
  {
    kind: 'refused',
    title: 'Send no name',
    about: 'authenticate refuses it',
    outcome: 'refused HTTP 400',
    expect: 'It never opens: a failure in the list of endings, and no row in the table.',
  },
];

/** The two panels of buttons. */
export class Actions {
  #tiles;

  constructor(client) {
    const own = tabActions.map((action) => tileView(action, () => action.perform(client)));
    const guests = guestActions.map((action) =>
      tileView(action, () => client.send({ type: 'invite', kind: action.kind })),
    );
    byId('tab-actions').append(...own);
    byId('guest-actions').append(...guests);
    this.#tiles = [...own, ...guests];
  }

  /** One of several workers restarts alone. */
  welcome({ worker }) {
    const { title, about, aboutWorker } = tabActions.find(({ kind }) => kind === 'restart');
    const tile = this.#tiles.find(({ dataset }) => dataset.kind === 'restart');
    const isWorker = worker.name !== '';
    setText(tile.children[0], isWorker ? `Restart ${worker.name}` : title);
    setText(tile.children[1], isWorker ? aboutWorker : about);
  }

  setOpen(isOpen) {
    for (const tile of this.#tiles) tile.disabled = !isOpen;
  }

  /** The server connects a guest. */
  invited({ kind, name }) {
    const { expect } = guestActions.find((action) => action.kind === kind);
    setText(byId('guest-invited'), `${name || 'A guest without a name'} connects. ${expect}`);
  }

  showGuests({ count, max }) {
    setText(byId('guest-count'), `${count} of ${max} guests connected`);
  }
}

function flood(client) {
  for (let sent = 0; sent < FLOOD_MESSAGES; sent += 1) client.send({ type: 'noop' });
}

function tileView({ kind, title, about = '', outcome }, perform) {
  const tile = element(
    'button',
    { className: 'tile', type: 'button', disabled: true, dataset: { kind } },
    element('span', { className: 'tile-title' }, title),
    element('span', { className: 'tile-about' }, about),
    element('span', { className: 'tile-outcome' }, outcome),
  );
  tile.addEventListener('click', perform);
  return tile;
}
