/** A client or a pool that belongs to a supervisor. */
export interface Child {
  readonly kind: 'client' | 'pool';
  /** The hosts that it dials. */
  readonly address: string;
  /** The state of its chart, for example `waiting`. */
  readonly state: string;
}
