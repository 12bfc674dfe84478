import type { Socket } from 'node:net';

/** What a raw socket reports to the connection that owns it. */
export interface RawSocketObserver {
  socketErrored(error: Error): void;
  socketEnded(): void;
  /** @param errored - whether an error closed it. */
  socketClosed(errored: boolean): void;
}

/** Known to every copy of Mooring in the process: a socket has one observer. */
const kObserver = Symbol.for('mooring.observer');

type ObservedSocket = Socket & { [kObserver]?: RawSocketObserver | undefined };

/**
 * Watches a raw socket from the first moment it is ours.
 *
 * ws has no event for a network failure after open, and before open an error without a listener ends the
 * process: the raw socket is the only witness. The listeners are shared functions and find their observer
 * through the socket, so an idle connection pays for no closures. Returns `false`, and changes nothing, when
 * the socket has an observer.
 */
export function observeSocket(socket: Socket, observer: RawSocketObserver): boolean {
  if ((socket as ObservedSocket)[kObserver] !== undefined) return false;
  (socket as ObservedSocket)[kObserver] = observer;
  socket.on('error', socketOnError);
  socket.on('end', socketOnEnd);
  socket.on('close', socketOnClose);
  return true;
}

/** Lets go of a socket. One listener stays behind: a late error must still not end the process. */
export function releaseSocket(socket: Socket): void {
  (socket as ObservedSocket)[kObserver] = undefined;
  socket.off('end', socketOnEnd);
  socket.off('close', socketOnClose);
}

function socketOnError(this: ObservedSocket, error: Error): void {
  this[kObserver]?.socketErrored(error);
}

function socketOnEnd(this: ObservedSocket): void {
  this[kObserver]?.socketEnded();
}

function socketOnClose(this: ObservedSocket, errored: boolean): void {
  this[kObserver]?.socketClosed(errored);
}
