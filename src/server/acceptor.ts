import type { IncomingMessage } from 'node:http';
import type { Upgrade } from '../connection/upgrade.ts';
import type { SupervisorState } from './supervisor-types.ts';

/** Where a supervisor keeps what `attach` needs of it besides the public methods. */
export const acceptorSide: unique symbol = Symbol('mooring.acceptor');

/** What `attach` needs of a supervisor besides the public methods. */
export interface AcceptorSide {
  /** Reports a plain request for a path of the WebSocket. */
  notUpgraded(request: IncomingMessage, httpStatus: number | undefined): void;
  /** Reports what the function given as `path` threw. */
  pathErrored(error: Error): void;
}

/** A supervisor as `attach` sees it. */
export interface Acceptor {
  readonly state: SupervisorState;
  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void;
  readonly [acceptorSide]?: AcceptorSide;
}
