/**
 * The application beat proves that the code of a page runs.
 *
 * A browser answers pings even while it has frozen the page, and a page cannot send pings. Peers agree on the beat by
 * subprotocol (RFC 6455 §1.9). Either side may then ask with one text frame, and the other answers with another.
 *
 * The server asks first, when the connection opens. A server that only echoes the first subprotocol that it is offered never
 * asks, so the client sends it no beats.
 */

/** The payload of the text frame that asks for a beat (ASCII ENQ). */
export const beatRequest = '\u0005';
/** The payload of the text frame that answers (ASCII ACK). */
export const beatAnswer = '\u0006';

/** The kind of a message on a connection with the beat; `null` for a message of the application. */
export type BeatKind = 'request' | 'answer' | null;

const REQUEST = beatRequest.charCodeAt(0);
const ANSWER = beatAnswer.charCodeAt(0);

export function beatKind(payload: Uint8Array, isBinary: boolean): BeatKind {
  if (payload.length !== 1 || isBinary) return null;
  if (payload[0] === REQUEST) return 'request';
  return payload[0] === ANSWER ? 'answer' : null;
}

/** The subprotocol for the beat alone, and the suffix that adds the beat to another subprotocol. */
const BEAT = 'mooring.beat';
const WITH_BEAT = '+mooring.beat';

/** The subprotocols that a client offers: its own, then its own with the beat. Without any of its own, the beat alone. */
export function withBeat(subprotocols: readonly string[]): readonly string[] {
  if (subprotocols.length === 0) return [BEAT];
  return [...subprotocols, ...subprotocols.map((name) => name + WITH_BEAT)];
}

/**
 * Chooses the first subprotocol of the server that is offered, with the beat if that is offered too. Returns `false` if none is
 * offered.
 */
export function agreedSubprotocol(
  offered: ReadonlySet<string>,
  spoken: readonly string[],
): string | false {
  for (const name of spoken) {
    if (offered.has(name + WITH_BEAT)) return name + WITH_BEAT;
    if (offered.has(name)) return name;
  }
  return offered.has(BEAT) ? BEAT : false;
}

/** Whether the beat was agreed on. */
export function agreesOnBeat(agreed: string): boolean {
  return agreed === BEAT || agreed.endsWith(WITH_BEAT);
}

/** The agreed subprotocol as the application knows it, without the beat. */
export function withoutBeat(agreed: string): string {
  if (agreed === BEAT) return '';
  return agreed.endsWith(WITH_BEAT) ? agreed.slice(0, -WITH_BEAT.length) : agreed;
}
