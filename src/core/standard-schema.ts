import { hasMethods, propertyOf } from './methods.ts';

/**
 * A schema of any library that implements Standard Schema: zod from 3.24, valibot, ArkType and others.
 *
 * @typeParam Input - what it takes.
 * @typeParam Output - what it makes of that.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** What the library offers to others. */
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    /** Checks a value. A schema for Mooring returns the result itself, and never a promise of it. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Is for TypeScript alone, and `undefined` when the program runs. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema returns: its output, or what is wrong with the value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One fault that a schema found. */
export interface StandardIssue {
  readonly message: string;
  /** The keys that lead to the fault. Some libraries put each into an object. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The options that take a schema. */
export type ContractName = 'messages' | 'sends';

/** What a value that is no schema must be. */
export const mustBeSchema =
  'must be a Standard Schema, for example of zod (3.24 or later), valibot or ArkType';

/** What is wrong with a schema that is async, and what to do instead. */
export const asyncProblems: Readonly<Record<ContractName, string>> = {
  messages: 'a contract must check at once, but this schema is async: do async work in onMessage',
  sends: 'a contract must check at once, but this schema is async: do async work before you send',
};

/** Whether a value is a schema. Those of ArkType are functions. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return hasMethods(propertyOf(value, '~standard'), ['validate']);
}

/** Whether a schema says that it is async. Those of valibot do; others show it only when they check. */
export function isAsyncSchema(value: unknown): boolean {
  return propertyOf(value, 'async') === true;
}
