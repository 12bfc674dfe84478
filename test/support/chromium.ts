import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { chromiumFlags, chromiumPath } from './chromium-path.ts';
import { eventually, until } from './until.ts';

/**
 * The pipe of the DevTools protocol. Chromium ends when its end of the pipe closes, and therefore with the
 * process that started it.
 */
type Pipes = [null, null, null, Writable, Readable];

/** The answer to a command of the DevTools protocol. */
interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/**
 * Chromium as people use it, with tabs that go into the background, freeze, and sleep with their device.
 *
 * It is driven by the plain DevTools protocol, because Playwright keeps every page visible and awake,
 * whatever the settings.
 */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #orders: Writable;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #unfinished = '';
  #asked = 0;

  private constructor(path: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'mooring-chromium-'));
    // A process group of its own: it sleeps, wakes and ends with all its children.
    const flags = [...chromiumFlags, '--remote-debugging-pipe', `--user-data-dir=${this.#profile}`];
    this.#process = spawn(path, flags, {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const [, , , orders, answers] = this.#process.stdio as unknown as Pipes;
    // Each command checks first whether it has ended.
    orders.on('error', () => {});
    answers.setEncoding('utf8').on('data', (chunk: string) => this.#heard(chunk));
    this.#orders = orders;
    this.#process.once('exit', () => {
      for (const answer of this.#waiting.values()) answer({ error: { message: 'it is gone' } });
    });
    process.once('exit', this.#kill);
  }

  /** @throws Error that explains how to install it. */
  static async start(): Promise<Chromium> {
    const chromium = new Chromium(chromiumPath());
    await chromium.command('Browser.getVersion');
    return chromium;
  }

  /** Answers are separated by NUL. */
  #heard(chunk: string): void {
    const answers = `${this.#unfinished}${chunk}`.split('\0');
    this.#unfinished = answers.pop() ?? '';
    for (const text of answers) {
      const answer = JSON.parse(text) as Answer;
      this.#waiting.get(answer.id ?? 0)?.(answer);
    }
  }

  /** Sends a command to the browser, or to one of its tabs. */
  async command(method: string, params: object = {}, sessionId?: string) {
    assert.ok(this.#isRunning, `${method}: it is gone`);
    this.#asked += 1;
    const id = this.#asked;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#orders.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answered;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  /** Opens a tab in front of all others. `prepare` runs before the page. */
  async open(url: string, prepare?: (tab: Tab) => Promise<void>): Promise<Tab> {
    const { targetId } = await this.command('Target.createTarget', { url: 'about:blank' });
    const attached = await this.command('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, String(targetId), String(attached['sessionId']));
    await prepare?.(tab);
    await tab.goTo(url);
    return tab;
  }

  /** Stops every process where it is, and waits until the kernel confirms it: the device sleeps. */
  async sleep(): Promise<void> {
    this.#signal('SIGSTOP');
    await until(() => this.#states().every((state) => 'TZ'.includes(state)), 'it sleeps');
  }

  wake(): void {
    this.#signal('SIGCONT');
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    const gone = this.#isRunning && once(this.#process, 'exit');
    this.#kill();
    await gone;
    // A process that was still writing to it a moment ago is being reaped.
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  readonly #kill = (): void => this.#signal('SIGKILL');

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid !== undefined && this.#isRunning) process.kill(-pid, signal);
  }

  get #isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The state of each process according to the kernel: R, S, T, Z. */
  #states(): string[] {
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return processes.flatMap((id) => {
      const [, state = '', , group] = statOf(id);
      return Number(group) === this.#process.pid ? [state] : [];
    });
  }
}

/** The fields after the name of a process, which may contain spaces. None once it has ended. */
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

  /** The value of an expression in the page. */
  async evaluate<Value = unknown>(expression: string): Promise<Value> {
    const params = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#command('Runtime.evaluate', params);
    assert.equal(exceptionDetails, undefined, `${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value: Value }).value;
  }

  /** Waits until an expression is true in the page. An error while evaluating it counts as not yet true. */
  async until(expression: string): Promise<void> {
    const guarded = `(() => { try { return !!(${expression}); } catch { return false; } })()`;
    await eventually(() => this.evaluate<boolean>(guarded), expression);
  }

  /** Brings it to the front, which hides the previous tab. */
  async activate(): Promise<void> {
    await this.#chromium.command('Target.activateTarget', { targetId: this.#targetId });
  }

  /** Freezes the page, which must be hidden. */
  async freeze(): Promise<void> {
    await this.#command('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw(): Promise<void> {
    await this.#command('Page.setWebLifecycleState', { state: 'active' });
  }

  /**
   * Cuts the network of the page, as a tunnel does, or restores it: nothing arrives, and nothing is closed.
   * This applies to connections that the page has made since the first call.
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

  /** Goes back in its history, as the button does. */
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
