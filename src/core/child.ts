/** A client or a pool that belongs to a supervisor. */
export interface Child {
  /** Whether it is one client or a pool of them. */
  readonly kind: 'client' | 'pool';
  /** The hosts that it dials. */
  readonly address: string;
  /** The state of its chart, for example `waiting`. */
  readonly state: string;
}

/** The property under which a supervisor gives its children what they need. */
export const parentSide: unique symbol = Symbol('mooring.parent');

/** A supervisor, as an option of a client or a pool. The property is internal. */
export interface HasChildren {
  readonly [parentSide]: unknown;
}
