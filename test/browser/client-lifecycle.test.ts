// Goal: whatever happens to a page, its device or its server, the client is in the right state, reports each connection
// once, and reconnects by itself. Method: the compiled client in Chromium over the plain DevTools protocol, a Mooring
// server here or in a separate process, and the reports of both.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import type { HeartbeatOptions } from '../../src/index.ts';
import { Chromium, type Tab } from '../support/chromium.ts';
import { Service } from '../support/service.ts';
import { eventually, until } from '../support/until.ts';
import { servePages } from './client-page.ts';
import { isUp, lifecyclePages, lifecycleUrl, type Told, toldIn } from './lifecycle-page.ts';
import { PageService } from './page-service.ts';

const TIMEOUT_MS = 240_000;
const WITHIN_MS = 40_000;

/** This many beats, or pongs, are no coincidence. */
const BEATS = 8;
/** A header, and a mask (RFC 6455 §5.2). */
const PONG_BYTES = 6;
const SLEEP_MS = 6_000;

/** Asks often and waits long, because a busy machine does not mean a frozen page. */
const watchful: HeartbeatOptions = { intervalMs: 300, graceMs: 4_000 };
/** Gives up a silent peer soon. */
const brisk: HeartbeatOptions = { intervalMs: 300, graceMs: 3_000 };
/** Asks so rarely that it never does in a test. */
const trusting: HeartbeatOptions = { intervalMs: 600_000, graceMs: 60_000 };

describe('a client in a page that is used like a real one', { timeout: TIMEOUT_MS }, () => {
  const stops: (() => unknown)[] = [];
  let chromium: Chromium;
  /** The page in front while the page under test is in the background. */
  let blank: Tab;

  before(async () => {
    chromium = await Chromium.start();
    blank = await chromium.open('about:blank');
  });

  after(() => chromium?.stop());

  afterEach(async () => {
    chromium?.wake();
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** A page that is up with a server of this process. */
  async function connect(
    server: HeartbeatOptions,
    page: HeartbeatOptions,
    prepare?: (tab: Tab) => Promise<void>,
  ) {
    const sockets: Socket[] = [];
    const authenticate = ({ socket }: IncomingMessage) => {
      sockets.push(socket);
      return 'a page';
    };
    const service = await Service.start({ heartbeat: server, authenticate });
    stops.push(() => service.stop());
    service.server.on('request', servePages(lifecyclePages));
    const tab = await show(lifecycleUrl(service.port, page), prepare);
    return { service, tab, sockets, connection: await service.opened() };
  }

  async function show(url: string, prepare?: (tab: Tab) => Promise<void>): Promise<Tab> {
    const tab = await chromium.open(url, prepare);
    stops.push(() => tab.close());
    await isUp(tab);
    return tab;
  }

  /** Brings another tab to the front. */
  async function cover(tab: Tab): Promise<void> {
    await blank.activate();
    await tab.until('document.visibilityState === "hidden"');
  }

  const verdicts = (service: Service) =>
    service.of('connection.closed').map(({ verdict }) => `${verdict.cause} ${verdict.code}`);

  /** Each side has reported the end of the one connection, once, and the second one is open. */
  async function assertCameBack(service: Service, tab: Tab, expected: string): Promise<Told> {
    await until(() => verdicts(service).length > 0, 'the server has reported the end', WITHIN_MS);
    await until(
      () => service.of('connection.opened').length === 2,
      'it has reconnected',
      WITHIN_MS,
    );
    assert.deepEqual(verdicts(service), [expected]);
    const told = await toldIn(tab);
    // A browser reveals no more than that to a page.
    assert.deepEqual(told.endings, ['closed connection-lost 1006']);
    assert.deepEqual(outer(told.states), [
      ...['idle', 'dialing', 'up', 'closing', 'waiting'],
      ...['dialing', 'up'],
    ]);
    assert.deepEqual(told.events, []);
    return told;
  }

  it('stays up in the background, where it receives and answers, and is never reported as asleep', async () => {
    const { service, tab, connection } = await connect(watchful, watchful);
    await cover(tab);
    const { beats } = await toldIn(tab);
    await tab.until(`told.beats.answered >= ${beats.answered + BEATS}`);
    connection.send('are you there?');
    await tab.until('told.messages.length === 1');
    await tab.activate();
    await tab.until('document.visibilityState === "visible"');
    const { states, endings, events, life } = await toldIn(tab);
    assert.deepEqual(life, ['loaded', 'hidden', 'visible']);
    assert.deepEqual(outer(states), ['idle', 'dialing', 'up']);
    assert.deepEqual([endings, events], [[], []]);
    assert.deepEqual([verdicts(service), service.of('connection.asleep')], [[], []]);
  });

  it('is asleep for its server while it is frozen, and awake when it thaws', async () => {
    const { service, tab, connection, sockets } = await connect(watchful, watchful);
    await cover(tab);
    await tab.freeze();
    await service.when('connection.asleep', WITHIN_MS);
    const bytes = sockets[0]?.bytesRead ?? 0;
    const pongs = () => ((sockets[0]?.bytesRead ?? 0) - bytes) / PONG_BYTES;
    await until(() => pongs() >= BEATS, 'its browser answers pings for it', WITHIN_MS);
    assert.ok(connection.states.includes('open.liveness.asleep'), connection.states.join());
    assert.deepEqual(verdicts(service), []);
    await tab.activate();
    await tab.thaw();
    await isUp(tab, 2);
    // Chromium closes the connection of a page when it thaws.
    const { life } = await assertCameBack(service, tab, 'peer-close 1001');
    assert.ok(life.includes('freeze') && life.includes('resume'), life.join());
  });

  it('reconnects when the user returns to its page, which waited in the cache', async () => {
    const { service, tab } = await connect(watchful, watchful);
    await tab.goTo(`http://127.0.0.1:${service.port}/away`);
    // Chromium 156 keeps the connection of a page in the cache, and closes it on return. Other browsers close
    // it at once.
    const isKnown = () => service.of('connection.asleep').length + verdicts(service).length > 0;
    await until(isKnown, 'the server has noticed the end', WITHIN_MS);
    await tab.goBack();
    await tab.until('told.life.includes("restored")');
    await isUp(tab, 2);
    await assertCameBack(service, tab, 'peer-close 1001');
  });

  it('detects a network that is cut without a close, and reconnects with the network', async () => {
    const { service, tab } = await connect(brisk, brisk, (page) => page.setOffline(false));
    await tab.setOffline(true);
    // At least one attempt also finds no network.
    await tab.until('told.endings.length >= 2');
    await until(() => verdicts(service).length > 0, 'the server has reported the end', WITHIN_MS);
    const { states } = await toldIn(tab);
    assert.ok(states.includes('waiting.offline') && !states.includes('waiting.backoff'));
    await tab.setOffline(false);
    await isUp(tab, 2);
    const { endings, events } = await toldIn(tab);
    const [end, ...attempts] = endings;
    assert.equal(end, 'closed heartbeat-timeout 1006');
    assert.deepEqual(new Set(attempts), new Set(['failed undisclosed']));
    assert.deepEqual(events, []);
    assert.deepEqual(verdicts(service), ['heartbeat-timeout 1006']);
  });

  it('reconnects when its device has slept until the server gave it up', async () => {
    const { service, tab } = await connect(brisk, watchful);
    await chromium.sleep();
    await until(() => verdicts(service).length > 0, 'the server gives it up', WITHIN_MS);
    chromium.wake();
    await isUp(tab, 2);
    await assertCameBack(service, tab, 'heartbeat-timeout 1006');
  });

  it('probes at once when its device has slept, and keeps a connection that still works', async () => {
    const { service, tab, connection } = await connect(trusting, trusting);
    await tab.until('told.beats.answered === 1');
    assert.equal((await toldIn(tab)).beats.asked, 0);
    await chromium.sleep();
    // The sleep itself is under test: it must be longer than the clock may jump without a sleep.
    await new Promise((resolve) => setTimeout(resolve, SLEEP_MS));
    chromium.wake();
    await tab.until('told.beats.gotAnswer === 1');
    const { states, endings, events, beats } = await toldIn(tab);
    assert.equal(beats.asked, 1);
    assert.deepEqual(outer(states), ['idle', 'dialing', 'up']);
    assert.deepEqual([endings, events, verdicts(service)], [[], [], []]);
    assert.equal(connection.state, 'open');
  });

  it('reconnects when its server was killed and started again', async () => {
    const first = await PageService.start({ heartbeat: watchful, port: 0 });
    stops.push(() => first.kill());
    const tab = await show(lifecycleUrl(first.port, watchful));
    await first.kill();
    await tab.until('told.endings.length >= 3');
    const second = await PageService.start({ heartbeat: watchful, port: first.port });
    stops.push(() => second.kill());
    await isUp(tab, 2);
    const { endings, events } = await toldIn(tab);
    const [end, ...attempts] = endings;
    assert.equal(end, 'closed connection-lost 1006');
    // Every attempt on a missing server has an ending of its own.
    assert.deepEqual(new Set(attempts), new Set(['failed undisclosed']));
    assert.deepEqual(events, []);
    const { open, closed } = await second.census();
    assert.deepEqual([open, closed], [1, []]);
  });

  it('gives up a server that has fallen silent, and reconnects when it responds again', async () => {
    const server = await PageService.start({ heartbeat: trusting, port: 0 });
    stops.push(() => server.kill());
    const tab = await show(lifecycleUrl(server.port, brisk));
    await tab.until('told.beats.gotAnswer >= 2');
    await server.freeze();
    // At least one attempt finds it silent as well.
    await tab.until('told.endings.length >= 2');
    server.thaw();
    await isUp(tab, 2);
    const { endings, events } = await toldIn(tab);
    const [end, ...attempts] = endings;
    assert.equal(end, 'closed heartbeat-timeout 1006');
    assert.deepEqual(new Set(attempts), new Set(['failed handshake-timeout']));
    assert.deepEqual(events, []);
    await eventually(async () => (await server.census()).open === 1, 'one connection is left');
  });
});

/** The outermost states, each as often as it was entered. */
function outer(states: readonly string[]): string[] {
  const names = states.map((state) => state.replace(/\..*/, ''));
  return names.filter((name, index) => name !== names[index - 1]);
}
