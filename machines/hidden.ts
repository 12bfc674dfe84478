const key = Symbol('hidden');

/** Keeps a value in a private field, which nothing outside can read, not even `console.log`. */
class Holder<Value> {
  readonly #value: Value;

  constructor(value: Value) {
    this.#value = value;
  }

  get value(): Value {
    return this.#value;
  }
}

/**
 * A value that code can reach and an inspector cannot: an empty object for `Object.keys`, JSON and `structuredClone`.
 *
 * XState sends an inspector the input, the context, the output and the error of each actor. In Mooring, these lead to
 * peers, headers, messages and close reasons. The key is a symbol, and not a non-enumerable property, because XState
 * copies a context with `Object.assign`, which would lose that property.
 */
export interface Hidden<Value> {
  readonly [key]: { readonly value: Value };
}

/** Hides a value. */
export function hide<Value>(value: Value): Hidden<Value> {
  return { [key]: new Holder(value) };
}

/** Returns the value that {@link hide} was given. */
export function reveal<Value>(hidden: Hidden<Value>): Value {
  return hidden[key].value;
}

/** The error of an actor whose order threw. It hides the thrown error, which may come from the application. */
class OrderError extends Error {
  readonly #thrown: unknown;

  constructor(thrown: unknown) {
    super('An order of the chart threw.');
    this.#thrown = thrown;
  }

  get thrown(): unknown {
    return this.#thrown;
  }
}

/** Makes an action that gives one order to the owner of the chart. The context hides the owner. */
export function order<Orders, Params = undefined>(give: (to: Orders, params: Params) => void) {
  return ({ context }: { context: Hidden<Orders> }, params: Params): void => {
    try {
      give(reveal(context), params);
    } catch (thrown) {
      throw new OrderError(thrown);
    }
  };
}

/** Returns what an order threw, given the error of an actor. Every other error is returned unchanged. */
export function thrownBy(error: unknown): unknown {
  return error instanceof OrderError ? error.thrown : error;
}
