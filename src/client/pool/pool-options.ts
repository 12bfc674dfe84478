import type { Clock } from '../../core/clock.ts';
import { type CloseFrame, checkedCloseFrame } from '../../core/close-code.ts';
import { drainCall, invalidOptions } from '../../core/option-problems.ts';
import { kindOf } from '../../core/wording.ts';
import { Check } from '../check.ts';
import { type NodeClientOptions, nodeOptionNames } from '../node-options.ts';
import { type ResolvedClientOptions, resolveClientOptions } from '../options.ts';
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

/** Options of a pool with all defaults filled in. */
export interface ResolvedPoolOptions<In, Out> {
  readonly size: number;
  readonly circuit: Readonly<CircuitOptions>;
  readonly member: ResolvedClientOptions<In, Out>;
}

export const poolDefaults: Readonly<{ size: number }> = Object.freeze({ size: 4 });

export const circuitDefaults: Readonly<CircuitOptions> = Object.freeze({
  failuresMax: 5,
  minMs: 1_000,
  maxMs: 30_000,
});

const drainDefaults: Readonly<{ withinMs: number }> = Object.freeze({ withinMs: 30_000 });

const drainOptionNames: ReadonlySet<string> = new Set<keyof PoolDrainOptions>([
  ...(['withinMs', 'code', 'reason'] as const),
]);

/** The options of a pool. Its members keep no messages, and never give up. */
export const poolOptionNames: ReadonlySet<string> = new Set(
  [...nodeOptionNames, 'size', 'circuit'].filter(
    (name) => !['queueMax', 'restarts'].includes(name),
  ),
);

/** @throws MooringError `invalid-options`, naming the path of every option that is wrong. */
export function resolvePoolOptions<In, Out>(
  options: PoolOptions<In, Out>,
  clock: Clock,
): ResolvedPoolOptions<In, Out> {
  const { size, circuit, ...rest } = options;
  const check = new Check(options);
  const resolved = {
    ...check.section('', { size }, poolDefaults),
    circuit: check.section('circuit', circuit, circuitDefaults),
  };
  check.that(
    resolved.circuit.minMs <= resolved.circuit.maxMs,
    'circuit.minMs',
    'must not be above maxMs',
  );
  check.done();
  return { ...resolved, member: resolveClientOptions<In, Out>(rest, clock) };
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
  const check = new Check(options, drainCall);
  const { code = 1000, reason = '' } = options;
  check.names(options, drainOptionNames);
  const { withinMs } = check.section('', { withinMs: options.withinMs }, drainDefaults);
  check.done();
  return { withinMs, frame: checkedCloseFrame(code, reason) };
}

function isWebSocketUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hash } = new URL(text);
  return /^(wss?|https?|ws\+unix|wss\+unix):$/.test(protocol) && hash === '';
}
