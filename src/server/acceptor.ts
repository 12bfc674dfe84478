import type { IncomingMessage } from 'node:http';
import type { Upgrade } from '../transport/upgrade.ts';
import type { SupervisorState } from './supervisor-types.ts';

/** Where a supervisor of any copy of Mooring keeps what `attach` needs of it besides the public methods. */
export const acceptorSide: unique symbol = Symbol.for('mooring.acceptor');

/** What `attach` needs of a supervisor besides the public methods. */
export interface AcceptorSide {
  /** Reports a plain request for a path of the WebSocket. */
  notUpgraded(request: IncomingMessage, httpStatus: number | undefined): void;
  /** Reports what `path` or `otherwise`, given to `attach`, threw. */
  attachErrored(handler: 'path' | 'otherwise', error: Error): void;
}

/** A supervisor as `attach` sees it. */
export interface Acceptor {
  readonly state: SupervisorState;
  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void;
  readonly [acceptorSide]?: AcceptorSide;
}
