import type { LookupAddress } from 'node:dns';
import type { Agent, ClientRequest } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { toError } from '../core/errors.ts';
import { isNetworkError } from '../core/failure.ts';
import { guarded, ignoreRejection, isThenable } from '../core/guard.ts';
import { hasMethods } from '../core/methods.ts';
import { kindOf } from '../core/wording.ts';
import type { ConnectOptions } from './connect-options.ts';

/** What the application is asked for by its functions among the connect options. */
export type ConnectHook = 'lookup' | 'connection' | 'identity';

/** What the functions of the application need of the attempt that calls them. */
export interface ConnectAttempt {
  /** Runs a callback in a later turn. */
  later(callback: () => void): void;
  /** A function failed, or returned what cannot be used. `error` ends the attempt. */
  failed(hook: ConnectHook, error: Error): void;
}

/**
 * Puts the functions of the application behind a guard, for one attempt.
 *
 * Node.js calls them where nothing catches an error, and believes what they return. So whatever they do, the attempt ends with
 * an error, and the process goes on.
 */
export function guardedConnect(
  connect: ConnectOptions,
  attempt: ConnectAttempt,
  isOverTls: boolean,
): ConnectOptions {
  const { lookup, createConnection, checkServerIdentity, agent } = connect;
  return {
    ...connect,
    ...(lookup && { lookup: guardedLookup(lookup, attempt) }),
    ...(createConnection && {
      createConnection: guardedCreateConnection(createConnection, attempt, isOverTls),
    }),
    ...(checkServerIdentity && {
      checkServerIdentity: guardedIdentityCheck(checkServerIdentity, attempt),
    }),
    ...(agent && { agent: guardedAgent(agent, attempt) }),
  };
}

/**
 * Takes the first answer and no other, and passes it on in a later turn. If Node.js gets an answer at once, it connects before
 * anything listens to the socket, and an error of the socket then ends the process.
 */
function guardedLookup(lookup: LookupFunction, attempt: ConnectAttempt): LookupFunction {
  return (hostname, options, done) => {
    const pass = ([first, ...others]: readonly LookupAddress[], error: Error) => {
      if (first === undefined) {
        attempt.failed('lookup', error);
        done(error, '', 0);
      } else if (options.all) done(null, [first, ...others]);
      else done(null, first.address, first.family);
    };
    const answer = once((error: unknown, found?: unknown) => {
      const addresses = error ? [] : addressesIn(found);
      const reason = error ? toError(error) : noAddress(hostname);
      attempt.later(() => pass(addresses, reason));
    });
    const found: unknown = guarded(() => lookup(hostname, options, answer), answer);
    // An async function may return what it has found, as those of `dns.promises` do. A rejection was passed on.
    if (isThenable(found)) found.then((known) => known !== undefined && answer(null, known), noop);
  };
}

function noop(): void {}

/** The IP addresses in an answer: a list, or a single one also where a list was asked for; each an object or its text. */
function addressesIn(found: unknown): LookupAddress[] {
  const entries: unknown[] = Array.isArray(found) ? found : [found];
  return entries.flatMap((entry) => {
    const address: unknown = typeof entry === 'string' ? entry : Object(entry).address;
    if (typeof address !== 'string' || isIP(address) === 0) return [];
    return [{ address, family: isIP(address) }];
  });
}

function noAddress(hostname: string): Error {
  const error = new Error(`connect.lookup found no IP address for ${hostname}`);
  return Object.assign(error, { code: 'ENOTFOUND', hostname });
}

type CreateConnection = NonNullable<ConnectOptions['createConnection']>;
type Made = (error: Error | null, socket?: Duplex) => void;

/** Takes the first socket, or the first error. */
function guardedCreateConnection(
  createConnection: CreateConnection,
  attempt: ConnectAttempt,
  isOverTls: boolean,
): CreateConnection {
  return (target, done) => {
    const finish = checkedSocket('connect.createConnection', attempt, isOverTls, done);
    const made = guarded(
      () => createConnection(target, finish),
      (error) => finish(isNetworkError(error) ? error : failedBy(attempt, error)),
    );
    const settle = (socket: unknown) => finish(null, socket);
    if (isThenable(made)) made.then(settle, noop);
    else if (made) settle(made);
  };
}

/** Marks an error as one of the application. */
function failedBy(attempt: ConnectAttempt, error: Error): Error {
  attempt.failed('connection', error);
  return error;
}

/** Passes on the first socket that Node.js can use, or the first error. */
function checkedSocket(
  maker: string,
  attempt: ConnectAttempt,
  isOverTls: boolean,
  done: Made,
): (error: unknown, socket?: unknown) => void {
  return once((error: unknown, socket?: unknown) => {
    if (error) {
      done(toError(error));
      return;
    }
    const problem = guarded(
      () => socketProblem(maker, socket, isOverTls),
      (thrown) => thrown,
    );
    if (problem) done(failedBy(attempt, problem));
    else done(null, countingBytes(socket as Duplex));
  });
}

/** A function that runs for its first call only. */
function once<Given extends unknown[]>(run: (...given: Given) => void): typeof run {
  let isDone = false;
  return (...given) => {
    if (isDone) return;
    isDone = true;
    run(...given);
  };
}

/** What Mooring looks at, of a socket or a stream that takes its place. */
interface SocketFace extends Duplex {
  readonly encrypted?: boolean;
  bytesRead?: number;
  bytesWritten?: number;
}

/** Why Node.js cannot use what was made as a socket; `null` if it can. */
function socketProblem(maker: string, socket: unknown, isOverTls: boolean): Error | null {
  if (!hasMethods(socket, ['on', 'write', 'destroy'])) {
    return new TypeError(`${maker} must make a socket, not ${kindOf(socket)}`);
  }
  const { destroyed, errored, encrypted, readableEncoding } = socket as SocketFace;
  // Nothing listens to it yet, and its error would end the process.
  (socket as Duplex).on('error', () => {});
  if (destroyed) return errored ?? new Error(`${maker} made a closed socket`);
  let problem: string | undefined;
  // HTTP is bytes: Node.js allows no encoding on a socket of its own either (ERR_HTTP_SOCKET_ENCODING).
  if (readableEncoding) problem = 'a socket without an encoding';
  // The credentials would leave in clear text.
  else if (isOverTls && encrypted !== true)
    problem = 'a socket of TLS for a wss: URL, with encrypted: true';
  if (problem === undefined) return null;
  (socket as Duplex).destroy();
  return new Error(`${maker} must make ${problem}`);
}

/** Counts the bytes of a stream that is no socket, as a socket does. Without them, nobody could tell what has left. */
function countingBytes(stream: SocketFace): Duplex {
  if (stream.bytesWritten !== undefined) return stream;
  stream.bytesWritten = 0;
  stream.bytesRead = 0;
  const { push, write } = stream;
  const count = (name: 'bytesRead' | 'bytesWritten', given: readonly unknown[]) => {
    const [chunk] = given as [string | Uint8Array | null];
    stream[name] = (stream[name] ?? 0) + (chunk?.length ?? 0);
  };
  stream.push = (...given) => {
    count('bytesRead', given);
    return Reflect.apply(push, stream, given);
  };
  stream.write = (...given: unknown[]) => {
    count('bytesWritten', given);
    return Reflect.apply(write, stream, given);
  };
  return stream;
}

type IdentityCheck = NonNullable<ConnectOptions['checkServerIdentity']>;

/** With `rejectUnauthorized: false`, Node.js ignores an error that the check returns, but not one that it throws. */
function guardedIdentityCheck(check: IdentityCheck, attempt: ConnectAttempt): IdentityCheck {
  return (hostname, certificate) => {
    let fault: Error | undefined;
    const result: unknown = guarded(
      () => check(hostname, certificate),
      (error) => {
        fault = error;
      },
    );
    if (fault === undefined && isVerdict(result)) return result;
    fault ??= new TypeError(
      `connect.checkServerIdentity must return an Error or undefined, not ${kindOf(result)}`,
    );
    attempt.failed('identity', fault);
    return fault;
  };
}

function isVerdict(result: unknown): result is Error | undefined {
  return result === undefined || result instanceof Error;
}

/**
 * Node.js calls `addRequest` of an agent, and nothing else. A proxy, because an agent may have private fields.
 *
 * What an agent does later, in callbacks of its own, is beyond this guard.
 */
function guardedAgent(agent: Agent, attempt: ConnectAttempt): Agent {
  const addRequest = (request: ClientRequest, options: unknown): void => {
    const fail = (error: Error) => {
      attempt.failed('connection', error);
      request.destroy(error);
      // A request without a socket reports nothing. Later, because ws does not listen to it yet.
      attempt.later(() => request.emit('error', error));
    };
    guardSocketOf(request as SocketTaker, attempt);
    const add = () => (agent as RequestAgent).addRequest(request, options);
    guarded(() => withGuardedSockets(agent, attempt, add), fail);
  };
  return new Proxy(agent, {
    get: (target, name) => (name === 'addRequest' ? addRequest : Reflect.get(target, name)),
  });
}

/** Checks the socket that an agent hands to a request. */
function guardSocketOf(request: SocketTaker, attempt: ConnectAttempt): void {
  const { onSocket } = request;
  const pass: Made = (error, socket) => void Reflect.apply(onSocket, request, [socket, error]);
  const take = checkedSocket('connect.agent', attempt, false, pass);
  request.onSocket = (socket, error) => take(error, socket);
}

/**
 * Runs `add` while `createConnection` of an agent is guarded: Node.js uses whatever it makes. Not by an object that inherits
 * from the agent, whose private fields it would lack.
 */
function withGuardedSockets(agent: Agent, attempt: ConnectAttempt, add: () => unknown): unknown {
  const createConnection: unknown = Reflect.get(agent, 'createConnection');
  if (typeof createConnection !== 'function' || !Object.isExtensible(agent)) return add();
  const own = Object.getOwnPropertyDescriptor(agent, 'createConnection');
  const make = (target: unknown, done: Made): unknown => {
    const finish = checkedSocket('connect.agent', attempt, false, done);
    const made: unknown = Reflect.apply(createConnection, agent, [target, finish]);
    ignoreRejection(made);
    if (made) finish(null, made);
    return undefined;
  };
  Object.defineProperty(agent, 'createConnection', { value: make, configurable: true });
  try {
    return add();
  } finally {
    Reflect.deleteProperty(agent, 'createConnection');
    if (own !== undefined) Object.defineProperty(agent, 'createConnection', own);
  }
}

/** How a request gets its socket from an agent. The published types of Node.js lack it. */
interface SocketTaker extends ClientRequest {
  onSocket(socket: unknown, error?: unknown): void;
}

/** The method by which a request asks for its socket. The published types of Node.js lack it. */
export interface RequestAgent extends Agent {
  addRequest(request: ClientRequest, options: unknown): unknown;
}
