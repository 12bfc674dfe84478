import { FrameBatch } from '../connection/write-batcher.ts';
import type { Frame } from '../core/frame.ts';

/** The frames that were published to one audience since the last flush. Its members share them. */
export class SharedFrames {
  #batch: FrameBatch;
  /** The place of each frame among those of all audiences. */
  readonly #numbers: number[];

  constructor(number: number, frame: Frame) {
    this.#numbers = [number];
    this.#batch = new FrameBatch(null, frame);
  }

  get batch(): FrameBatch {
    return this.#batch;
  }

  add(number: number, frame: Frame): void {
    this.#numbers.push(number);
    this.#batch = this.#batch.with(frame);
  }

  /** Joins the frames of several audiences in the order in which they were published. */
  static batchOf(shares: readonly SharedFrames[]): FrameBatch {
    const [only] = shares;
    if (shares.length === 1 && only !== undefined) return only.batch;
    const numbered = shares.flatMap((share) => share.#numbered());
    numbered.sort((one, other) => one.number - other.number);
    return numbered.reduce<FrameBatch | null>(
      (batch, { frame }) => batch?.with(frame) ?? new FrameBatch(null, frame),
      null,
    ) as FrameBatch;
  }

  #numbered(): { readonly number: number; readonly frame: Frame }[] {
    return this.#batch.frames.map((frame, at) => ({ number: this.#numbers[at] ?? 0, frame }));
  }
}

/**
 * The audiences that a member belongs to, among those with shared frames. Members of the same audiences have one
 * combination, so their frames are joined once. It is outdated as soon as one of its audiences gets a further frame.
 */
export class Combination {
  readonly #before: Combination | null;
  readonly #share: SharedFrames | null;
  readonly #next = new Map<SharedFrames, Combination>();
  #batch: FrameBatch | null = null;

  constructor(before: Combination | null = null, share: SharedFrames | null = null) {
    this.#before = before;
    this.#share = share;
  }

  /** The combination with one more audience. */
  with(share: SharedFrames): Combination {
    const known = this.#next.get(share);
    if (known !== undefined) return known;
    const next = new Combination(this, share);
    this.#next.set(share, next);
    return next;
  }

  get batch(): FrameBatch {
    this.#batch ??= SharedFrames.batchOf(this.#shares());
    return this.#batch;
  }

  #shares(): SharedFrames[] {
    const shares: SharedFrames[] = [];
    for (let at: Combination | null = this; at !== null; at = at.#before) {
      if (at.#share !== null) shares.push(at.#share);
    }
    return shares;
  }
}
