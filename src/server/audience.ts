import { guarded } from '../core/guard.ts';
import { checkNames, invalidOptions, problemAt } from '../core/option-rules.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { AudienceOptions } from './supervisor-types.ts';

const names = ['where', 'except'] as const;

/** The audience of a publication without options. */
export const everybody = Object.freeze({});

/** What is needed to ask the application about its connections. */
interface Asking<C> {
  handleOf(connection: InboundConnection): C;
  errored(handler: 'where', error: Error, connection: undefined): void;
}

/**
 * Whether a connection is to get a publication; `null` when all are.
 *
 * @throws MooringError `invalid-options`
 */
export function filterOf<C extends object>(audience: AudienceOptions<C>, asking: Asking<C>) {
  checkAudience(audience);
  const { where, except } = audience;
  if (where === undefined && except === undefined) return null;
  const left = exceptions(except);
  const report = (error: Error) => asking.errored('where', error, undefined);
  return (connection: InboundConnection) => {
    const handle = asking.handleOf(connection);
    if (left.has(handle)) return false;
    return where === undefined || guarded(() => where(handle), report) === true;
  };
}

/** By hand, and only what was given: it is called for each message. */
function checkAudience<C>(audience: AudienceOptions<C>): void {
  if (audience === everybody) return;
  checkNames(audience, names);
  const { where, except } = audience;
  if (where !== undefined && typeof where !== 'function') {
    throw invalidOptions([problemAt(audience, ['where'], 'must be a function')]);
  }
  if (except !== undefined && (typeof except !== 'object' || except === null)) {
    throw invalidOptions([problemAt(audience, ['except'], mustBeConnections)]);
  }
}

const mustBeConnections = 'must be a connection, or several in a list or set';

/** Those who are left out. What cannot be a connection, for example an id, is an error. */
function exceptions<C extends object>(except: AudienceOptions<C>['except']): ReadonlySet<C> {
  if (except === undefined) return new Set();
  const left = new Set(Symbol.iterator in except ? except : [except]);
  for (const one of left) {
    if (typeof one !== 'object') {
      throw invalidOptions([problemAt({ except: one }, ['except'], mustBeConnections)]);
    }
  }
  return left;
}
