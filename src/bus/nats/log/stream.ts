import type { Retention } from '../../../core/bus-log.ts';
import { INTEGER_MAX } from '../../../core/defaults.ts';
import type { ResolvedNatsBusOptions } from '../options.ts';
import { subjectOf } from '../subject.ts';
import type { JetStream, StreamConfig, StreamInfo } from './jet-stream.ts';

const NANOSECONDS_PER_MS = 1_000_000;

/** How long JetStream knows the id of a message. It must not be longer than the message is kept. */
const SAME_ID_MS = 120_000;

/** The settings of the stream that natsBus asks for. */
export function streamConfig(options: ResolvedNatsBusOptions): StreamConfig {
  const { name, retention, replicas } = options;
  const kept = subjectOf(name, 'in');
  return {
    name,
    subjects: [`${kept}.*`],
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    max_age: retention.forMs * NANOSECONDS_PER_MS,
    max_msgs_per_subject: retention.messagesPerTopic,
    duplicate_window: Math.min(retention.forMs, SAME_ID_MS) * NANOSECONDS_PER_MS,
    num_replicas: replicas,
    allow_direct: true,
    republish: { src: `${kept}.>`, dest: `${subjectOf(name, 'out')}.>` },
  };
}

/**
 * Sets up the stream if there is none. One that is there stays as it is, because others may use it.
 *
 * @throws Error if the server does not answer or refuses the stream, or the one that is there does not keep messages
 */
export async function setUpStream(stream: JetStream, wanted: StreamConfig): Promise<StreamInfo> {
  // Another process may be quicker, with other options.
  const info = (await stream.info()) ?? (await stream.create(wanted)) ?? (await stream.info());
  if (info === null) throw new Error(`the stream ${wanted.name} appears and disappears`);
  const { retention } = info.config;
  // Its consumers, or that there are none, would decide what is kept.
  if (retention !== wanted.retention)
    throw new Error(
      `the stream ${wanted.name} of the NATS server has the retention "${retention}", which does not keep messages: remove it, or give the bus another name`,
    );
  return info;
}

/**
 * Says how a stream differs from what was asked for; empty if it does not. A server also drops settings that it is too old to
 * know.
 */
export function differences(wanted: StreamConfig, { config }: StreamInfo): string {
  const given = config as unknown as Readonly<Record<string, unknown>>;
  const found = [...Object.entries(wanted), ...unlimited].filter(
    ([name, value]) => !isSame(value, given[name]),
  );
  return found
    .map(([name, value]) => `${name} is ${shown(name, given[name])}, not ${shown(name, value)}`)
    .join(', ');
}

/** Times are in nanoseconds. */
function shown(name: string, value: unknown): string {
  if (!['max_age', 'duplicate_window'].includes(name)) return JSON.stringify(value) ?? 'missing';
  return `${Number(value) / NANOSECONDS_PER_MS} ms`;
}

/** Limits over all topics would drop messages that nobody could miss. */
const unlimited = [
  ['max_msgs', -1],
  ['max_bytes', -1],
] as const;

function isSame(wanted: unknown, given: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return wanted === given;
  const other = Object(given) as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([name, value]) => isSame(value, other[name]));
}

/** How long a stream keeps messages. What it does not limit is kept at least as long as was asked for. */
export function retentionOf({ config }: StreamInfo, asked: Readonly<Retention>): Retention {
  const { max_age, max_msgs_per_subject } = config;
  return {
    forMs: max_age > 0 ? Math.min(max_age / NANOSECONDS_PER_MS, INTEGER_MAX) : asked.forMs,
    messagesPerTopic: max_msgs_per_subject > 0 ? max_msgs_per_subject : asked.messagesPerTopic,
  };
}

/** How long a stream knows the id of a message. */
export function sameIdMsOf({ config }: StreamInfo): number {
  return config.duplicate_window / NANOSECONDS_PER_MS;
}
