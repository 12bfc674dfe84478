import type { ChartSystem } from '../chart/chart-system.ts';
import { guarded, ignoreRejection, isThenable } from '../core/guard.ts';
import type { Platform } from './client-runtime.ts';
import type { HostSigns, WatchSigns } from './host-signs.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { ErrorReporter } from './reconnect/reconnect-policy.ts';

/** What a watch of the host needs of the client. */
export interface SignsParts {
  readonly runtime: {
    readonly options: Pick<ResolvedClientOptions, 'signs'>;
  };
  readonly charts: Pick<ChartSystem, 'notifications'>;
  readonly streams: ErrorReporter;
}

/** The platform of a client. With the option `signs`, the application watches the host in its place. */
export function withSigns(platform: Platform, parts: SignsParts): Platform {
  const { signs } = parts.runtime.options;
  if (signs === undefined) return platform;
  return {
    ...platform,
    watchHost: (client) => {
      const watch = new SignsWatch(signs, client, parts);
      return () => watch.end();
    },
  };
}

/** One time that a client watches its host. User code runs when the chart has settled. */
class SignsWatch {
  readonly #parts: SignsParts;
  #stop: unknown;
  #isOver = false;

  constructor(signs: WatchSigns, client: HostSigns, parts: SignsParts) {
    this.#parts = parts;
    const host: HostSigns = {
      offline: () => this.#isOver || client.offline(),
      online: () => this.#isOver || client.online(),
      woke: () => this.#isOver || client.woke(),
    };
    this.#run(() => {
      if (!this.#isOver) this.#stop = checked(signs(host));
    });
  }

  /** Also when `signs` itself closes the client: the notification comes after it has returned. */
  end(): void {
    this.#isOver = true;
    this.#run(() => (typeof this.#stop === 'function' ? this.#stop() : undefined));
  }

  #run(call: () => unknown): void {
    const { charts, streams } = this.#parts;
    charts.notifications.add(() => guarded(call, streams.report('signs')));
  }
}

/** @throws TypeError for a promise: what it resolves with could not be called in time. */
function checked(stop: unknown): unknown {
  if (!isThenable(stop)) return stop;
  ignoreRejection(stop);
  throw new TypeError('signs must not be async');
}
