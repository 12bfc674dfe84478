/**
 * The application beat proves that the code of a page runs.
 *
 * A browser answers pings even while it has frozen the page, and a page cannot send pings. Between two Mooring peers, either
 * side may ask with one text frame, and the other answers with another.
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
