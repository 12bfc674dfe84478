import { pageClock } from '../core/clock.ts';
import type { Limits, Timeouts } from '../core/limits.ts';
import { type Finish, type Given, type Rule, resolved } from '../core/option-rules.ts';
import {
  type ClientOptions,
  checkIdle,
  checkPositions,
  clientRules,
  filled,
  type ResolvedClientOptions,
} from './options.ts';

/** Options that limit what a page cannot see, or what only a server has. */
const absent = {
  timeouts: ['messageMs'],
  limits: ['fragmentsMax', 'bufferedChunksMax', 'topicsMax'],
} as const satisfies {
  readonly timeouts: readonly (keyof Timeouts)[];
  readonly limits: readonly (keyof Limits)[];
};

/** Options of a client over the native WebSocket of its host: those of Node.js, except those that cannot work there. */
export interface PageClientOptions<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
> extends Omit<ClientOptions<In, Out, Ask, Answer, Request, Reply>, 'timeouts' | 'limits'> {
  /** How long each state of a connection may last. */
  timeouts?: Given<Omit<Timeouts, (typeof absent.timeouts)[number]>> | undefined;
  /**
   * What one connection may use, as for a client in Node.js. A message over `payloadBytesMax` ends the connection, and
   * at most that many bytes wait while reading is paused.
   */
  limits?: Given<Omit<Limits, (typeof absent.limits)[number]>> | undefined;
}

const inNodeOnly: Rule<undefined> = (given, report) => {
  if (given !== undefined) report('exists in Node.js only');
  return undefined;
};

const pageRules = /* @__PURE__ */ (() => ({
  ...clientRules,
  headers: inNodeOnly,
  supervisor: inNodeOnly,
  actors: inNodeOnly,
  connect: inNodeOnly,
}))();

/**
 * Checks the options of a client in a page, and fills in defaults.
 *
 * @throws MooringError `invalid-options`, with the path of every option that is wrong, or has no effect in a page.
 */
export function resolvePageOptions<In, Out>(
  options: PageClientOptions<In, Out>,
): ResolvedClientOptions<In, Out> {
  return filled<In, Out>(resolved(options, pageRules, finish), pageClock);
}

/** Refuses options without effect. A page cannot ping, so the times of a heartbeat need a Mooring server or messages. */
const finish: Finish<typeof pageRules> = (options, report, given) => {
  checkIdle(options, report);
  checkPositions(options, report);
  const { mooring, heartbeat } = options;
  const refuseIn = (group: keyof typeof given, names: readonly string[], without = '') => {
    const options = Object(given[group]) as Record<string, unknown>;
    for (const name of names)
      if (options[name] !== undefined) report(`has no effect in a page${without}`, group, name);
  };
  refuseIn('timeouts', absent.timeouts);
  refuseIn('limits', absent.limits);
  if (mooring) return;
  const { message, expects } = heartbeat;
  if (message === undefined) refuseIn('heartbeat', ['intervalMs'], ' without mooring or message');
  if (message === undefined || expects === undefined)
    refuseIn('heartbeat', ['graceMs'], ' without mooring, or message and expects');
};
