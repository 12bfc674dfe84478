// Goal: the rooms of the lobby are durable: a tab that was away while its worker was replaced shows what it missed, once, in
// order, and says so. Method: real workers, killed and restarted, while others talk and the tab cannot connect.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import type { Outbound } from '../../docs/examples/lobby/contract.ts';
import { findNatsServer } from '../../docs/examples/lobby/nats-server.ts';
import { createClient } from '../../src/client/index.ts';
import { Chromium } from '../support/chromium.ts';
import { NatsServer } from '../support/nats-server.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { eventually, until } from '../support/until.ts';
import { LobbyProcess } from './lobby-process.ts';
import { LobbyTab, launchBrowser, openApart, openBeside } from './lobby-tab.ts';

const TIMEOUT_MS = 240_000;

/** More than fit into the room. */
const MISSED = 12;
const told = `This is what you missed: ${MISSED} messages.`;

/** The lobby remembers 40 lines for those who come later. Many of them are no messages. */
const latest = (messages: readonly string[]) => messages.slice(-10);

/** The messages after the latest note that are marked as missed. */
const MARKED = `[...document.querySelectorAll('#line-list .outage:not(:has(~ .outage)) ~ .line[data-missed="true"]')]
  .map((line) => line.querySelector('.line-text').textContent)`;
const IS_NOTE_IN_SIGHT = `document.querySelector('.outage:not(:has(~ .outage))').getBoundingClientRect().top
  >= document.querySelector('#lines').getBoundingClientRect().top`;

/** What the page shows in its room, as one text. */
const SHOWN = `[...document.querySelectorAll('#line-list .line-text, #line-list .outage')]
  .map((node) => node.textContent).join('\\n')`;

describe('lobby with durable rooms', { timeout: TIMEOUT_MS }, () => {
  let lobby: LobbyProcess;
  let url: string;
  let browser: Browser;
  let ada: LobbyTab;
  let ben: LobbyTab;

  const say = async (tab: LobbyTab, ...texts: readonly string[]) => {
    for (const text of texts) {
      await tab.say(text);
      await tab.sees(tab.line(text));
    }
  };

  /** Says something on a connection of its own, and waits until that is settled. Returns the worker that it was on. */
  const sayOnce = async (line: object): Promise<string> => {
    const client = createClient(`${url.replace('http', 'ws')}ws?name=Gus`);
    const messages: Outbound[] = [];
    client.messages$.subscribe((message) => messages.push(message as Outbound));
    const joining = { type: 'join', room: 'harbour' };
    const leaving = { type: 'leave', room: 'harbour' };
    for (const message of [joining, line, leaving, line]) client.send(message);
    await until(() => messages.some(({ type }) => type === 'notice'), 'it may say no more');
    const [welcome] = messages.filter((message) => message.type === 'welcome');
    await client.close();
    return welcome?.worker.id ?? '';
  };

  const replaced = async (worker: string, killed: number) =>
    eventually(async () => lobby.processOf(worker) !== killed, `${worker} is started again`);

  before(async () => {
    lobby = await LobbyProcess.withWorkers();
    url = await lobby.url();
    browser = await launchBrowser();
    ada = await LobbyTab.open(browser, { url, name: 'Ada' });
    ben = await openApart(browser, { url, name: 'Ben' }, ada);
  });

  after(async () => {
    await browser?.close();
    await lobby[Symbol.asyncDispose]();
  });

  const ways = [
    {
      how: 'is killed',
      end: async (worker: string) => void process.kill(lobby.processOf(worker), 'SIGKILL'),
      lost: /^The connection to worker \d was lost .*\(1006\)/,
    },
    {
      how: 'is restarted by another tab',
      end: async () => {
        const eve = await openBeside(browser, { url, name: 'Eve' }, ben);
        await eve.misbehave('restart');
        await eve.sees(eve.outage('You missed no messages.'));
        await eve.close();
      },
      // The network may have been gone before the close frame came.
      lost: /^Worker \d (went away \(1001|stopped answering)/,
    },
  ];

  for (const { how, end, lost } of ways) {
    it(`show what a tab missed while its worker ${how}`, async () => {
      const [earlier, last] = [`It runs before it ${how}.`, `It ran when it ${how}.`];
      const later = Array.from({ length: MISSED }, (_, index) => `It ${how}: ${index + 1}.`);
      await say(ben, earlier);
      const worker = await ben.worker();
      const killed = lobby.processOf(worker);

      await ben.page.context().setOffline(true);
      await end(worker);
      await ben.sees(ben.page.locator('#own-state', { hasText: 'offline' }));
      await replaced(worker, killed);
      await say(ada, ...later);
      await ben.page.context().setOffline(false);

      await ben.sees(ben.outage(lost).filter({ hasText: told }));
      await say(ada, last);
      await ben.sees(ben.line(last));
      const shown = await ben.shown();
      const note = shown.findLastIndex((text) => lost.test(text));
      assert.equal(shown[note - 1], earlier);
      assert.deepEqual(shown.slice(note + 1), [...later, last]);
      // What comes after it was not missed.
      await ben.sees(ben.outage(lost).filter({ hasText: told }));
      assert.deepEqual(await ben.page.evaluate(MARKED), later);
      assert.equal(await ben.page.evaluate(IS_NOTE_IN_SIGHT), true);
      assert.deepEqual(await ada.messages(), await ben.messages());
    });
  }

  it('show what a frozen tab missed, when it thaws', async () => {
    const chromium = await Chromium.start();
    const blank = await chromium.open('about:blank');
    const fay = await chromium.open(`${url}?name=Fay`);
    await fay.until(`${SHOWN}.includes('It ran')`);
    const worker = await fay.evaluate(`document.querySelector('#own-worker').textContent`);
    await blank.activate();
    await fay.until('document.visibilityState === "hidden"');
    await fay.freeze();
    await ada.sees(ada.row('Fay').locator('[data-mark="asleep"]'));

    const killed = lobby.processOf(String(worker));
    process.kill(killed, 'SIGKILL');
    await replaced(String(worker), killed);
    for (const tab of [ada, ben]) await tab.isConnected();
    const texts = ['She sleeps.', 'Let her.'];
    await say(ada, ...texts);

    await fay.activate();
    await fay.thaw();
    await fay.until(
      `${SHOWN}.endsWith('This is what you missed: 2 messages.\\n${texts.join('\\n')}')`,
    );
    await chromium.stop();
  });

  it('give a tab that reloads the latest lines, each once, and no note', async () => {
    const messages = await ben.messages();
    await ben.page.reload();
    await ben.isConnected();
    await ben.sees(ben.line('Let her.'));
    assert.deepEqual(latest(await ben.shown()), latest(messages));
  });

  it('show a tab that enters a room again what was said since then', async () => {
    await ben.page.getByRole('button', { name: 'Leave' }).click();
    await say(ada, 'He is gone.');
    await ben.page.getByRole('button', { name: 'Join', exact: true }).click();
    await ben.sees(ben.line('He is gone.'));
    const shown = await ben.shown();
    assert.deepEqual(latest(shown), latest(await ada.messages()));
    assert.equal(new Set(shown).size, shown.length);
  });

  it('keep a line once that a client sends twice, on two workers', async () => {
    const line = { type: 'say', room: 'harbour', id: randomUUID(), text: 'Did you hear me?' };
    const hal = await RawPeer.open(Number(new URL(url).port), { path: '/ws?name=Hal' });
    hal.json({ type: 'join', room: 'harbour' });
    await ada.sees(ada.page.locator('.presence', { hasText: 'Hal joined' }));
    const workers = new Set<string>();
    while (workers.size < 2) workers.add(await sayOnce(line));
    await say(ada, 'Yes.');
    await ben.sees(ben.line('Yes.'));
    for (const tab of [ada, ben]) assert.equal(await tab.line(line.text).count(), 1);
    // A page would not show it twice in any case.
    await until(() => hal.texts.some((text) => text.includes('"Yes."')), 'he hears the last');
    assert.equal(hal.texts.filter((text) => text.includes(line.id)).length, 1);
    hal.destroy();
  });

  it('keep what is said while the nats-server is started again', async () => {
    const killed = lobby.processOf('nats-server');
    process.kill(killed, 'SIGKILL');
    await ada.sees(ada.page.locator('#own-bus', { hasText: 'bus down' }));
    await ada.say('Into the void.');
    for (const tab of [ada, ben]) await tab.sees(tab.line('Into the void.'));
    await ada.sees(ada.page.locator('#own-bus', { hasText: 'bus up' }));
    assert.deepEqual(latest(await ben.shown()), latest(await ada.messages()));
  });

  it('tell a person that a message is not confirmed, and keep it once if it is sent again', async () => {
    const nats = lobby.processOf('nats-server');
    process.kill(nats, 'SIGSTOP');
    await ada.say('Is this kept?');
    const unconfirmed = ada.outgoing('Is this kept?').filter({ hasText: 'not confirmed' });
    await ada.sees(unconfirmed);
    process.kill(nats, 'SIGCONT');
    await ada.sees(ada.page.locator('#own-bus', { hasText: 'bus up' }));
    // It may arrive by itself now.
    const again = unconfirmed.getByRole('button', { name: 'Send again' });
    await again.click({ timeout: 1_000 }).catch(() => {});
    for (const tab of [ada, ben]) await tab.sees(tab.line('Is this kept?'));
    await say(ada, 'It is.');
    await ben.sees(ben.line('It is.'));
    for (const tab of [ada, ben]) assert.equal(await tab.line('Is this kept?').count(), 1);
    assert.equal(await ada.page.locator('.outgoing').count(), 0);
  });

  it('tell tabs that were never away when the lobby has lost its messages', async () => {
    const store = await storeOf(lobby);
    process.kill(lobby.processOf('nats-server'), 'SIGKILL');
    await rm(`${store}/jetstream`, { recursive: true });
    for (const tab of [ada, ben]) {
      await tab.sees(tab.outage(/^The lobby has lost its earlier messages/));
      await tab.sees(tab.line('Is this kept?'));
    }
    await say(ada, 'It was.');
    await ben.sees(ben.line('It was.'));
  });

  it('cause no complaint of the browser, except about connections that fail', async () => {
    for (const { complaints } of [ada, ben])
      assert.deepEqual(
        complaints.filter((text) => !text.includes('WebSocket connection')),
        [],
      );
  });
});

/** The folder that its nats-server was given. */
async function storeOf(lobby: LobbyProcess): Promise<string> {
  const command = await readFile(`/proc/${lobby.processOf('nats-server')}/cmdline`, 'utf8');
  return command.split('\0').at(-2) ?? '';
}

describe('the store of the lobby', { timeout: TIMEOUT_MS }, () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`is removed after ${signal}`, async () => {
      await using lobby = await LobbyProcess.withWorkers();
      await lobby.url();
      const store = await storeOf(lobby);
      await until(() => existsSync(`${store}/jetstream`), 'there is a store');
      await lobby.stop(signal);
      await until(() => !existsSync(store), 'the store is gone', 20_000);
    });
  }

  it('must be there: a nats-server without JetStream is refused in one sentence', async () => {
    const server = await NatsServer.start(await findNatsServer());
    for (const workers of ['1', '2']) {
      await using lobby = new LobbyProcess('--nats', server.url, '--workers', workers);
      const { exitCode, output } = await lobby.outcome();
      assert.equal(exitCode, 1);
      assert.match(
        output,
        /^The nats-server at nats:\S+ has no JetStream, [^.\n]*start it with -js[^\n]*\.\n$/,
      );
    }
    await server.kill();
  });
});
