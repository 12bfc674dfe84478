import type { Observable, Subscription } from 'rxjs';
import { invalidArgument } from '../core/arguments.ts';
import type { Level } from '../core/close-code.ts';
import type { ConnectionIdentity } from '../core/connection.ts';
import { MooringError, messageText, nameOf, partsOf, stackText } from '../core/errors.ts';
import type { ClientEvent, DropReason, InvalidMessage, SupervisorEvent } from '../core/events.ts';
import type { Failure } from '../core/failure.ts';
import { hasMethods } from '../core/methods.ts';
import { escapeText } from '../core/text.ts';
import { type Trail, trailText } from '../core/trail.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import { kindOf } from '../core/wording.ts';
import { LogFolder, type LogLine } from './log-folder.ts';

/** Writes one line from its fields and its message. */
export type LogMethod = (fields: object, message: string) => void;

/** Writes log lines: pino, a logger with the same methods, or `console`. */
export type Logger = Record<Level, LogMethod>;

/**
 * Logs the events of a supervisor, a client or a pool, one line per event, at a level that fits the event. It leaves out
 * `topic.opened` and `topic.closed`, which would be two lines for each connection if every user has a topic. Use
 * {@link logLine} for them.
 *
 * Text from a peer is escaped in message and fields, so it can neither begin a line of its own nor control a terminal.
 *
 * Identical lines within a second are folded. The first is printed at once. At the end of the second, one more line gives
 * the number of the others, as `… and 412 more` in the message and as the field `more`. The timer does not keep the
 * process alive.
 *
 * @returns the subscription; unsubscribe to stop logging.
 * @throws MooringError `invalid-argument`
 *
 * @example
 * ```ts
 * logEvents(supervisor.events$, pino());
 * logEvents(supervisor.events$, console);
 * logEvents(client.events$, console);
 * ```
 */
export function logEvents<C extends ConnectionIdentity>(
  events$: Observable<SupervisorEvent<C>> | Observable<ClientEvent>,
  logger: Logger,
): Subscription {
  checkLogging(events$, logger);
  const write = isConsole(logger) ? writeForPeople : writeForMachines;
  const folder = new LogFolder((line) => write(logger, line));
  const all$ = events$ as Observable<SupervisorEvent<C> | ClientEvent>;
  const subscription = all$.subscribe((event) => {
    if (!isOfTopic(event)) folder.add(logLine(event) ?? refuse(event));
  });
  subscription.add(() => folder.flush());
  return subscription;
}

/** A service may have a topic for each of its users. */
function isOfTopic(event: { readonly type: string }): boolean {
  const { type } = Object(event);
  return type === 'topic.opened' || type === 'topic.closed';
}

const call = 'logEvents(events$, logger)';
const advice = 'pass events$ of a supervisor, a client or a pool';

/** Plain JavaScript can pass another stream, for example `endings$`. */
function refuse(value: unknown): never {
  const problem = `events$ emitted ${kindOf(value)} that is not an event; ${advice}`;
  throw new MooringError('invalid-argument', `${call}: ${problem}`);
}

function checkLogging(events$: unknown, logger: unknown): void {
  if (!hasMethods(events$, ['subscribe'])) {
    const expected = 'an Observable';
    throw invalidArgument({ call, argument: 'events$', value: events$, expected, advice });
  }
  if (!hasMethods(logger, ['info', 'warn', 'error'])) {
    const expected = 'a logger with info, warn and error';
    const advice = 'pass the result of pino(), for example';
    throw invalidArgument({ call, argument: 'logger', value: logger, expected, advice });
  }
}

/** Only `console` has a method `table`. */
function isConsole(logger: Logger): boolean {
  return hasMethods(logger, ['table']);
}

function writeForMachines(logger: Logger, { level, fields, message }: LogLine): void {
  logger[level](fields, message);
}

/** The message comes first, but not as the format string, because a path may contain a percent sign. */
function writeForPeople(logger: Logger, { level, fields, message }: LogLine): void {
  (logger as Record<Level, (...texts: unknown[]) => void>)[level]('%s', message, fields);
}

/** Makes the log line of an event of a supervisor, a client or a pool. Pure. */
export function logLine<C extends ConnectionIdentity>(
  event: SupervisorEvent<C> | ClientEvent,
): LogLine {
  switch (event.type) {
    case 'connection.closed':
      return closedLine(event.connection, event.verdict);
    case 'connection.failed':
      return failedLine(event.id, event.failure);
    case 'connection.errored':
      return line(['warn', event], { cause: event.cause, ...errorField(event.error) }, event.cause);
    case 'connection.closing': {
      const { origin, code, reason } = event;
      return line(['info', event], { origin, code, reason: escapeText(reason) }, origin);
    }
    case 'message.invalid':
      return invalidLine(event);
    case 'message.dropped':
      // Without the message, which is data of the application.
      return line([dropLevel(event.reason), event], { reason: event.reason }, event.reason);
    case 'handler.errored':
      return line(
        ['error', event],
        { handler: event.handler, ...errorField(event.error) },
        `${event.handler}: ${messageText(event.error)}`,
      );
    case 'connection.crashed':
    case 'bus.down': {
      const { error } = event;
      return line(['error', event], errorField(error), error ? messageText(error) : '');
    }
    case 'topic.opened':
    case 'topic.closed':
    case 'topic.reset':
    case 'append.unconfirmed':
      return topicLine(event);
    case 'child.changed': {
      const { kind, address, state } = event.child;
      const child = { kind, address: escapeText(address), state };
      return line([childLevel(state), event], child, `${kind} ${address} ${state}`);
    }
    case 'connection.suspect':
    case 'connection.congested':
      return line(['warn', event], {}, '');
    case 'connection.opened':
    case 'connection.asleep':
    case 'connection.healthy':
    case 'connection.flowing':
    case 'bus.up':
    case 'supervisor.suspended':
    case 'supervisor.admitting':
      return line(['info', event], {}, '');
    case 'supervisor.draining': {
      const { connections, withinMs } = event;
      const number = `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
      return line(['info', event], { connections, withinMs }, number);
    }
    case 'supervisor.stopped': {
      const { closed, forced } = event.report;
      return line(['info', event], event.report, `${closed} closed, ${forced} forced`);
    }
  }
}

type LoggedEvent = SupervisorEvent<ConnectionIdentity> | ClientEvent;

function invalidLine(event: LoggedEvent & { readonly fault: InvalidMessage }): LogLine {
  const { path, problem, closeCode } = event.fault;
  const fault = { path: escapeText(path), problem: escapeText(problem), closeCode };
  return line(['warn', event], { fault }, `${path || 'message'}: ${problem}`);
}

type TopicEvent = Extract<SupervisorEvent<ConnectionIdentity>, { topic: string }>;

function topicLine(event: TopicEvent): LogLine {
  const topic = escapeText(event.topic);
  switch (event.type) {
    case 'topic.opened':
    case 'topic.closed':
      return line(['info', event], { topic }, event.topic);
    case 'topic.reset':
      return line(['warn', event], { topic, members: event.members }, event.topic);
    case 'append.unconfirmed':
      return line(
        ['warn', event],
        { topic, id: event.id, ...errorField(event.error) },
        event.topic,
      );
  }
}

/** The messages of a client that the application has closed are dropped at level `info`, because the application expects it. */
function dropLevel(reason: DropReason): Level {
  return reason === 'stopped' ? 'info' : 'warn';
}

/** `error` for a child that has given up, which needs attention. `warn` for one that is trying to reconnect. */
function childLevel(state: string): Level {
  if (state === 'exhausted') return 'error';
  return state === 'waiting' || state === 'degraded' ? 'warn' : 'info';
}

function failedLine(id: string, failure: Failure): LogLine {
  // Without the response, which is large foreign text and may contain secrets.
  const { level, error, path, address, origin, host, trail, response, ...rest } = failure;
  const foreign = {
    address: escapeText(address),
    path: escapeText(path),
    ...(origin !== undefined && { origin: escapeText(origin) }),
    ...(host !== undefined && { host: escapeText(host) }),
  };
  const err = errorField(error, !isRefusal(failure));
  const fields = {
    event: 'connection.failed',
    id,
    ...foreign,
    ...rest,
    ...trailField(level, trail),
    ...err,
  };
  const message = `${id} never opened: ${failure.cause}${refusedRemark(failure)}`;
  return { level, fields, message };
}

/** Whether the service, or the peer of a client, refused on purpose. The stack is then of no interest. */
function isRefusal({ httpStatus, closeCode }: Failure): boolean {
  if (httpStatus !== undefined) return httpStatus < 500;
  // 4500 to 4599 stand for an HTTP status of 5xx.
  return closeCode !== undefined && closeCode < 4_500;
}

/** The headers of a request that an option refused. */
function refusedRemark({ origin, host, option }: Failure): string {
  if (option === undefined) return '';
  const headers = [
    origin !== undefined && `Origin ${origin}`,
    host !== undefined && `Host ${host}`,
  ];
  return ` (${escapeText(headers.filter(Boolean).join(', '))}, by ${option})`;
}

function closedLine(connection: ConnectionIdentity, verdict: CloseVerdict): LogLine {
  const { level, error, reason, sent, trail, ...rest } = verdict;
  const frames = {
    reason: escapeText(reason),
    ...(sent && { sent: { ...sent, reason: escapeText(sent.reason) } }),
  };
  const fields = {
    event: 'connection.closed',
    ...identity(connection),
    ...rest,
    ...frames,
    ...trailField(level, trail),
    ...errorField(error),
  };
  const message = `${connection.id} closed ${verdict.code} by ${verdict.origin}: ${verdict.cause}`;
  return { level, fields, message };
}

/** An ending at level `info` needs no explanation. */
function trailField(level: Level, trail: Trail): object {
  return level === 'info' || trail.length === 0 ? {} : { trail: trailText(trail) };
}

function line<C extends ConnectionIdentity>(
  [level, event]: readonly [Level, SupervisorEvent<C> | ClientEvent],
  about: object,
  remark: string,
): LogLine {
  const connection = 'connection' in event ? event.connection : undefined;
  const subject = connection === undefined ? '' : `${connection.id} `;
  return {
    level,
    fields: { event: event.type, ...(connection && identity(connection)), ...about },
    message: `${subject}${event.type}${remark && `: ${escapeText(remark)}`}`,
  };
}

function identity({ id, key, address, path }: ConnectionIdentity) {
  return {
    id,
    ...(key !== undefined && { key: escapeText(key) }),
    address: escapeText(address),
    path: escapeText(path),
  };
}

/** pino serialises an Error under `err`; its message may quote a peer. */
function errorField(error: Error | undefined, hasStack = true): object {
  return error === undefined ? {} : { err: errorFields(error, hasStack) };
}

/** Includes the parts of an error, but not their parts: an error may contain itself. */
function errorFields(error: Error, hasStack: boolean): object {
  const parts = partsOf(error);
  return {
    ...ownFields(error, hasStack),
    ...(parts.length > 0 && { aggregateErrors: parts.map((part) => ownFields(part, hasStack)) }),
  };
}

function ownFields(error: Error, hasStack: boolean): object {
  const code: unknown = 'code' in error ? error.code : undefined;
  const stack = hasStack ? stackText(error) : undefined;
  return {
    type: nameOf(error),
    message: messageText(error),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
  };
}
