import type { CloseFrame } from '../core/close-code.ts';
import type { ClientStatus } from './client-types.ts';
import type { Platform } from './platform.ts';

/** Of a client that has not begun. */
export const idle: ClientStatus = {
  state: 'idle',
  states: ['idle'],
  attempts: 0,
  ending: undefined,
  delayMs: undefined,
  gaveUp: undefined,
};

/** How it closes when nobody has said how. */
export const defaultCloseFrame: CloseFrame = { code: 1000, reason: '' };

/** The states of a client whose chart can decide nothing any more. */
export const crashed: readonly string[] = ['exhausted'];

/** Whether there is nothing new to tell. */
export function isSame(one: ClientStatus, other: ClientStatus): boolean {
  return (
    one.attempts === other.attempts &&
    one.delayMs === other.delayMs &&
    one.states.join() === other.states.join()
  );
}

/** Who gives up, and who hears of it. */
interface Giving {
  readonly address: string;
  readonly streams: { readonly isHeard: boolean };
  readonly parent: { readonly isHeard: boolean } | null;
  readonly platform: Platform;
}

/** Warns when a client has given up and nobody listens to it, nor to its supervisor. */
export function warnIfLost(client: Giving, { gaveUp, ending }: ClientStatus): void {
  if (gaveUp === undefined || client.streams.isHeard || client.parent?.isHeard) return;
  client.platform.warnings?.clientGaveUp(client.address, gaveUp, ending);
}
