import { sharedRuntime, tickMsOf } from '../connection/shared-runtime.ts';
import type { Clock } from '../core/clock.ts';
import type { Rule } from '../core/option-rules.ts';
import { printAs } from '../core/text.ts';
import { TimerWheel } from '../core/timer-wheel.ts';
import { Reads } from '../transport/reads.ts';
import { ClientHandle } from './client-handle.ts';
import { type ClientRuntime, clientRuntime } from './client-runtime.ts';
import { clientRules, type ResolvedClientOptions } from './options.ts';
import { OutboundHandle } from './outbound-handle.ts';
import { addressIn } from './reconnect/target.ts';

/** The wheels of a clock, by the length of their ticks: 96 at most. */
const wheels = new WeakMap<Clock, Map<number, TimerWheel>>();

/** What was made of options, for as long as a client has them. */
const made = new WeakMap<ResolvedClientOptions, ClientRuntime<unknown, unknown>>();

/** The options that came last for a clock. They may hold what an application keeps secret, and end with their clients. */
const latest = new WeakMap<Clock, WeakRef<ResolvedClientOptions>>();

/**
 * What a client in Node.js shares with all others that have the same options: 6 KB (measured).
 *
 * A service that makes a thousand clients gives them the same options, so the last ones are remembered while one of these clients
 * lives. Clients with other options still share the wheel if their ticks are the same.
 */
export function sharedClientRuntime<In, Out>(
  options: ResolvedClientOptions<In, Out>,
): ClientRuntime<In, Out> {
  const { clock } = options;
  const last = latest.get(clock)?.deref();
  const known = last && made.get(last);
  // What has the same contract is of the same type.
  if (known !== undefined && saysTheSame(known.options, options as ResolvedClientOptions)) {
    return known as ClientRuntime<In, Out>;
  }
  const shared = sharedRuntime(options, wheelFor(clock, tickMsOf(options)));
  const runtime = clientRuntime(options, { ...shared, reads: new Reads(shared) });
  made.set(options as ResolvedClientOptions, runtime as ClientRuntime<unknown, unknown>);
  latest.set(clock, new WeakRef(options as ResolvedClientOptions));
  return runtime;
}

/** Groups and lists are made anew for each client, so what is in them is compared. */
function saysTheSame(one: ResolvedClientOptions, other: ResolvedClientOptions): boolean {
  return Object.entries<Rule<unknown>>(clientRules).every(([option, { names }]) => {
    const name = option as keyof ResolvedClientOptions;
    const isMade = names !== undefined || name === 'subprotocols';
    return isMade ? isCopy(one[name] as object, other[name] as object) : one[name] === other[name];
  });
}

/** Whether two groups, or lists, have the same in the same places. */
function isCopy(one: object, other: object): boolean {
  if (one === other) return true;
  const [ours, theirs] = [Object.entries(one), Object.entries(other)];
  return (
    ours.length === theirs.length &&
    ours.every(([name, value], at) => theirs[at]?.[0] === name && theirs[at]?.[1] === value)
  );
}

function wheelFor(clock: Clock, tickMs: number): TimerWheel {
  const ofClock = wheels.get(clock) ?? new Map<number, TimerWheel>();
  const wheel = ofClock.get(tickMs) ?? new TimerWheel(clock, tickMs);
  wheels.set(clock, ofClock.set(tickMs, wheel));
  return wheel;
}

// Not the URL, which may have credentials.
printAs(ClientHandle.prototype, 'Client', ({ url, status, queuedMessages, connection }) => {
  const { state, attempts } = status;
  return { state, address: addressIn(url), attempts, queuedMessages, connection };
});

printAs(OutboundHandle.prototype, 'Connection', ({ id, state, address }) => {
  return { id, state, address };
});
