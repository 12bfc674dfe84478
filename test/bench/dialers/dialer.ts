/** The clients of a process that dials: one for each call of `dial`. */
export interface Dialer {
  /** Creates one more client. It dials until it is open, and again whenever its connection is lost. */
  dial(url: string): void;
  /** How many are open right now. */
  open(): number;
}
