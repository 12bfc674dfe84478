import { sharedRuntime, tickMsOf } from '../connection/shared-runtime.ts';
import type { Clock } from '../core/clock.ts';
import type { Rule } from '../core/option-rules.ts';
import { printAs } from '../core/text.ts';
import { TimerWheel } from '../core/timer-wheel.ts';
import { Reads } from '../transport/reads.ts';
import { type ClientRuntime, clientRuntime } from './client-runtime.ts';
import { ClientHandle } from './make-client.ts';
import { clientRules, type ResolvedClientOptions } from './options.ts';
import { OutboundHandle } from './outbound-handle.ts';
import { type NodeDirections, nodeRoute } from './reconnect/node-route.ts';
import { addressIn, FixedRoute, type Route } from './reconnect/route.ts';

/**
 * What the clients of one clock share in Node.js.
 *
 * A service that makes a thousand clients gives them the same options and the same peer. So the last runtime and the
 * last route are shared, which saves 6 KB per client (measured). References to them are weak, because both may hold
 * secrets of the application, which must not outlive the clients. Clients with other options still share the wheel if
 * their ticks have the same length.
 */
class Shared {
  /** By the length of their ticks, of which there are at most 96. */
  readonly #wheels = new Map<number, TimerWheel>();
  #runtime: WeakRef<ClientRuntime<unknown, unknown>> | null = null;
  #route: WeakRef<FixedRoute> | null = null;

  runtime(options: ResolvedClientOptions): ClientRuntime<unknown, unknown> {
    const last = this.#runtime?.deref();
    if (last !== undefined && saysTheSame(last.options, options)) return last;
    const { clock } = options;
    const shared = sharedRuntime(options, this.#wheel(clock, tickMsOf(options)));
    const runtime = clientRuntime(options, { ...shared, reads: new Reads(shared) });
    this.#runtime = new WeakRef(runtime);
    return runtime;
  }

  route(directions: NodeDirections): Route {
    const route = nodeRoute(directions);
    if (!(route instanceof FixedRoute)) return route;
    const last = this.#route?.deref();
    if (last !== undefined && isCopy(last.destination, route.destination)) return last;
    this.#route = new WeakRef(route);
    return route;
  }

  #wheel(clock: Clock, tickMs: number): TimerWheel {
    const wheel = this.#wheels.get(tickMs) ?? new TimerWheel(clock, tickMs);
    this.#wheels.set(tickMs, wheel);
    return wheel;
  }
}

const sharedByClock = new WeakMap<Clock, Shared>();

function sharedBy(clock: Clock): Shared {
  const shared = sharedByClock.get(clock) ?? new Shared();
  sharedByClock.set(clock, shared);
  return shared;
}

/** The runtime for these options: the same object for clients with the same options that are made one after another. */
export function sharedClientRuntime<In, Out>(
  options: ResolvedClientOptions<In, Out>,
): ClientRuntime<In, Out> {
  // The same contract objects have the same types.
  const runtime = sharedBy(options.clock).runtime(options as ResolvedClientOptions);
  return runtime as ClientRuntime<In, Out>;
}

/** The route to a peer: the same object for clients of the same peer that are made one after another. */
export function sharedRoute(directions: NodeDirections, clock: Clock): Route {
  return sharedBy(clock).route(directions);
}

/** Whether two clients have the same options. Groups and lists are new objects for each client, so it compares their entries. */
function saysTheSame(one: ResolvedClientOptions, other: ResolvedClientOptions): boolean {
  return Object.entries<Rule<unknown>>(clientRules).every(([option, { names }]) => {
    const name = option as keyof ResolvedClientOptions;
    const isMade = names !== undefined || name === 'subprotocols';
    return isMade ? isCopy(one[name] as object, other[name] as object) : one[name] === other[name];
  });
}

/** Whether two groups, or lists, have the same entries in the same order. Functions have none to compare. */
function isCopy(one: object, other: object): boolean {
  if (one === other) return true;
  if (typeof one === 'function' || typeof other === 'function') return false;
  const [ours, theirs] = [Object.entries(one), Object.entries(other)];
  return (
    ours.length === theirs.length &&
    ours.every(([name, value], at) => theirs[at]?.[0] === name && theirs[at]?.[1] === value)
  );
}

// Without the URL, which may contain credentials.
printAs(ClientHandle.prototype, 'Client', ({ url, status, queuedMessages, connection }) => {
  const { state, attempts } = status;
  return { state, address: addressIn(url), attempts, queuedMessages, connection };
});

printAs(OutboundHandle.prototype, 'Connection', ({ id, state, address }) => {
  return { id, state, address };
});
