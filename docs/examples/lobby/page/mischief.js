import { byId, element, setText } from './dom.js';

const FLOOD_MESSAGES = 400;
const OVERSIZE_BYTES = 100_000;

/** What this tab can do wrong by itself. */
const ownMischief = [
  {
    kind: 'leave',
    title: 'Leave politely',
    verdict: 'peer-close 1000',
    perform: (wire) => wire.leave('bye'),
  },
  {
    kind: 'flood',
    title: 'Flood',
    verdict: 'message-rate 1008',
    perform: flood,
  },
  {
    kind: 'oversize',
    title: 'Send 100 kB',
    verdict: 'protocol-error 1009',
    perform: (wire) => wire.send('~'.repeat(OVERSIZE_BYTES)),
  },
  {
    kind: 'trip',
    title: 'Trip a handler',
    verdict: 'handler-error 1011',
    perform: (wire) => wire.send({ type: 'trip' }),
  },
  {
    kind: 'json',
    title: 'Broken JSON',
    verdict: 'message.invalid',
    perform: (wire) => wire.send('{"type":"say",'),
  },
  {
    kind: 'contract',
    title: 'Wrong room',
    verdict: 'message.invalid',
    perform: (wire) => wire.send({ type: 'say', room: 'atlantis', text: 'Anybody here?' }),
  },
  {
    kind: 'restart',
    title: 'Restart the server',
    about: 'lets every tab go, and is back soon',
    verdict: 'drain 1001',
    perform: (wire) => wire.send({ type: 'restart' }),
  },
];

/** What a guest does wrong on request, because a browser cannot. */
const guestMischief = [
  {
    kind: 'polite',
    title: 'Leave politely',
    about: 'says goodbye, and goes',
    verdict: 'peer-close 1000',
    expect: 'It will stay a moment and close with 1000 “bye”.',
  },
  {
    kind: 'vanish',
    title: 'Vanish',
    about: 'drops TCP without a word',
    verdict: 'tcp-reset 1006',
    expect: 'It will reset its TCP connection: errored, then closed.',
  },
  {
    kind: 'freeze',
    title: 'Freeze',
    about: 'answers nothing any more',
    verdict: 'heartbeat-timeout 1006',
    expect: 'Silent for 4 s it is pinged, after 2 s suspect, after 2 more gone.',
  },
  {
    kind: 'doze',
    title: 'Doze off',
    about: 'as a page that is frozen',
    verdict: 'open · asleep',
    expect:
      'Its pings are answered, its beats are not: after 8 s it is asleep, until it speaks again.',
  },
  {
    kind: 'flood',
    title: 'Flood',
    about: 'says too much at once',
    verdict: 'message-rate 1008',
    expect: 'It will pass the message rate and be closed with 1008.',
  },
  {
    kind: 'garbage',
    title: 'Send garbage',
    about: 'bytes that are no frame',
    verdict: 'protocol-error 1002',
    expect: 'It will break the framing and be sent 1002.',
  },
  {
    kind: 'stall',
    title: 'Stop reading',
    about: 'lets its mail pile up',
    verdict: 'slow-consumer 1013',
    expect: 'First congested; when nothing moves for 4 s it gets 1013.',
  },
  {
    kind: 'wait',
    title: 'Wait at the rail',
    about: 'its onOpen takes 3 s',
    verdict: 'open · welcoming',
    expect: 'It is open, but not heard until onOpen has settled.',
  },
  {
    kind: 'refused',
    title: 'Bring no name',
    about: 'turned away at the door',
    verdict: 'refused HTTP 400',
    expect: 'It will never open: a failure, and no row.',
  },
];

/** The two panels of buttons. */
export class Mischief {
  #tiles;

  constructor(wire) {
    const own = ownMischief.map((deed) => tileView(deed, () => deed.perform(wire)));
    const guests = guestMischief.map((deed) =>
      tileView(deed, () => wire.send({ type: 'invite', kind: deed.kind })),
    );
    byId('tab-mischief').append(...own);
    byId('guest-mischief').append(...guests);
    this.#tiles = [...own, ...guests];
  }

  setOpen(isOpen) {
    for (const tile of this.#tiles) tile.disabled = !isOpen;
  }

  /** A guest is on its way. */
  invited({ kind, name }) {
    const { expect } = guestMischief.find((deed) => deed.kind === kind);
    setText(byId('guest-coming'), `${name || 'Somebody without a name'} comes. ${expect}`);
  }

  showGuests({ aboard, max }) {
    setText(byId('guests-aboard'), `${aboard} of ${max} berths taken`);
  }
}

function flood(wire) {
  for (let sent = 0; sent < FLOOD_MESSAGES; sent += 1) wire.send({ type: 'noise' });
}

function tileView({ kind, title, about = '', verdict }, perform) {
  const tile = element(
    'button',
    { className: 'tile', type: 'button', disabled: true, dataset: { kind } },
    element('span', { className: 'tile-title' }, title),
    element('span', { className: 'tile-about' }, about),
    element('span', { className: 'tile-verdict' }, verdict),
  );
  tile.addEventListener('click', perform);
  return tile;
}
