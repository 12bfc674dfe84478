import { MooringError } from './errors.ts';
import { hasMethods, propertyOf } from './methods.ts';
import { kindOf } from './wording.ts';

/** What is wrong with one argument of a call. */
export interface ArgumentFault {
  /** As written, for example `attach(server, supervisor)`. */
  readonly call: string;
  readonly argument: string;
  readonly value: unknown;
  /** The words that follow "must be". */
  readonly expected: string;
  /** How to fix it, as an imperative. */
  readonly advice: string;
}

/** Makes the error for an argument. It names the argument, what was expected and what was given. */
export function invalidArgument(fault: ArgumentFault): MooringError {
  const { call, argument, value, expected, advice } = fault;
  return new MooringError(
    'invalid-argument',
    `${call}: ${argument} must be ${expected}, not ${kindOf(value)}; ${advice}`,
  );
}

/** Methods that every HTTP server has, but not the application object of a framework. */
const serverMethods = ['on', 'emit', 'listenerCount', 'address', 'close'];

/** @throws MooringError `invalid-argument` if the value is not an HTTP server; the message names what to pass instead. */
export function checkServer(value: unknown, call: string): void {
  if (isServer(value)) return;
  throw invalidArgument({
    ...{ call, argument: 'server', value, expected: 'an http.Server' },
    advice: `${serverAdvice(value)}pass the http.Server, for example the result of app.listen()`,
  });
}

function serverAdvice(value: unknown): string {
  if (isSupervisor(value)) return 'the arguments are swapped: ';
  if (isServer(propertyOf(value, 'server'))) return 'its property `server` is one: ';
  return hasMethods(value, ['then']) ? 'await it first: ' : '';
}

/** @throws MooringError `invalid-argument` if the value is not a supervisor; the message names what to pass instead. */
export function checkSupervisor(value: unknown, call: string): void {
  if (isSupervisor(value)) return;
  throw invalidArgument({
    ...{ call, argument: 'supervisor', value, expected: 'a supervisor' },
    advice: `${supervisorAdvice(value)}pass the result of createSupervisor()`,
  });
}

function supervisorAdvice(value: unknown): string {
  if (isServer(value)) return 'the arguments are swapped: ';
  return typeof value === 'number' ? 'the port is an option, { port }: ' : '';
}

/**
 * Compares methods, because `instanceof` recognises only one copy of the package. A WebSocketServer of ws has `shouldHandle`
 * too.
 */
function isSupervisor(value: unknown): boolean {
  return hasMethods(value, ['handleUpgrade']) && !hasMethods(value, ['shouldHandle']);
}

/** Plain `node:net` servers have no `timeout`. */
function isServer(value: unknown): boolean {
  return (
    typeof value === 'object' && hasMethods(value, serverMethods) && 'timeout' in Object(value)
  );
}

/** @throws MooringError `invalid-argument` if the value is not one object with the three arguments of an `upgrade` event. */
export function checkUpgrade(value: unknown): void {
  const isUpgrade = ['request', 'socket', 'head'].every((name) => name in Object(value));
  if (isUpgrade) return;
  throw invalidArgument({
    ...{ call: 'supervisor.handleUpgrade(upgrade, paths)', argument: 'upgrade', value },
    expected: 'an object',
    advice: 'pass { request, socket, head } of the upgrade event',
  });
}

/** @throws MooringError `invalid-argument` if the value is not a list of paths. */
export function checkPaths(value: unknown): void {
  const isList = Array.isArray(value) && value.every((path) => typeof path === 'string');
  if (value === undefined || isList) return;
  throw invalidArgument({
    ...{ call: 'supervisor.handleUpgrade(upgrade, paths)', argument: 'paths', value },
    expected: 'a list of paths',
    advice: "pass, for example, ['/ws']",
  });
}

/** @throws MooringError `invalid-argument` if the value can be neither a URL nor a function that returns one. */
export function checkUrl(value: unknown, call: string): void {
  const isUrl = ['string', 'function'].includes(typeof value);
  if (isUrl || typeof propertyOf(value, 'href') === 'string') return;
  throw invalidArgument({
    ...{ call, argument: 'url', value, expected: 'a string, a URL or a function' },
    advice: 'pass the address to dial, for example wss://example.com/feed',
  });
}
