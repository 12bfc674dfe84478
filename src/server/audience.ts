import { checkNames, invalidOptions, problemAt } from '../core/option-problems.ts';
import type { AudienceOptions } from './supervisor-types.ts';

const names = ['where', 'except'] as const;

/** The audience of a publication without options. */
export const everybody = Object.freeze({});

/**
 * Checks who is to get a publication. By hand, and only what was given: it is called for each message.
 *
 * @throws SupervisorError `invalid-options`
 */
export function checkAudience<C>(audience: AudienceOptions<C>): void {
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

/**
 * Those who are left out.
 *
 * @throws SupervisorError `invalid-options` for what cannot be a connection, for example an id.
 */
export function exceptions<C extends object>(except: AudienceOptions<C>['except']): ReadonlySet<C> {
  if (except === undefined) return new Set();
  const left = new Set(Symbol.iterator in except ? except : [except]);
  for (const one of left) {
    if (typeof one !== 'object') {
      throw invalidOptions([problemAt({ except: one }, ['except'], mustBeConnections)]);
    }
  }
  return left;
}
