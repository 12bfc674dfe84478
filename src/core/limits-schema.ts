import { z } from 'zod';
import {
  type HeartbeatOptions,
  heartbeatDefaults,
  type Limits,
  limitDefaults,
  partsOf,
  type Timeouts,
  timeoutDefaults,
} from './limits.ts';
import {
  invalidOptions,
  isOptions,
  notOptions,
  type OptionsCall,
  problemAt,
  unknownOption,
} from './option-problems.ts';
import { anyOf, mustBeOneOf, wholeNumber } from './wording.ts';

/**
 * A whole number from 1 to 2³¹−1: ws coerces its limits with `| 0`, where a larger number would mean "none",
 * and a native timer that is longer fires at once.
 */
export const positiveInteger = z.int32(wholeNumber).min(1, wholeNumber);

export const timeoutsSchema = z.strictObject({
  handshakeMs: positiveInteger.default(timeoutDefaults.handshakeMs),
  welcomeMs: positiveInteger.default(timeoutDefaults.welcomeMs),
  closeMs: positiveInteger.default(timeoutDefaults.closeMs),
  erroredMs: positiveInteger.default(timeoutDefaults.erroredMs),
  forcedMs: positiveInteger.default(timeoutDefaults.forcedMs),
  stalledMs: positiveInteger.default(timeoutDefaults.stalledMs),
  pausedMs: positiveInteger.default(timeoutDefaults.pausedMs),
  messageMs: positiveInteger.default(timeoutDefaults.messageMs),
}) satisfies z.ZodType<Timeouts>;

export const heartbeatSchema = z.strictObject({
  intervalMs: positiveInteger.default(heartbeatDefaults.intervalMs),
  graceMs: positiveInteger.default(heartbeatDefaults.graceMs),
}) satisfies z.ZodType<HeartbeatOptions>;

export const limitsSchema = z
  .strictObject({
    payloadBytesMax: positiveInteger.default(limitDefaults.payloadBytesMax),
    fragmentsMax: positiveInteger.optional(),
    bufferedChunksMax: positiveInteger.optional(),
    depthMax: positiveInteger.default(limitDefaults.depthMax),
    valuesMax: positiveInteger.default(limitDefaults.valuesMax),
    messagesPerSecondMax: positiveInteger.default(limitDefaults.messagesPerSecondMax),
    messageBurstMax: positiveInteger.default(limitDefaults.messageBurstMax),
    invalidPerMinuteMax: positiveInteger.default(limitDefaults.invalidPerMinuteMax),
    inFlightMax: positiveInteger.default(limitDefaults.inFlightMax),
    inFlightBytesMax: positiveInteger.default(limitDefaults.inFlightBytesMax),
    outboxHighBytes: positiveInteger.default(limitDefaults.outboxHighBytes),
    outboxLowBytes: positiveInteger.default(limitDefaults.outboxLowBytes),
    topicsMax: positiveInteger.default(limitDefaults.topicsMax),
  })
  .refine((limits) => limits.outboxLowBytes <= limits.outboxHighBytes, {
    path: ['outboxLowBytes'],
    message: 'must not be above outboxHighBytes',
  })
  .transform(({ fragmentsMax, bufferedChunksMax, ...limits }) => {
    const parts = partsOf(limits.payloadBytesMax);
    return {
      ...limits,
      fragmentsMax: fragmentsMax ?? parts.fragmentsMax,
      bufferedChunksMax: bufferedChunksMax ?? parts.bufferedChunksMax,
    };
  }) satisfies z.ZodType<Limits>;

/** How much of all unfinished messages is held by default: 64 MiB, or one message where that is more. */
export function unfinishedBytesFor({ payloadBytesMax }: Limits): number {
  return Math.max(67_108_864, payloadBytesMax);
}

/**
 * Checks options against their schema.
 *
 * @param call - how the options are passed, for the error about a value that is no options at all.
 * @throws MooringError `invalid-options`, naming the path of every option that is wrong.
 */
export function checkedOptions<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
  call?: OptionsCall,
): z.output<Schema> {
  if (!isOptions(options)) throw notOptions(options, call);
  const parsed = schema.safeParse(options, { error: inOurWords });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ code, path, message }) =>
    code === 'unrecognized_keys' ? message : problemAt(options, path, message),
  );
  throw invalidOptions(problems, parsed.error);
}

/** Says what is wrong as the client does, which has no schemas. What it leaves out is said by zod. */
const inOurWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${nouns[issue.expected] ?? `a ${issue.expected}`}`;
    case 'invalid_value':
      return mustBeOneOf(issue.values.map(String), issue.input);
    case 'too_small':
      return typeof issue.origin === 'string' && issue.origin !== 'number'
        ? 'must not be empty'
        : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_union':
      return `must be ${anyOf([...new Set(issue.errors.flatMap(expectations))])}`;
    case 'unrecognized_keys':
      return issue.keys
        .map((key) => unknownOption([...(issue.path ?? []), key], namesIn(issue.inst)))
        .join('; ');
    default:
      return undefined;
  }
};

const nouns: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  int: 'a whole number',
};

/** What one way of writing an option would have asked for. */
function expectations([issue]: readonly z.core.$ZodIssue[]): string[] {
  const { message = '' } = issue ?? {};
  return [message.replace(/^must be /, '')];
}

/** The names that an object may have. */
function namesIn(schema: unknown): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
