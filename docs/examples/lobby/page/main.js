import { Chart } from './chart.js';
import { Endings } from './endings.js';
import { Fleet } from './fleet.js';
import { Identity } from './identity.js';
import { Mischief } from './mischief.js';
import { Rooms } from './rooms.js';
import { toast } from './toasts.js';
import { Wire } from './wire.js';

const wire = new Wire({ changed, received });
const identity = new Identity(wire);
const rooms = new Rooms(wire);
const fleet = new Fleet();
const chart = new Chart();
const endings = new Endings();
const mischief = new Mischief(wire);

wire.dial(identity.name);

/** The last ending that this tab was told of, until it is aboard again. */
let loss = '';

function changed(change) {
  const isOpen = change.state === 'open';
  if (change.wasOpen) loss = ` The one before ended with ${change.code}.`;
  identity.show(change);
  rooms.setOpen(isOpen);
  fleet.setLive(isOpen);
  chart.changed(change);
  mischief.setOpen(isOpen);
}

function received(message) {
  switch (message.type) {
    case 'welcome':
      welcomed(message);
      break;
    case 'joined':
      rooms.joined(message);
      break;
    case 'left':
      rooms.left(message);
      break;
    case 'line':
      rooms.line(message);
      break;
    case 'fleet':
      pictured(message);
      break;
    case 'ended':
      fleet.end(message.ending);
      endings.add(message.ending);
      break;
    case 'endings':
      endings.replace(message.endings);
      break;
    case 'invited':
      mischief.invited(message);
      break;
    case 'notice':
      toast(message.level, message.text);
      break;
    case 'error':
      toast('warn', `The server took no notice of a message. ${fault(message)}`);
      break;
  }
}

function welcomed(message) {
  if (loss !== '') toast('info', `Connected again, as ${message.id}.${loss}`);
  loss = '';
  identity.welcome(message);
  fleet.welcome(message);
  chart.welcome(message);
  rooms.welcome(message);
  wire.send({ type: 'watch' });
}

function pictured(message) {
  fleet.show(message);
  chart.show(message);
  rooms.setMembers(message.members);
  mischief.showGuests(message.guests);
  // A publication is dropped when this tab is congested; asking again is how it catches up.
  if (message.lastEnding > endings.latest) wire.send({ type: 'watch' });
}

function fault({ path, message }) {
  return path === '' ? `It says: ${message}.` : `It says that ${path} is wrong: ${message}.`;
}
