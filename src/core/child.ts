/** A client or a pool that belongs to a supervisor. */
export interface Child {
  readonly kind: 'client' | 'pool';
  /** The hosts that it dials. */
  readonly address: string;
  /** The state of its chart, for example `waiting`. */
  readonly state: string;
}

/** Where a supervisor keeps what its children need of it. */
export const parentSide: unique symbol = Symbol('mooring.parent');

/** Whatever can have clients and pools: a supervisor. What it has for them is not public. */
export interface HasChildren {
  readonly [parentSide]: unknown;
}
