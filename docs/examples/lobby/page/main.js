import { Actions } from './actions.js';
import { Chart } from './chart.js';
import { ConnectionTable } from './connection-table.js';
import { Endings } from './endings.js';
import { Identity } from './identity.js';
import { LobbyClient } from './lobby-client.js';
import { Outage } from './outage.js';
import { Outgoing } from './outgoing.js';
import { Rooms } from './rooms.js';
import { StatusBar } from './status-bar.js';
import { Stepper } from './stepper.js';
import { toast } from './toasts.js';
import { Workers } from './workers.js';

const client = new LobbyClient({ opened, changed, ended, recovered, received, settled });
const outage = new Outage();
const identity = new Identity(client);
const statusBar = new StatusBar(client, outage);
const outgoing = new Outgoing(client, (count) => statusBar.setQueued(count));
const rooms = new Rooms(client, outgoing);
const table = new ConnectionTable();
const chart = new Chart();
const endings = new Endings();
new Stepper(chart);
const actions = new Actions(client);
const workers = new Workers(showAll);

client.dial(identity.name);

/** The server gets these messages before the queued ones. */
function opened(connection) {
  rooms.rejoin(connection);
  outgoing.repeat(connection);
  connection.send({ type: 'watch' });
}

/** The client emits an ending before the status that follows from it. */
function changed(status) {
  const isUp = status.state === 'up';
  identity.changed(status);
  statusBar.changed(status);
  outgoing.changed(status);
  rooms.changed(status);
  chart.changed(status);
  table.setLive(isUp);
  workers.setLive(isUp);
  actions.setOpen(isUp);
}

function ended(ending) {
  outage.ended(ending);
}

function recovered(recovery) {
  rooms.recovered(recovery);
}

function settled(message, result) {
  outgoing.settled(message, result);
}

function received(message) {
  switch (message.type) {
    case 'welcome':
      welcomed(message);
      break;
    case 'line':
      rooms.line(message);
      break;
    case 'unconfirmed':
      outgoing.settled(message, 'unconfirmed');
      break;
    case 'snapshot':
      showSnapshot(message);
      break;
    case 'gone':
      workers.gone(message);
      break;
    case 'ended':
      table.end(message.ending);
      endings.add(message.ending);
      break;
    case 'endings':
      endings.replace(message.endings);
      break;
    case 'invited':
      actions.invited(message);
      break;
    case 'notice':
      toast(message.level, message.text);
      break;
    case 'error':
      toast('warn', `The server rejected a message${faultWords(message)}.`);
      break;
  }
}

function welcomed(message) {
  const outageSummary = outage.end(message);
  statusBar.welcome(outageSummary, message.worker);
  identity.welcome(message);
  workers.welcome(message);
  actions.welcome(message);
  table.welcome(message);
  chart.welcome(message);
  if (outageSummary !== '') rooms.addOutage(outageSummary, message.at);
  rooms.welcome(message);
}

function showSnapshot(message) {
  workers.snapshot(message);
  // The server does not publish to this tab while it is congested. Watch again to get the endings that it missed.
  if (endings.hasMissed(message.lastEnding)) client.send({ type: 'watch' });
}

/** Shows the connections of all workers. */
function showAll(snapshot) {
  table.show(snapshot);
  chart.show(snapshot);
  rooms.setMembers(snapshot.members);
  actions.showGuests(snapshot.guests);
}

function faultWords({ path, message }) {
  return path === '' ? `: ${message}` : `: “${path}” is invalid (${message})`;
}
