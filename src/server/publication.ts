import { ConnectionHandle } from '../connection/connection-handle.ts';
import type { Contract } from '../core/contract.ts';
import { type Frame, messageFrame } from '../core/frame.ts';
import { guarded } from '../core/guard.ts';
import { checkNames, invalidOptions, problemAt } from '../core/option-rules.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { type AnyReporter, handleOf } from './report.ts';
import type { AudienceOptions, Delivery, Overflow } from './supervisor-types.ts';

/** How a publication treats congested members. */
export interface PublicationPolicy {
  readonly overflow: Overflow;
  /** The name of the topic; empty for a broadcast. */
  readonly topic: string;
  /** The key of the message, for `latest`. */
  readonly key: string;
  /** `null` if the bus does not keep the message. */
  readonly durable: Durability | null;
}

/** Chooses the policy for a message: the output of `sends`. */
export type PolicyOf<Sent> = (sent: Sent) => PublicationPolicy;

/** Which members of an audience get a publication. */
export interface Selection {
  /** Whether a member gets it, asked for each; `null` if no member is asked. */
  readonly accepts: ((connection: InboundConnection) => boolean) | null;
  /** Connections that do not get it. Empty if `accepts` checks that. */
  readonly except: ReadonlySet<InboundConnection>;
  /** The ids of connections of other processes that do not get it. */
  readonly exceptElsewhere: readonly string[];
  /** Whether only this process gets it. */
  readonly isLocal: boolean;
}

/** What a message of a durable topic has besides. */
export interface Durability {
  /** The frame for Mooring peers: a heading with its position comes first. */
  readonly headed: Frame;
  /** A member cannot take it now, because its outbox is above the high mark. */
  fellBehind(connection: InboundConnection): void;
}

/** One frame for an audience, and the counts so far. */
export interface Publication extends PublicationPolicy, Selection {
  /** The message in the frame. */
  readonly message: unknown;
  readonly frame: Frame;
  delivered: number;
  kept: number;
  /** Kept frames that this one has replaced. */
  replaced: number;
  dropped: number;
}

const broadcastPolicy: PublicationPolicy = {
  overflow: 'drop-newest',
  topic: '',
  key: '',
  durable: null,
};

/**
 * Checks a message and encodes it, once for all recipients.
 *
 * @param policyOf - @default that of a broadcast
 * @throws MooringError `invalid-message` or `unencodable-message`
 */
export function publicationOf<Out, Sent>(
  contract: Contract<unknown, Out, Sent>,
  given: Out,
  selection: Selection,
  policyOf: PolicyOf<Sent> = () => broadcastPolicy,
): Publication {
  const message = contract.outbound(given);
  const frame = messageFrame(contract.encode(message));
  // After encoding, so that `keyOf` never gets a message that cannot be sent.
  return publication(message, frame, selection, policyOf(message));
}

/** A publication whose counts begin at zero. */
export function publication(
  message: unknown,
  frame: Frame,
  { accepts, except, exceptElsewhere, isLocal }: Selection,
  { overflow, topic, key, durable }: PublicationPolicy,
): Publication {
  return {
    message,
    frame,
    durable,
    accepts,
    except,
    exceptElsewhere,
    isLocal,
    overflow,
    topic,
    key,
    delivered: 0,
    kept: 0,
    replaced: 0,
    dropped: 0,
  };
}

/** The result for the publisher. */
export function deliveryOf(
  { delivered, kept, dropped }: Publication,
  forwarded: boolean,
): Delivery {
  return { delivered, kept, dropped, forwarded };
}

const names = ['where', 'except', 'local'] as const;

const nobody: ReadonlySet<InboundConnection> = new Set();
const nobodyElsewhere: readonly string[] = [];

/** All members, in all processes. */
export const everybody: Selection = {
  accepts: null,
  except: nobody,
  exceptElsewhere: nobodyElsewhere,
  isLocal: false,
};

/** What the audience options of a publication are read with. */
export interface SelectionParts {
  readonly reporter: AnyReporter;
  /** Finds an open connection by its id. */
  find(id: string): InboundConnection | undefined;
  /** Whether other processes get publications. */
  readonly isShared: boolean;
}

/**
 * Reads the audience options of a publication.
 *
 * @throws MooringError `invalid-options`
 */
export function selectionOf<C extends object>(
  audience: AudienceOptions<C> | undefined,
  parts: SelectionParts,
): Selection {
  if (audience === undefined) return everybody;
  checkAudience(audience, parts);
  const { where, local: isLocal = false } = audience;
  if (where === undefined && audience.except === undefined) return { ...everybody, isLocal };
  const { except, exceptElsewhere } = exceptions(audience.except, parts);
  const report = (error: Error) => parts.reporter.errored('where', error);
  const accepts =
    where === undefined
      ? null
      : (connection: InboundConnection) =>
          guarded(() => where(handleOf(connection) as object as C), report) === true;
  return { accepts, except, exceptElsewhere, isLocal };
}

/** Written by hand, and checks only the options that are given, because it runs for each message. */
function checkAudience<C>(audience: AudienceOptions<C>, { isShared }: SelectionParts): void {
  checkNames(audience, names);
  const { where, except, local } = audience;
  if (where !== undefined && typeof where !== 'function') {
    throw invalidOptions([problemAt(audience, ['where'], 'must be a function')]);
  }
  if (except !== undefined && !isObject(except) && typeof except !== 'string') {
    throw invalidOptions([problemAt(audience, ['except'], mustBeConnections)]);
  }
  if (local !== undefined && typeof local !== 'boolean') {
    throw invalidOptions([problemAt(audience, ['local'], 'must be a boolean')]);
  }
  if (where !== undefined && isShared && local !== true) {
    const problem = 'cannot select in other processes; add local: true to publish in this one only';
    throw invalidOptions([problemAt(audience, ['where'], problem)]);
  }
}

const mustBeConnections = 'must be a connection or its id, or several in a list or set';

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/**
 * The connections to leave out. Handles of others than accepted connections are in no audience, and an id that is not found may
 * be that of a connection in another process.
 *
 * @throws MooringError for a value that is neither a handle nor an id
 */
function exceptions<C extends object>(
  given: AudienceOptions<C>['except'],
  { find, isShared }: SelectionParts,
): Pick<Selection, 'except' | 'exceptElsewhere'> {
  const except = new Set<InboundConnection>();
  const exceptElsewhere: string[] = [];
  for (const one of listOf(given)) {
    if (!isObject(one) && typeof one !== 'string') {
      throw invalidOptions([problemAt({ except: one }, ['except'], mustBeConnections)]);
    }
    const connection = isObject(one) ? ConnectionHandle.connectionOf(one) : find(one);
    if (connection !== undefined) except.add(connection as InboundConnection);
    else if (typeof one === 'string' && isShared) exceptElsewhere.push(one);
  }
  return { except, exceptElsewhere };
}

function listOf<C extends object>(given: AudienceOptions<C>['except']): Iterable<C | string> {
  if (given === undefined) return [];
  return typeof given === 'object' && Symbol.iterator in given
    ? (given as Iterable<C | string>)
    : [given as C | string];
}
