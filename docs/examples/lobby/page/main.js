import { Chart } from './chart.js';
import { Endings } from './endings.js';
import { Fleet } from './fleet.js';
import { Identity } from './identity.js';
import { Mischief } from './mischief.js';
import { Outage } from './outage.js';
import { Outgoing } from './outgoing.js';
import { Rooms } from './rooms.js';
import { Standing } from './standing.js';
import { Stepper } from './stepper.js';
import { toast } from './toasts.js';
import { Wire } from './wire.js';

const wire = new Wire({ opened, changed, ended, received, settled });
const outage = new Outage();
const identity = new Identity(wire);
const standing = new Standing(wire, outage);
const outgoing = new Outgoing(wire, (count) => standing.setWaiting(count));
const rooms = new Rooms(wire, outgoing);
const fleet = new Fleet();
const chart = new Chart();
const endings = new Endings();
new Stepper(chart);
const mischief = new Mischief(wire);

wire.dial(identity.name);

/** What is said here reaches the server before what has waited. */
function opened(connection) {
  rooms.enter(connection);
  connection.send({ type: 'watch' });
}

/** The client has moved on. Endings are told before the status that follows from them. */
function changed(status) {
  const isUp = status.state === 'up';
  identity.changed(status);
  standing.changed(status);
  outgoing.changed(status);
  rooms.changed(status);
  chart.changed(status);
  fleet.setLive(isUp);
  mischief.setOpen(isUp);
}

function ended(ending) {
  outage.ended(ending);
}

function settled(message, fate) {
  outgoing.settled(message, fate);
}

function received(message) {
  switch (message.type) {
    case 'welcome':
      welcomed(message);
      break;
    case 'joined':
      rooms.joined(message);
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
  const whatHappened = outage.over(message.serverStartedAt);
  standing.welcome(whatHappened);
  identity.welcome(message);
  fleet.welcome(message);
  chart.welcome(message);
  if (whatHappened !== '') rooms.tellOutage(whatHappened);
  rooms.welcome(message);
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
