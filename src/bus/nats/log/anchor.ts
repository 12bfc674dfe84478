/**
 * The newest message that a link has seen in the stream, in whichever topic.
 *
 * As long as the stream has this message under this number, it has lost nothing that this process knows of.
 */
export class Anchor {
  #seq = 0;
  #name = '';
  #end = 0;

  /** The number of the message; 0 if none was seen. */
  get seq(): number {
    return this.#seq;
  }

  /** See `nameOf`. */
  get name(): string {
    return this.#name;
  }

  /** The largest number that the stream was seen to have, whether its message was seen or not. */
  get end(): number {
    return Math.max(this.#end, this.#seq);
  }

  /** Notes a number that the stream has. A reader may have it as its place. */
  reached(seq: number): void {
    this.#end = Math.max(this.#end, seq);
  }

  /** Notes a message. Returns whether it comes in turn: the number of a new message is larger than all before. */
  saw(seq: number, name: string): boolean {
    if (seq <= this.#seq) return seq === this.#seq && name === this.#name;
    this.#seq = seq;
    this.#name = name;
    return true;
  }

  /** Forgets what was seen before. */
  moveTo(seq: number, name: string): void {
    this.#seq = seq;
    this.#name = name;
    this.#end = seq;
  }
}
