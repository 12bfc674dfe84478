import type { Clock } from '../../core/clock.ts';
import * as defaults from '../../core/defaults.ts';
import {
  type Given,
  group,
  integers,
  invalidOptions,
  ordered,
  type Rule,
  refuseForeign,
  resolved,
} from '../../core/option-rules.ts';
import { kindOf } from '../../core/wording.ts';
import { insteads, leaveToSupervisor, type NodeClientOptions, nodeRules } from '../node-options.ts';
import { filled } from '../options.ts';
import { urlProblem } from '../reconnect/node-route.ts';
import type { CircuitOptions } from './circuit-breaker.ts';

/** Options of a pool. Options of a client apply to each member. */
export interface PoolOptions<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
> extends Omit<
    NodeClientOptions<In, Out, Ask, Answer, Request, Reply>,
    keyof typeof defaults.client | 'restarts' | 'dial' | 'idleMs' | 'positions'
  > {
  /** How many connections to keep open, spread over the peers. @default 4 */
  size?: number | undefined;
  /** When, and for how long, the pool stops dialing a peer that fails. */
  circuit?: Given<CircuitOptions> | undefined;
}

/** Members keep no messages, and never give up. */
const {
  queueMax,
  queueBytesMax,
  queueFlushPerSecond,
  restarts,
  dial,
  idleMs,
  positions,
  ...memberRules
} = nodeRules;

/** Why a pool does not have some options of a client. */
const poolInsteads = {
  queueMax: 'a pool has no queue',
  queueBytesMax: 'a pool has no queue',
  restarts: 'a pool never gives up',
  dial: 'a pool keeps its connections open',
  positions: 'members of a pool do not resume',
};

const poolRules = {
  ...memberRules,
  ...integers(defaults.pool),
  circuit: group(integers(defaults.circuit), ordered('minMs', 'maxMs')),
} satisfies Record<keyof PoolOptions, Rule<unknown>>;

/** @throws MooringError `invalid-options`, with the path of every wrong option. */
export function resolvePoolOptions<In, Out>(given: PoolOptions<In, Out>, clock: Clock) {
  refuseForeign(given, { ...insteads, ...poolInsteads });
  const checked = resolved(given, poolRules, leaveToSupervisor);
  const { size, circuit, headers, supervisor, actors, connect, ...options } = checked;
  const member = filled<In, Out>(
    {
      ...{ ...options, ...defaults.client, restarts: defaults.restarts },
      ...{ dial: 'at-once', idleMs: undefined, positions: undefined },
    },
    clock,
  );
  return { size, circuit, headers, supervisor, actors, connect, member };
}

/** @throws MooringError `invalid-options`, with the place of every wrong URL. */
export function checkedUrls(urls: readonly (string | URL)[]): readonly string[] {
  if (!Array.isArray(urls) || urls.length === 0) {
    const given = Array.isArray(urls) ? 'an empty one' : kindOf(urls);
    throw invalidOptions([`urls: must be a list of at least one URL, not ${given}`]);
  }
  const texts = urls.map(String);
  const problems = texts.flatMap((text, index) => {
    const problem = urlProblem(text);
    if (problem !== null) return [`urls[${index}]: ${problem}`];
    return texts.indexOf(text) < index ? [`urls[${index}]: is listed twice`] : [];
  });
  if (problems.length > 0) throw invalidOptions(problems);
  return texts;
}
