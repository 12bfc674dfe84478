import type { Clock } from '../../core/clock.ts';
import { type CloseFrame, checkedCloseFrame } from '../../core/close-code.ts';
import * as defaults from '../../core/defaults.ts';
import {
  drainCall,
  group,
  integer,
  integers,
  invalidOptions,
  ordered,
  type Rule,
  resolved,
  text,
} from '../../core/option-rules.ts';
import { kindOf } from '../../core/wording.ts';
import { leaveToSupervisor, type NodeClientOptions, nodeRules } from '../node-options.ts';
import { filled } from '../options.ts';
import type { CircuitOptions } from './circuit-breaker.ts';
import type { PoolDrainOptions } from './pool-types.ts';

/** Options of a pool; those of a client are those of each member. */
export interface PoolOptions<In = unknown, Out = unknown>
  extends Omit<NodeClientOptions<In, Out>, 'queueMax' | 'restarts'> {
  /** Connections, spread over the peers. @default 4 */
  size?: number;
  /** When a peer is left alone for a while. */
  circuit?: Partial<CircuitOptions>;
}

/** Members keep no messages, and never give up. */
const { queueMax, restarts, ...memberRules } = nodeRules;

const poolRules = {
  ...memberRules,
  ...integers(defaults.pool),
  circuit: group(integers(defaults.circuit), ordered('minMs', 'maxMs')),
} satisfies Record<keyof PoolOptions, Rule<unknown>>;

const drainRules = {
  withinMs: integer(defaults.drain.withinMs),
  code: integer(1000, [0, 65_535]),
  reason: text(''),
} satisfies Record<keyof PoolDrainOptions, Rule<unknown>>;

/** @throws MooringError `invalid-options`, naming the path of every option that is wrong. */
export function resolvePoolOptions<In, Out>(given: PoolOptions<In, Out>, clock: Clock) {
  const checked = resolved(given, poolRules, { finish: leaveToSupervisor });
  const { size, circuit, headers, supervisor, actors, connect, ...options } = checked;
  const member = filled<In, Out>(
    { ...options, ...defaults.client, restarts: defaults.restarts },
    clock,
  );
  return { size, circuit, headers, supervisor, actors, connect, member };
}

/** @throws MooringError `invalid-options`, naming each URL that is wrong by its place. */
export function checkedUrls(urls: readonly (string | URL)[]): readonly string[] {
  if (!Array.isArray(urls) || urls.length === 0) {
    const given = Array.isArray(urls) ? 'an empty one' : kindOf(urls);
    throw invalidOptions([`urls: must be a list of at least one URL, not ${given}`]);
  }
  const texts = urls.map(String);
  const problems = texts.flatMap((text, index) => {
    if (!isWebSocketUrl(text)) return [`urls[${index}]: must be the URL of a WebSocket`];
    return texts.indexOf(text) < index ? [`urls[${index}]: is listed twice`] : [];
  });
  if (problems.length > 0) throw invalidOptions(problems);
  return texts;
}

/** A drain's options, checked and filled in. */
export interface PoolDrainPlan {
  readonly withinMs: number;
  readonly frame: CloseFrame;
}

/** @throws MooringError `invalid-options` or `invalid-close` */
export function poolDrainPlan(options: PoolDrainOptions): PoolDrainPlan {
  const { withinMs, code, reason } = resolved(options, drainRules, { call: drainCall });
  return { withinMs, frame: checkedCloseFrame(code, reason) };
}

function isWebSocketUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hash } = new URL(text);
  return /^(wss?|https?|ws\+unix|wss\+unix):$/.test(protocol) && hash === '';
}
