import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { chromiumFlags, chromiumPath } from './chromium-path.ts';
import { eventually, until } from './until.ts';

const START_WITHIN_MS = 60_000;

/** What comes back for a command of the DevTools protocol. */
interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/**
 * Chromium as a person has it, with tabs that go into the background, freeze, and sleep with their device.
 *
 * It is driven by the bare DevTools protocol: Playwright keeps every page visible and awake, whatever it is asked.
 */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #tools: WebSocket | null = null;
  #asked = 0;

  private constructor(path: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'mooring-chromium-'));
    // A process group of its own: it sleeps, wakes and ends with all its children.
    const flags = [
      ...chromiumFlags,
      '--remote-debugging-port=0',
      `--user-data-dir=${this.#profile}`,
    ];
    this.#process = spawn(path, flags, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    process.once('exit', this.#kill);
  }

  /** @throws Error that says how to install it. */
  static async start(): Promise<Chromium> {
    const chromium = new Chromium(chromiumPath());
    await chromium.#connect();
    return chromium;
  }

  async #connect(): Promise<void> {
    const tools = new WebSocket(await this.#address(), { perMessageDeflate: false });
    tools.on('message', (data) => {
      const answer = JSON.parse(String(data)) as Answer;
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
    tools.on('close', () => {
      for (const answer of this.#waiting.values()) answer({ error: { message: 'it is gone' } });
    });
    await once(tools, 'open');
    this.#tools = tools;
  }

  async #address(): Promise<string> {
    const signal = AbortSignal.timeout(START_WITHIN_MS);
    const { stderr } = this.#process;
    assert.ok(stderr);
    let output = '';
    stderr.on('data', (chunk) => {
      output += chunk;
    });
    for (;;) {
      const [, address] = /DevTools listening on (ws:\S+)/.exec(output) ?? [];
      if (address !== undefined) return address;
      await once(stderr, 'data', { signal });
    }
  }

  /** Gives a command to the browser, or to one of its tabs. */
  async command(method: string, params: object = {}, sessionId?: string) {
    this.#asked += 1;
    const id = this.#asked;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#tools?.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await answered;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  /** Opens a tab in front of all others; `prepare` comes before the page. */
  async open(url: string, prepare?: (tab: Tab) => Promise<void>): Promise<Tab> {
    const { targetId } = await this.command('Target.createTarget', { url: 'about:blank' });
    const attached = await this.command('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, String(targetId), String(attached['sessionId']));
    await prepare?.(tab);
    await tab.goTo(url);
    return tab;
  }

  /** Stops every process of it where it is, and waits until the kernel says so: the device sleeps. */
  async sleep(): Promise<void> {
    this.#signal('SIGSTOP');
    await until(() => this.#states().every((state) => 'TZ'.includes(state)), 'it sleeps');
  }

  wake(): void {
    this.#signal('SIGCONT');
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    this.#tools?.terminate();
    const gone = this.#process.exitCode ?? this.#process.signalCode ?? once(this.#process, 'exit');
    this.#kill();
    await gone;
    // What was still writing to it a moment ago is being reaped.
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  readonly #kill = (): void => this.#signal('SIGKILL');

  #signal(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, signal);
  }

  /** What the kernel says of each process: R, S, T, Z. */
  #states(): string[] {
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return processes.flatMap((id) => {
      const [, state = '', , group] = statOf(id);
      return Number(group) === this.#process.pid ? [state] : [];
    });
  }
}

/** The fields behind the name of a process, which may hold spaces; none once it is gone. */
function statOf(id: string): string[] {
  try {
    return readFileSync(`/proc/${id}/stat`, 'latin1').replace(/^.*\)/s, ')').split(' ');
  } catch {
    return [];
  }
}

/** One tab. */
export class Tab {
  readonly #chromium: Chromium;
  readonly #targetId: string;
  readonly #sessionId: string;

  constructor(chromium: Chromium, targetId: string, sessionId: string) {
    this.#chromium = chromium;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
  }

  /** What an expression comes to in the page. */
  async evaluate<Value = unknown>(expression: string): Promise<Value> {
    const params = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#command('Runtime.evaluate', params);
    assert.equal(exceptionDetails, undefined, `${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value: Value }).value;
  }

  /** Waits until an expression is true in the page. Whatever throws on the way there is not true yet. */
  async until(expression: string): Promise<void> {
    const guarded = `(() => { try { return !!(${expression}); } catch { return false; } })()`;
    await eventually(() => this.evaluate<boolean>(guarded), expression);
  }

  /** Brings it to the front; the tab that was there is hidden. */
  async activate(): Promise<void> {
    await this.#chromium.command('Target.activateTarget', { targetId: this.#targetId });
  }

  /** Lets the page, which must be hidden, stand still. */
  async freeze(): Promise<void> {
    await this.#command('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw(): Promise<void> {
    await this.#command('Page.setWebLifecycleState', { state: 'active' });
  }

  /**
   * Takes the network from the page, as a tunnel does, or gives it back: nothing arrives, nothing is closed. This holds
   * for connections that the page has made since it was called for the first time.
   */
  async setOffline(offline: boolean): Promise<void> {
    await this.#command('Network.enable');
    const speed = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.#command('Network.emulateNetworkConditions', { offline, ...speed });
  }

  async goTo(url: string): Promise<void> {
    await this.#command('Page.navigate', { url });
    await this.until(
      `location.href === ${JSON.stringify(url)} && document.readyState === "complete"`,
    );
  }

  /** Back in its history, as the button does. */
  async goBack(): Promise<void> {
    const { currentIndex, entries } = await this.#command('Page.getNavigationHistory');
    const before = (entries as { id: number }[])[Number(currentIndex) - 1];
    await this.#command('Page.navigateToHistoryEntry', { entryId: before?.id });
  }

  async close(): Promise<void> {
    await this.#chromium.command('Target.closeTarget', { targetId: this.#targetId });
  }

  #command(method: string, params: object = {}) {
    return this.#chromium.command(method, params, this.#sessionId);
  }
}
