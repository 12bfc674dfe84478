import { once } from 'node:events';
import { connect } from 'node:net';
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { chromiumFlags, chromiumPath } from '../support/chromium-path.ts';

/** Far more than anything here takes, because a busy machine must not fail a test. */
const WITHIN_MS = 40_000;

/** Starts Chromium. @throws Error that explains how to install it. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: [...chromiumFlags] });
}

/** The workers take turns, but a page also takes turns for its files. */
const TABS_MAX = 30;

/** Opens a tab on another worker than a tab. */
export function openApart(browser: Browser, address: TabAddress, from: LobbyTab) {
  return openWhere(browser, address, async (tab) => (await tab.worker()) !== (await from.worker()));
}

/** Opens a tab on the same worker as a tab. */
export function openBeside(browser: Browser, address: TabAddress, by: LobbyTab) {
  return openWhere(browser, address, async (tab) => (await tab.worker()) === (await by.worker()));
}

async function openWhere(
  browser: Browser,
  address: TabAddress,
  isThere: (tab: LobbyTab) => Promise<boolean>,
): Promise<LobbyTab> {
  for (let opened = 0; opened < TABS_MAX; opened += 1) {
    const tab = await LobbyTab.open(browser, address);
    if (await isThere(tab)) return tab;
    await tab.close();
    // Every page takes about the same number of turns. Passing the turn on every second time helps with odd and even ones.
    if (opened % 2 === 0) await isListening(Number(new URL(address.url).port));
  }
  throw new Error(`${TABS_MAX} tabs are on the wrong worker`);
}

export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Records the outermost lit state, now and whenever it changes. */
const RECORD = `(() => {
  const outermost = () => document.querySelector('#chart .is-active')?.id ?? 'none';
  globalThis.litStates = [outermost()];
  new MutationObserver(() => {
    if (outermost() !== globalThis.litStates.at(-1)) globalThis.litStates.push(outermost());
  }).observe(document.getElementById('chart'), { subtree: true, attributeFilter: ['class'] });
})()`;

/** Which lobby, and the name of the visitor. */
export interface TabAddress {
  readonly url: string;
  readonly name: string;
  /** The value of every random number in the page. */
  readonly chance?: number;
  /** Whether the time of the page can be stopped: {@link LobbyTab.holdTime}. */
  readonly ownTime?: boolean;
}

/** Longer than two commands to the browser take. */
const HELD_FROM_MS = 30_000;

/** One tab of the lobby, as a person sees it. */
export class LobbyTab {
  readonly page: Page;
  /** Errors of scripts, and console errors of the browser about the page. */
  readonly complaints: string[] = [];
  /** Dialogs that opened. There must be none. */
  readonly dialogs: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(WITHIN_MS);
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('dialog', (dialog) => {
      this.dialogs.push(dialog.message());
      void dialog.dismiss();
    });
  }

  /** Opens a tab under a name and waits until it is connected. */
  static async open(
    browser: Browser,
    address: TabAddress,
    looks: BrowserContextOptions = {},
  ): Promise<LobbyTab> {
    const context = await browser.newContext(looks);
    const tab = new LobbyTab(await context.newPage());
    const { chance, ownTime } = address;
    if (ownTime) await tab.page.clock.install();
    if (chance !== undefined) await context.addInitScript(`Math.random = () => ${chance}`);
    await tab.page.goto(`${address.url}?${new URLSearchParams({ name: address.name })}`);
    await tab.isConnected();
    return tab;
  }

  /** Waits until the connection is open and the table shows it. */
  async isConnected(): Promise<void> {
    await this.sees(this.page.locator('#own-state[data-state="up"]'));
    await this.sees(this.page.locator('.connection[data-own][data-state="open"]'));
  }

  async sees(wanted: Locator): Promise<void> {
    await wanted.first().waitFor({ state: 'visible' });
  }

  /** Stops the timers of the page, after those that were due soon. The network continues. */
  async holdTime(): Promise<void> {
    await this.page.clock.pauseAt(Number(await this.page.evaluate('Date.now()')) + HELD_FROM_MS);
  }

  /** The id that the server gave to its connection. */
  async id(): Promise<string> {
    return (await this.page.locator('#own-id').textContent()) ?? '';
  }

  /** The worker that its connection is on. */
  async worker(): Promise<string> {
    return (await this.page.locator('#own-worker').textContent()) ?? '';
  }

  /** A worker in the list of workers. */
  workerTile(name: string): Locator {
    return this.page.locator(`.worker-tile[data-worker="${name}"]`);
  }

  /** Enters another room, and shows it. */
  async join(room: string): Promise<void> {
    await this.page.getByRole('button', { name: new RegExp(`^${room}`) }).click();
    await this.page.getByRole('button', { name: 'Join', exact: true }).click();
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  async say(text: string): Promise<void> {
    await this.page.getByLabel('Message').fill(text);
    await this.page.getByRole('button', { name: 'Send', exact: true }).click();
  }

  async invite(kind: string): Promise<void> {
    await this.page.locator(`#guest-actions [data-kind="${kind}"]`).click();
  }

  async misbehave(kind: string): Promise<void> {
    await this.page.locator(`#tab-actions [data-kind="${kind}"]`).click();
  }

  line(text: string): Locator {
    return this.page.locator('.line', { hasText: text });
  }

  /** The messages in its room, in order. */
  messages(): Promise<string[]> {
    return this.page.locator('#line-list .line-text').allTextContents();
  }

  /** The same with the notes about outages. */
  shown(): Promise<string[]> {
    return this.page.locator('#line-list :is(.line-text, .outage)').allTextContents();
  }

  row(name: string): Locator {
    return this.page.locator('.connection', { hasText: name });
  }

  /** An entry in the list of endings: its name, and the cause. */
  ending(who: string, cause: string): Locator {
    return this.page.locator(`.ending[data-cause="${cause}"]`, { hasText: who });
  }

  toast(text: string | RegExp): Locator {
    return this.page.locator('.toast', { hasText: text });
  }

  /** What the status bar shows about the connection of this tab. */
  status(text: string | RegExp): Locator {
    return this.page.locator('#status', { hasText: text });
  }

  /** A message of this tab that the server has not published. */
  outgoing(text: string): Locator {
    return this.page.locator('.outgoing', { hasText: text });
  }

  /** The note in a room about the time in which this tab was not connected. */
  outage(text: string | RegExp): Locator {
    return this.page.locator('.outage', { hasText: text });
  }

  /** A state of the chart, lit because this tab is in it. */
  lit(path: string): Locator {
    return this.page.locator(`#chart .is-active[id="connection.${path}"]`);
  }

  /** A state of the chart with a connection in it, now or earlier. */
  counted(path: string): Locator {
    return this.page.locator(`#chart [data-count][id="connection.${path}"] .count`);
  }

  /** Some states are lit only for moments. This records them. */
  async recordLit(): Promise<void> {
    await this.page.evaluate(RECORD);
  }

  /** The outermost states that have been lit since then, in order. */
  async recordedLit(): Promise<unknown> {
    return this.page.evaluate('globalThis.litStates');
  }
}
