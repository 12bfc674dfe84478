/** Clients that a process dials with: one for each time that it is told to dial. */
export interface Dialer {
  /** Makes one more client; it dials until it is open, and again whenever its connection is lost. */
  dial(url: string): void;
  /** How many are open right now. */
  open(): number;
}
