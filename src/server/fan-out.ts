import type { Notifications } from '../chart/notifications.ts';
import type { Contract } from '../core/contract.ts';
import { type Frame, messageFrame } from '../core/frame.ts';
import { guarded, runEach } from '../core/guard.ts';
import { checkNames, invalidOptions, problemAt } from '../core/option-rules.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { type AnyReporter, handleOf } from './report.ts';
import type { AudienceOptions, Delivery, Overflow } from './supervisor-types.ts';

/** What is done about members that are congested. */
export interface PublicationPolicy {
  readonly overflow: Overflow;
  /** Where it is published; empty for a broadcast. */
  readonly topic: string;
  /** What it is about, for `latest`. */
  readonly key: string;
}

/** Decides how a message is published, from its form as it is sent. */
export type PolicyOf<Sent> = (sent: Sent) => PublicationPolicy;

/** One frame for an audience, and what became of it so far. */
export interface Publication extends PublicationPolicy {
  /** What is in the frame. */
  readonly message: unknown;
  readonly frame: Frame;
  /** Whether a member is to get it; `null` when all are. */
  readonly accepts: ((connection: InboundConnection) => boolean) | null;
  delivered: number;
  kept: number;
  /** Older ones that were waiting and that this one takes the place of. */
  replaced: number;
  dropped: number;
}

/** Who gets a publication, and how. */
export interface PublicationTerms<Sent> extends Pick<Publication, 'accepts'> {
  /** @default that of a broadcast */
  readonly policyOf?: PolicyOf<Sent> | undefined;
}

const broadcastPolicy: PublicationPolicy = { overflow: 'drop-newest', topic: '', key: '' };

/**
 * Checks a message and encodes it, once for everybody who gets it.
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

/** Everybody who is reached, and whether somebody still belongs to them. */
export interface Reachable extends Iterable<InboundConnection> {
  has(connection: InboundConnection): boolean;
  /** How many have left so far; as long as it stays the same nobody has to be looked up. */
  readonly removals: number;
}

/**
 * Writes one frame to every member that is open at the moment of its turn.
 *
 * User code is asked before the first is written to, and told after the last: all members get what it publishes in
 * answer in the same order. `accepts` may join, leave or close anything; whoever joins meanwhile missed it, whoever
 * has left or is no longer open does not get it, and nobody gets it twice.
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

/** A copy: those who are written to may leave by it. */
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

/** What its publisher is told. */
export function deliveryOf({ delivered, kept, dropped }: Publication): Delivery {
  return { delivered, kept, dropped };
}

/** Does what the publication's policy says about a member that cannot take it. */
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
 * Whether a connection is to get a publication; `null` when all are.
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

/** By hand, and only what was given: it is called for each message. */
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

/** Those who are left out. What cannot be a connection, for example an id, is an error. */
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
