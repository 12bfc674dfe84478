import { z } from 'zod';
import { SupervisorError } from './errors.ts';
import {
  type HeartbeatOptions,
  heartbeatDefaults,
  type Limits,
  limitDefaults,
  type Timeouts,
  timeoutDefaults,
} from './limits.ts';

/**
 * A whole number from 1 to 2³¹−1: ws coerces its limits with `| 0`, where a larger number would mean "none",
 * and a native timer that is longer fires at once.
 */
export const positiveInteger = z.int32().min(1);

export const timeoutsSchema = z.strictObject({
  handshakeMs: positiveInteger.default(timeoutDefaults.handshakeMs),
  welcomeMs: positiveInteger.default(timeoutDefaults.welcomeMs),
  closeMs: positiveInteger.default(timeoutDefaults.closeMs),
  erroredMs: positiveInteger.default(timeoutDefaults.erroredMs),
  forcedMs: positiveInteger.default(timeoutDefaults.forcedMs),
  stalledMs: positiveInteger.default(timeoutDefaults.stalledMs),
}) satisfies z.ZodType<Timeouts>;

export const heartbeatSchema = z.strictObject({
  intervalMs: positiveInteger.default(heartbeatDefaults.intervalMs),
  graceMs: positiveInteger.default(heartbeatDefaults.graceMs),
}) satisfies z.ZodType<HeartbeatOptions>;

export const limitsSchema = z
  .strictObject({
    payloadBytesMax: positiveInteger.default(limitDefaults.payloadBytesMax),
    fragmentsMax: positiveInteger.default(limitDefaults.fragmentsMax),
    bufferedChunksMax: positiveInteger.default(limitDefaults.bufferedChunksMax),
    depthMax: positiveInteger.default(limitDefaults.depthMax),
    messagesPerSecondMax: positiveInteger.default(limitDefaults.messagesPerSecondMax),
    messageBurstMax: positiveInteger.default(limitDefaults.messageBurstMax),
    outboxHighBytes: positiveInteger.default(limitDefaults.outboxHighBytes),
    outboxLowBytes: positiveInteger.default(limitDefaults.outboxLowBytes),
    topicsMax: positiveInteger.default(limitDefaults.topicsMax),
  })
  .refine((limits) => limits.outboxLowBytes <= limits.outboxHighBytes, {
    path: ['outboxLowBytes'],
    message: 'must not be above outboxHighBytes',
  }) satisfies z.ZodType<Limits>;

/**
 * Checks options against their schema.
 *
 * @throws SupervisorError `invalid-options`, naming the path of every option that is wrong.
 */
export function checkedOptions<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${['options', ...issue.path.map(String)].join('.')}: ${issue.message}`,
  );
  throw new SupervisorError('invalid-options', problems.join('; '), { cause: parsed.error });
}
