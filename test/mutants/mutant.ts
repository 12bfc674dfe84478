/** A known fault, planted by replacing a part of a source file. */
export interface Mutant {
  readonly name: string;
  /** A description of the fault. */
  readonly fault: string;
  readonly file: string;
  /** The code that is replaced. It occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
}
