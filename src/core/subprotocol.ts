/**
 * Two Mooring peers recognise each other by subprotocol (RFC 6455 §1.9). On such a connection, each may send the other messages
 * of Mooring itself: beats and headings. A peer that has not agreed never gets one.
 */

/** The subprotocol of Mooring alone, and the suffix that adds it to another subprotocol. */
const MOORING = 'mooring.v1';
const WITH_MOORING = '+mooring.v1';

/** The subprotocols that a client offers: its own, then its own with Mooring. Without any of its own, Mooring alone. */
export function withMooring(subprotocols: readonly string[]): readonly string[] {
  if (subprotocols.length === 0) return [MOORING];
  return [...subprotocols, ...subprotocols.map((name) => name + WITH_MOORING)];
}

/**
 * Chooses the first subprotocol of the server that is offered, with Mooring if that is offered too. Returns `false` if none is
 * offered.
 */
export function agreedSubprotocol(
  offered: ReadonlySet<string>,
  spoken: readonly string[],
): string | false {
  for (const name of spoken) {
    if (offered.has(name + WITH_MOORING)) return name + WITH_MOORING;
    if (offered.has(name)) return name;
  }
  return offered.has(MOORING) ? MOORING : false;
}

/** Whether both peers are Mooring. */
export function agreesOnMooring(agreed: string): boolean {
  return agreed === MOORING || agreed.endsWith(WITH_MOORING);
}

/** The agreed subprotocol as the application knows it, without Mooring. */
export function withoutMooring(agreed: string): string {
  if (agreed === MOORING) return '';
  return agreed.endsWith(WITH_MOORING) ? agreed.slice(0, -WITH_MOORING.length) : agreed;
}
