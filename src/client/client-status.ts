import type { CloseFrame } from '../core/close-code.ts';
import type { ClientStatus } from './client-types.ts';

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
export const farewell: CloseFrame = { code: 1000, reason: '' };

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
