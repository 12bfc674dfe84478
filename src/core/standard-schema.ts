import { ignoreRejection, isThenable } from './guard.ts';
import { hasMethods, propertyOf } from './methods.ts';
import { invalidOptions, problemAt } from './option-rules.ts';

/**
 * A schema from any library that implements Standard Schema, for example zod (3.24 or later), valibot or ArkType.
 *
 * @typeParam Input - the values that the schema accepts.
 * @typeParam Output - the values that the schema returns.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** The properties that Standard Schema defines. */
  readonly '~standard': {
    /** The version of the interface. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Checks a value. A schema for Mooring must return the result itself, never a promise of it. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** The types, for TypeScript only; `undefined` at run time. */
    readonly types?:
      | {
          /** The values that it accepts. */
          readonly input: Input;
          /** The values that it returns. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** What a schema returns: its output, or what is wrong with the value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** A fault that a schema found. */
export interface StandardIssue {
  /** What is wrong. */
  readonly message: string;
  /** The keys that lead to the fault. Some libraries wrap each key in an object. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The options that take a schema. */
export type ContractName = 'messages' | 'sends' | 'requests' | 'replies' | 'asks' | 'answers';

/** The problem of a value that is not a schema. */
export const mustBeSchema =
  'must be a Standard Schema, for example from zod (3.24 or later), valibot or ArkType';

/** What is wrong with a schema that is async, and what to do instead. */
export const asyncProblems: Readonly<Record<ContractName, string>> = /* @__PURE__ */ (() => {
  const isAsync = 'the schema must be synchronous, but this one is async; do async work';
  return {
    messages: `${isAsync} in onMessage`,
    sends: `${isAsync} before you send`,
    requests: `${isAsync} in onRequest`,
    replies: `${isAsync} in onRequest`,
    asks: `${isAsync} before you send`,
    answers: `${isAsync} when you have the answer`,
  };
})();

/** Whether a value is a schema. A schema of ArkType is a function. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return hasMethods(propertyOf(value, '~standard'), ['validate']);
}

/** Whether a schema declares that it is async. A valibot schema does; others show it only when they check a value. */
export function isAsyncSchema(value: unknown): boolean {
  return propertyOf(value, 'async') === true;
}

/**
 * How many values a schema must accept without a promise before it counts as synchronous. A schema may be async in one part
 * only, such as one member of a union, and the first values may not reach that part. Each of these checks costs an extra 10 µs
 * (measured).
 */
const PROOFS = 100;

/** Checks values against a schema, synchronously: neither the order of messages nor a broadcast can wait for a promise. */
export class SchemaCheck<Output> {
  readonly #schema: StandardSchemaV1<unknown, Output>;
  readonly #name: ContractName;
  /**
   * How many more values the schema must accept before it counts as synchronous. zod first runs every check synchronously and
   * drops the promise of an async check. If that promise rejects, nothing handles the rejection and the process ends. Promises
   * are therefore caught until the schema counts as synchronous, and always after the first promise.
   */
  #proofsLeft = PROOFS;

  constructor(schema: StandardSchemaV1<unknown, Output>, name: ContractName) {
    this.#schema = schema;
    this.#name = name;
  }

  /**
   * Checks a value.
   *
   * @throws MooringError `invalid-options` if the schema is async; otherwise whatever a check of the schema throws.
   */
  run(value: unknown): StandardResult<Output> {
    const result =
      this.#proofsLeft === 0
        ? this.#validate(value)
        : catchingPromises(() => this.#validate(value));
    if (isThenable(result)) return this.#runAgain(value, result);
    if (result.issues) return result;
    // An async morph in ArkType returns a promise as its output.
    if (isThenable(result.value)) throw this.#asyncError(result.value);
    if (this.#proofsLeft > 0) this.#proofsLeft -= 1;
    return result;
  }

  #validate(value: unknown): StandardResult<Output> | Promise<StandardResult<Output>> {
    return this.#schema['~standard'].validate(value);
  }

  /**
   * Distinguishes an async check from a check that throws: zod returns a promise for both, but its own `safeParse` rethrows the
   * error of the check.
   */
  #runAgain(value: unknown, promise: PromiseLike<unknown>): StandardResult<Output> {
    const schema = this.#schema;
    if (!isZodLike<Output>(schema)) throw this.#asyncError(promise);
    ignoreRejection(promise);
    let isAsync = false;
    const noteAsync = () => {
      isAsync = true;
    };
    try {
      const parsed = catchingPromises(() => schema.safeParse(value), noteAsync);
      return parsed.success ? { value: parsed.data } : parsed.error;
    } catch (thrown) {
      throw isAsync ? this.#asyncError(promise) : thrown;
    }
  }

  #asyncError(promise: PromiseLike<unknown>): Error {
    ignoreRejection(promise);
    this.#proofsLeft = Number.POSITIVE_INFINITY;
    return invalidOptions([problemAt({}, [this.#name], asyncProblems[this.#name])]);
  }
}

/** The `safeParse` of zod. It rethrows the error of a check and throws an error of its own for an async check. */
interface ZodLike<Output> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: Output }
    | { readonly success: false; readonly error: StandardResult<Output> };
}

function isZodLike<Output>(schema: object): schema is ZodLike<Output> {
  return hasMethods(schema, ['safeParse']);
}

/**
 * Makes a call and handles the rejection of every promise that the call tests with `instanceof`. zod detects an async check
 * with `instanceof` and leaves no other trace of the promise that it drops. The async mode of zod does not help, because it
 * returns a promise for every transform, even a synchronous one.
 *
 * After the call, `instanceof Promise` and `await` are as fast as before (measured).
 */
function catchingPromises<Result>(call: () => Result, caught = () => {}): Result {
  const before = Object.getOwnPropertyDescriptor(Promise, Symbol.hasInstance);
  const isInstance = Promise[Symbol.hasInstance];
  // Not `Object.defineProperty`, which throws if an application has frozen the intrinsics.
  Reflect.defineProperty(Promise, Symbol.hasInstance, {
    configurable: true,
    value(this: unknown, tested: unknown): boolean {
      const isPromise = isInstance.call(this, tested);
      if (isPromise) {
        ignoreRejection(tested as Promise<unknown>);
        caught();
      }
      return isPromise;
    },
  });
  try {
    return call();
  } finally {
    if (before === undefined) Reflect.deleteProperty(Promise, Symbol.hasInstance);
    else Reflect.defineProperty(Promise, Symbol.hasInstance, before);
  }
}
