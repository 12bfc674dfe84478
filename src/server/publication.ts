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
}

/** Chooses the policy for a message: the output of `sends`. */
export type PolicyOf<Sent> = (sent: Sent) => PublicationPolicy;

/** Which members of an audience get a publication. */
export interface Selection {
  /** Whether a member gets it, asked for each; `null` if no member is asked. */
  readonly accepts: ((connection: InboundConnection) => boolean) | null;
  /** Connections that do not get it. Empty if `accepts` checks that. */
  readonly except: ReadonlySet<InboundConnection>;
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

const broadcastPolicy: PublicationPolicy = { overflow: 'drop-newest', topic: '', key: '' };

/**
 * Checks a message and encodes it, once for all recipients.
 *
 * @param policyOf - @default that of a broadcast
 * @throws MooringError `invalid-message` or `unencodable-message`
 */
export function publicationOf<Out, Sent>(
  contract: Contract<unknown, Out, Sent>,
  given: Out,
  { accepts, except }: Selection,
  policyOf: PolicyOf<Sent> = () => broadcastPolicy,
): Publication {
  const message = contract.outbound(given);
  const frame = messageFrame(contract.encode(message));
  // After encoding, so that `keyOf` never gets a message that cannot be sent.
  const { overflow, topic, key } = policyOf(message);
  return {
    ...{ message, frame, accepts, except, overflow, topic, key },
    ...{ delivered: 0, kept: 0, replaced: 0, dropped: 0 },
  };
}

/** The result for the publisher. */
export function deliveryOf({ delivered, kept, dropped }: Publication): Delivery {
  return { delivered, kept, dropped };
}

const names = ['where', 'except'] as const;

const nobody: ReadonlySet<InboundConnection> = new Set();

const all: Selection = { accepts: null, except: nobody };

/**
 * Reads the audience options of a publication.
 *
 * @throws MooringError `invalid-options`
 */
export function selectionOf<C extends object>(
  audience: AudienceOptions<C> | undefined,
  reporter: AnyReporter,
): Selection {
  if (audience === undefined) return all;
  checkAudience(audience);
  const { where, except } = audience;
  if (where === undefined && except === undefined) return all;
  const left = exceptions(except);
  if (where === undefined) return { accepts: null, except: connectionsOf(left) };
  const report = (error: Error) => reporter.errored('where', error);
  const accepts = (connection: InboundConnection) => {
    const handle = handleOf(connection) as object as C;
    return !left.has(handle) && guarded(() => where(handle), report) === true;
  };
  return { accepts, except: nobody };
}

/** Objects that are no handles are in no audience, and neither are connections that this process has dialed. */
function connectionsOf(handles: ReadonlySet<object>): ReadonlySet<InboundConnection> {
  const connections = Array.from(handles, (handle) => ConnectionHandle.connectionOf(handle));
  return new Set(connections.filter((one) => one !== undefined) as InboundConnection[]);
}

/** Written by hand, and checks only the options that are given, because it runs for each message. */
function checkAudience<C>(audience: AudienceOptions<C>): void {
  checkNames(audience, names);
  const { where, except } = audience;
  if (where !== undefined && typeof where !== 'function') {
    throw invalidOptions([problemAt(audience, ['where'], 'must be a function')]);
  }
  if (except !== undefined && (typeof except !== 'object' || except === null)) {
    throw invalidOptions([problemAt(audience, ['except'], mustBeConnections)]);
  }
}

const mustBeConnections = 'must be a connection, or several in a list or set';

/** The connections to leave out. @throws MooringError for a value that cannot be a connection, for example an id */
function exceptions<C extends object>(except: AudienceOptions<C>['except']): ReadonlySet<C> {
  if (except === undefined) return new Set();
  const left = new Set(Symbol.iterator in except ? except : [except]);
  for (const one of left) {
    if (typeof one !== 'object' || one === null) {
      throw invalidOptions([problemAt({ except: one }, ['except'], mustBeConnections)]);
    }
  }
  return left;
}
