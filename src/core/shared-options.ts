import { type Clock, isClock, mustBeClock } from './clock.ts';
import { type Codec, codecProblem, isCodec } from './codec.ts';
import * as defaults from './defaults.ts';
import { type Inspector, isInspector, mustBeInspector } from './inspection.ts';
import { type Limits, type OverRatePolicy, partsOf } from './limits.ts';
import {
  callback,
  group,
  integers,
  must,
  oneOf,
  optional,
  ordered,
  type Report,
  type Rule,
} from './option-rules.ts';
import {
  asyncProblems,
  type ContractName,
  isAsyncSchema,
  isStandardSchema,
  mustBeSchema,
  type StandardSchemaV1,
} from './standard-schema.ts';

/** The options that a supervisor and a client have in common. */
export const sharedRules = /* @__PURE__ */ (() => ({
  messages: contract('messages'),
  sends: contract('sends'),
  requests: contract('requests'),
  replies: contract('replies'),
  asks: contract('asks'),
  answers: contract('answers'),
  codec: must<Codec | undefined>(undefined, isCodec, codecProblem),
  overRate: oneOf<OverRatePolicy>('pause', 'close'),
  subprotocols,
  onOpen: callback(),
  onMessage: callback(),
  onRequest: callback(),
  timeouts: group(integers(defaults.timeouts)),
  heartbeat: group(integers(defaults.heartbeat)),
  clock: optional<Clock>(isClock, mustBeClock),
  random: callback<() => number>(),
  inspect: optional<Inspector>(isInspector, mustBeInspector),
}))();

/** Limits. The default numbers of fragments and chunks follow from the longest message. */
export function limitsRule(usual: Limits): Rule<Limits> {
  return group(integers(usual), (limits, report, given) => {
    const parts = partsOf(limits.payloadBytesMax);
    if (given.fragmentsMax === undefined) limits.fragmentsMax = parts.fragmentsMax;
    if (given.bufferedChunksMax === undefined) limits.bufferedChunksMax = parts.bufferedChunksMax;
    ordered('outboxLowBytes', 'outboxHighBytes')(limits, report);
  });
}

const none: readonly string[] = /* @__PURE__ */ Object.freeze([]);

/** Returns a copy, because later changes of the list would not be checked. */
function subprotocols(given: unknown, report: Report): readonly string[] {
  if (given === undefined) return none;
  if (!Array.isArray(given)) {
    report('must be a list of strings');
    return none;
  }
  for (const [index, name] of given.entries()) {
    if (typeof name !== 'string' || name === '') report('must be the name of a subprotocol', index);
    else if (!token.test(name))
      report('has a character that is not allowed in a subprotocol', index);
    else if (given.indexOf(name) < index) report('is listed twice', index);
  }
  return Object.freeze([...given]);
}

/** A token (RFC 9110 §5.6.2), as RFC 6455 §4.1 requires. */
const token = /^[\w!#$%&'*+.^`|~-]+$/;

function contract(name: ContractName): Rule<StandardSchemaV1 | undefined> {
  return (given, report) => {
    if (given !== undefined && !isStandardSchema(given)) report(mustBeSchema);
    else if (isAsyncSchema(given)) report(asyncProblems[name]);
    return given as StandardSchemaV1 | undefined;
  };
}
