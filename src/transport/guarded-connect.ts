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

/** What a function among the connect options provides. */
export type ConnectHook = 'lookup' | 'connection' | 'identity';

/** The attempt that calls the functions of the application. */
export interface ConnectAttempt {
  /** Runs a callback in a later turn. */
  later(callback: () => void): void;
  /** A function failed, or returned an unusable value. `error` ends the attempt. */
  failed(hook: ConnectHook, error: Error): void;
}

/**
 * Puts the functions of the application behind a guard, for one attempt.
 *
 * Node.js calls them where nothing catches an error, and does not check their results. With the guard, a fault ends the
 * attempt with an error, and the process goes on.
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
 * Passes on the first answer only, in a later turn. If Node.js gets an answer at once, it connects before anything
 * listens to the socket, and an error of the socket then ends the process.
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
    // An async function may return its result, as those of `dns.promises` do. `guarded` passes a rejection to `answer`.
    if (isThenable(found)) found.then((known) => known !== undefined && answer(null, known), noop);
  };
}

function noop(): void {}

/**
 * Returns the IP addresses in an answer: a list, or a single entry even if Node.js asked for a list. Each is an object
 * or text.
 */
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

/** Passes on the first socket, or the first error. */
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

/** Returns a function that runs for its first call only. */
function once<Given extends unknown[]>(run: (...given: Given) => void): typeof run {
  let isDone = false;
  return (...given) => {
    if (isDone) return;
    isDone = true;
    run(...given);
  };
}

/** The properties that Mooring reads of a socket, or of a stream in its place. */
interface SocketFace extends Duplex {
  readonly encrypted?: boolean;
  bytesRead?: number;
  bytesWritten?: number;
}

/** Returns why Node.js cannot use the result as a socket; `null` if it can. */
function socketProblem(maker: string, socket: unknown, isOverTls: boolean): Error | null {
  if (!hasMethods(socket, ['on', 'write', 'destroy'])) {
    return new TypeError(`${maker} must make a socket, not ${kindOf(socket)}`);
  }
  const { destroyed, errored, encrypted, readableEncoding } = socket as SocketFace;
  // Without a listener, an error of the socket would end the process.
  (socket as Duplex).on('error', () => {});
  if (destroyed) return errored ?? new Error(`${maker} made a closed socket`);
  let problem: string | undefined;
  // HTTP needs bytes. Node.js allows no encoding on its own sockets either (ERR_HTTP_SOCKET_ENCODING).
  if (readableEncoding) problem = 'a socket without an encoding';
  // The credentials would leave in clear text.
  else if (isOverTls && encrypted !== true)
    problem = 'a TLS socket for a wss: URL, with encrypted: true';
  if (problem === undefined) return null;
  (socket as Duplex).destroy();
  return new Error(`${maker} must make ${problem}`);
}

/**
 * Counts the bytes of a stream that is not a socket, as a socket does. Without the counts, it is unknown what has left.
 */
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

/**
 * A check that throws ends the attempt, even with `rejectUnauthorized: false`, when Node.js ignores an error that the
 * check returns.
 */
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
 * Guards `addRequest`, the only method of an agent that Node.js calls. It uses a `Proxy`, because an agent may have
 * private fields.
 *
 * The guard does not cover what an agent does later, in its own callbacks.
 */
function guardedAgent(agent: Agent, attempt: ConnectAttempt): Agent {
  const addRequest = (request: ClientRequest, options: unknown): void => {
    const fail = (error: Error) => {
      attempt.failed('connection', error);
      request.destroy(error);
      // A request without a socket reports nothing. The error is emitted later, because ws does not listen yet.
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
 * Runs `add` while `createConnection` of the agent is guarded, because Node.js uses whatever it makes. The method is
 * replaced on the agent itself: an object that inherits from the agent would lack its private fields.
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

/** The method by which an agent gives a request its socket. The published types of Node.js lack it. */
interface SocketTaker extends ClientRequest {
  onSocket(socket: unknown, error?: unknown): void;
}

/** The method by which a request asks an agent for its socket. The published types of Node.js lack it. */
export interface RequestAgent extends Agent {
  addRequest(request: ClientRequest, options: unknown): unknown;
}
