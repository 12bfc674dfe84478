// Goal: the lobby is one service in several processes: tabs on different workers share rooms and see each other, and the end of
// a worker touches only its own tabs. Method: the workers are real processes, which the test kills.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { findNatsServer } from '../../docs/examples/lobby/nats-server.ts';
import { eventually } from '../support/until.ts';
import { LobbyProcess } from './lobby-process.ts';
import { isListening, LobbyTab, launchBrowser, openApart, openBeside } from './lobby-tab.ts';

const TIMEOUT_MS = 240_000;

/** Counts the messages in which a tab asks for the current state. */
const COUNT_WATCHES = `(() => {
  const { send } = WebSocket.prototype;
  globalThis.watches = 0;
  WebSocket.prototype.send = function (data) {
    if (data === '{"type":"watch"}') globalThis.watches += 1;
    send.call(this, data);
  };
})()`;

describe('lobby with workers', { timeout: TIMEOUT_MS }, () => {
  let lobby: LobbyProcess;
  let url: string;
  let browser: Browser;
  let ada: LobbyTab;
  let ben: LobbyTab;

  const openBy = (name: string, from: LobbyTab) => openApart(browser, { url, name }, from);

  before(async () => {
    lobby = await LobbyProcess.withWorkers();
    url = await lobby.url();
    browser = await launchBrowser();
    ada = await LobbyTab.open(browser, { url, name: 'Ada' });
    ben = await openBy('Ben', ada);
  });

  after(async () => {
    await browser?.close();
    await lobby[Symbol.asyncDispose]();
  });

  it('prints which nats-server it runs and which processes serve, before its address', () => {
    const lines = lobby.output.split('\n');
    assert.match(
      lines[0] ?? '',
      /^nats-server \d+\.\d+\.\d+, .+, is process \d+ at nats:\/\/127\.0\.0\.1:\d+$/,
    );
    const serving = lines.findIndex((line) => line.startsWith('The lobby is running at'));
    for (const worker of ['worker 1', 'worker 2']) {
      const at = lines.indexOf(`${worker} is process ${lobby.processOf(worker)}`);
      assert.ok(at > 0 && at < serving, lobby.output);
    }
  });

  it('shows each tab which worker it is on, and which workers the others are on', async () => {
    const workers = [await ada.worker(), await ben.worker()];
    assert.deepEqual([...workers].sort(), ['worker 1', 'worker 2']);
    for (const tab of [ada, ben]) {
      await tab.sees(tab.row('Ada').filter({ hasText: workers[0] ?? '' }));
      await tab.sees(tab.row('Ben').filter({ hasText: workers[1] ?? '' }));
      await tab.sees(tab.workerTile(await tab.worker()).filter({ hasText: 'this tab' }));
      await tab.sees(tab.page.locator('#own-bus', { hasText: 'bus up' }));
    }
  });

  it('lets tabs on different workers talk, and counts the members of both', async () => {
    await ada.say('Is anybody on the other worker?');
    await ben.sees(ben.line('Is anybody on the other worker?'));
    await ben.say('I am.');
    await ada.sees(ada.line('I am.'));
    for (const tab of [ada, ben]) {
      await tab.sees(tab.page.locator('#room-members', { hasText: '2 members' }));
      await tab.sees(tab.counted('open.intake.receiving').filter({ hasText: /^2$/ }));
    }
  });

  it('gives newcomers the same latest lines on each worker', async () => {
    for (const tab of [ada, ben]) {
      const newcomer = await openBy('Cyd', tab);
      await newcomer.sees(newcomer.line('Is anybody on the other worker?'));
      await newcomer.sees(newcomer.line('I am.'));
      await newcomer.close();
    }
  });

  it('fits a phone', async () => {
    const viewport = { width: 320, height: 700 };
    const phone = await LobbyTab.open(browser, { url, name: 'Phone' }, { viewport });
    await phone.sees(phone.workerTile('worker 2'));
    assert.equal(await phone.page.evaluate('document.documentElement.scrollWidth'), 320);
    const box = await phone.page.getByLabel('Your name').boundingBox();
    assert.ok(box !== null && box.width >= 140, `the name is ${box?.width} px wide`);
    await phone.close();
  });

  it('lists an ending in the tabs of every worker', async () => {
    await ada.invite('polite');
    for (const tab of [ada, ben]) await tab.sees(tab.ending('Polite Puffin', 'peer-close'));
  });

  it('brings the tabs of a killed worker back, and never interrupts the others', async () => {
    const [id, benId, worker] = [await ada.id(), await ben.id(), await ben.worker()];
    const killed = lobby.processOf(worker);
    process.kill(killed, 'SIGKILL');
    const told = `^The connection to ${worker} was lost .* \\(1006\\) .* Reconnected to worker \\d after`;
    await ben.sees(ben.outage(new RegExp(told)));
    await ben.isConnected();
    assert.notEqual(await ben.id(), benId);
    await ada.row(benId).waitFor({ state: 'detached' });
    await eventually(async () => lobby.processOf(worker) !== killed, `${worker} is started again`);
    await ada.sees(ada.workerTile(worker).filter({ hasText: `${lobby.processOf(worker)}` }));

    await ben.say('I am back.');
    await ada.sees(ada.line('I am back.'));
    assert.equal(await ada.id(), id);
    assert.equal(await ada.page.locator('.outage').count(), 0);
    await ada.sees(ada.status('Connected to worker'));
  });

  it('gives a worker that was started again the lines that it has missed', async () => {
    const newcomer = await openBy('Dan', ada);
    for (const text of ['I am.', 'I am back.']) await newcomer.sees(newcomer.line(text));
    await newcomer.sees(newcomer.ending('Polite Puffin', 'peer-close'));
    await ben.close();
    ben = newcomer;
  });

  it('restarts the worker of the tab that asks for it, and no other', async () => {
    const [id, worker] = [await ada.id(), await ben.worker()];
    const before = lobby.processOf(worker);
    await ben.sees(ben.page.getByRole('button', { name: `Restart ${worker}` }));
    await ben.misbehave('restart');
    await ben.sees(ben.outage(/^Worker \d went away \(1001 .* Reconnected to worker \d after/));
    await eventually(async () => lobby.processOf(worker) !== before, `${worker} is started again`);
    assert.equal(await ada.id(), id);
  });

  it('shows that the nats-server is gone, and is whole again when it is back', async () => {
    const other = await openBy('Eve', ada);
    const leaver = await openBeside(browser, { url, name: 'Gil' }, other);
    const left = await leaver.id();
    await ada.page.evaluate(COUNT_WATCHES);
    process.kill(lobby.processOf('nats-server'), 'SIGKILL');
    await ada.sees(ada.page.locator('#own-bus', { hasText: 'bus down' }));
    await leaver.close();
    await ada.sees(ada.page.locator('#workers', { hasText: 'does not hear the others' }));
    for (const tab of [ada, other]) {
      await tab.sees(tab.page.locator('#own-bus', { hasText: 'bus up' }));
    }
    await ada.sees(ada.row(await other.id()));
    // Its worker did not hear of it, and asks the other. Meanwhile, the tab asks its worker once at most.
    await ada.sees(ada.ending(left, 'peer-close'));
    assert.ok(Number(await ada.page.evaluate('globalThis.watches')) <= 1);
    await other.say('Together again.');
    await ada.sees(ada.line('Together again.'));
    for (const tab of [ada, other]) assert.deepEqual(tab.complaints, []);
    const id = await other.id();
    await other.close();
    await ada.sees(ada.ending(id, 'peer-close'));
  });

  it('closes every tab with 1001 on SIGTERM, and leaves nothing behind', async () => {
    const stopped = lobby.stop('SIGTERM');
    await Promise.all([ada.sees(ada.status('1001')), ben.sees(ben.status('1001'))]);
    const { exitCode, output } = await stopped;
    assert.equal(exitCode, 0, output);
    assert.match(output, /2 closed, 0 terminated/);
    assert.equal(await isListening(natsPortOf(output)), false);
  });
});

describe('lobby with workers, as a process', { timeout: TIMEOUT_MS }, () => {
  before(async () => {
    await findNatsServer();
  });

  it('leaves nothing behind when its primary process is killed', async () => {
    await using lobby = await LobbyProcess.withWorkers();
    const ports = [Number(new URL(await lobby.url()).port), natsPortOf(lobby.output)];
    for (const port of ports) assert.equal(await isListening(port), true);
    await lobby.stop('SIGKILL');
    for (const port of ports) {
      await eventually(async () => !(await isListening(port)), `port ${port} is free`);
    }
  });

  it('shares a nats-server with another lobby that it is given the address of', async () => {
    await using first = await LobbyProcess.withWorkers();
    await first.url();
    const address = `nats://127.0.0.1:${natsPortOf(first.output)}`;
    await using second = new LobbyProcess('--port', '0', '--nats', address);
    await using browser = await launchBrowser();
    const ada = await LobbyTab.open(browser, { url: await first.url(), name: 'Ada' });
    const ben = await LobbyTab.open(browser, { url: await second.url(), name: 'Ben' });
    await ben.say('I am on another port.');
    await ada.sees(ada.line('I am on another port.'));
    await ada.sees(ada.row('Ben').filter({ hasText: await ben.worker() }));
    assert.match(await ben.worker(), /^lobby \d+$/);
  });
});

function natsPortOf(output: string): number {
  return Number(/nats:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]);
}
