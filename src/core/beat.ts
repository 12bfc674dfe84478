/**
 * The application beat: proof that the code of a page runs.
 *
 * A browser answers pings for a page that is frozen, and lets no page send one. Between peers that agree on it by
 * subprotocol (RFC 6455 §1.9), either side may ask with one text frame and is answered with another. The server
 * asks first, at open: a server that merely echoes the first subprotocol it is offered never does, and so
 * hears no beat of ours.
 */

/** What asks for a beat (ASCII ENQ), as the payload of a text frame. */
export const beatRequest = '\u0005';
/** What answers (ASCII ACK). */
export const beatAnswer = '\u0006';

/** What a message is, where the beat was agreed on; `null` for one of the application. */
export type BeatKind = 'request' | 'answer' | null;

const REQUEST = beatRequest.charCodeAt(0);
const ANSWER = beatAnswer.charCodeAt(0);

export function beatKind(payload: Uint8Array, isBinary: boolean): BeatKind {
  if (payload.length !== 1 || isBinary) return null;
  if (payload[0] === REQUEST) return 'request';
  return payload[0] === ANSWER ? 'answer' : null;
}

/** The subprotocol that stands for the beat alone, and what is added to the name of another. */
const BEAT = 'mooring.beat';
const WITH_BEAT = '+mooring.beat';

/** What a client offers: its own subprotocols, then the same with the beat, or the beat alone. */
export function withBeat(subprotocols: readonly string[]): readonly string[] {
  if (subprotocols.length === 0) return [BEAT];
  return [...subprotocols, ...subprotocols.map((name) => name + WITH_BEAT)];
}

/** What a server agrees to: the best that it speaks, with the beat where that is offered; `false` for none. */
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

/** The application's part of what was agreed on. */
export function withoutBeat(agreed: string): string {
  if (agreed === BEAT) return '';
  return agreed.endsWith(WITH_BEAT) ? agreed.slice(0, -WITH_BEAT.length) : agreed;
}
