import type { Notifications } from '../chart/notifications.ts';
import type { Contract } from '../core/contract.ts';
import { type Frame, messageFrame } from '../core/frame.ts';
import { guarded, runEach } from '../core/guard.ts';
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

/** One frame for an audience, and the counts so far. */
export interface Publication extends PublicationPolicy {
  /** The message in the frame. */
  readonly message: unknown;
  readonly frame: Frame;
  /** Whether a member gets it; `null` when all members do. */
  readonly accepts: ((connection: InboundConnection) => boolean) | null;
  delivered: number;
  kept: number;
  /** Kept frames that this one has replaced. */
  replaced: number;
  dropped: number;
}

/** The audience and the policy of a publication. */
export interface PublicationTerms<Sent> extends Pick<Publication, 'accepts'> {
  /** @default that of a broadcast */
  readonly policyOf?: PolicyOf<Sent> | undefined;
}

const broadcastPolicy: PublicationPolicy = { overflow: 'drop-newest', topic: '', key: '' };

/**
 * Checks a message and encodes it, once for all recipients.
 *
 * @throws MooringError `invalid-message` or `unencodable-message`
 */
export function publicationOf<Out, Sent>(
  contract: Contract<unknown, Out, Sent>,
  given: Out,
  { accepts, policyOf = () => broadcastPolicy }: PublicationTerms<Sent>,
): Publication {
  const message = contract.outbound(given);
  const frame = messageFrame(contract.encode(message));
  // After encoding, so that `keyOf` never gets a message that cannot be sent.
  const policy = policyOf(message);
  return { message, frame, accepts, ...policy, delivered: 0, kept: 0, replaced: 0, dropped: 0 };
}

/** The members that a publication reaches: those of a topic, or all open connections. */
export interface Reachable extends Iterable<InboundConnection> {
  has(connection: InboundConnection): boolean;
  /** How many members have left so far. While this number stays the same, `has` need not be called. */
  readonly removals: number;
}

/**
 * Writes one frame to every member that is open when its turn comes.
 *
 * `accepts` runs before the first write, and notifications follow the last write. Publications that application code makes in
 * answer therefore reach all members in the same order. `accepts` may join, leave or close any connection: a new member does
 * not get the frame, a member that has left or ended does not get it either, and no member gets it twice.
 */
export function fanOut(
  publication: Publication,
  audience: Reachable,
  notifications: Notifications,
): void {
  const { removals } = audience;
  const isThere = (connection: InboundConnection) =>
    connection.isOpen && (audience.removals === removals || audience.has(connection));
  notifications.during(() => {
    runEach(accepted(publication, audience, isThere), (connection) => {
      if (isThere(connection)) write(publication, connection);
    });
  });
}

/** Returns a copy, because a write may end a connection, which then leaves the audience. */
function accepted(
  { accepts }: Publication,
  audience: Reachable,
  isThere: (connection: InboundConnection) => boolean,
): InboundConnection[] {
  const members = [...audience];
  return accepts === null
    ? members
    : members.filter((connection) => isThere(connection) && accepts(connection));
}

function write(publication: Publication, connection: InboundConnection): void {
  const outbox = connection.side.outbox;
  if (outbox !== null && outbox.publish(publication.frame) !== 'refused')
    publication.delivered += 1;
  else overflow(publication, connection);
}

/** The result for the publisher. */
export function deliveryOf({ delivered, kept, dropped }: Publication): Delivery {
  return { delivered, kept, dropped };
}

/** Applies the policy of the publication to a member that cannot take it. */
function overflow(publication: Publication, connection: InboundConnection): void {
  if (publication.overflow === 'latest' && isConflated(publication, connection)) return;
  publication.dropped += 1;
  connection.side.dropped += 1;
  if (publication.overflow === 'close' && connection.side.outbox?.isCongested)
    connection.end('slow-consumer');
}

function isConflated(publication: Publication, connection: InboundConnection): boolean {
  const { outbox } = connection.side;
  if (outbox === null) return false;
  const { isConflated, replaced } = outbox.keep(publication);
  if (isConflated) publication.kept += 1;
  if (replaced) {
    publication.replaced += 1;
    connection.side.dropped += 1;
  }
  return isConflated;
}

const names = ['where', 'except'] as const;

/** The audience of a publication without options. */
export const everybody = Object.freeze({});

/**
 * Makes the filter for a publication; `null` when all members get it.
 *
 * @throws MooringError `invalid-options`
 */
export function filterOf<C extends object>(audience: AudienceOptions<C>, reporter: AnyReporter) {
  checkAudience(audience);
  const { where, except } = audience;
  if (where === undefined && except === undefined) return null;
  const left = exceptions(except);
  const report = (error: Error) => reporter.errored('where', error);
  return (connection: InboundConnection) => {
    const handle = handleOf(connection) as object as C;
    if (left.has(handle)) return false;
    return where === undefined || guarded(() => where(handle), report) === true;
  };
}

/** Written by hand, and checks only the options that are given, because it runs for each message. */
function checkAudience<C>(audience: AudienceOptions<C>): void {
  if (audience === everybody) return;
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
    if (typeof one !== 'object') {
      throw invalidOptions([problemAt({ except: one }, ['except'], mustBeConnections)]);
    }
  }
  return left;
}
