import { FrameBatch } from '../connection/write-batcher.ts';
import type { Frame } from '../core/frame.ts';

/** The frames that were published to one audience since the last flush. Its members share them. */
export class SharedFrames {
  #batch: FrameBatch | null = null;
  /** The place of each frame among those of all audiences. */
  readonly #numbers: number[] = [];

  get bytes(): number {
    return this.#batch?.bytes ?? 0;
  }

  add(number: number, frame: Frame): void {
    this.#numbers.push(number);
    this.#batch = this.#batch?.with(frame) ?? new FrameBatch(null, frame);
  }

  /** Joins the frames of several audiences in the order in which they were published. There is at least one frame. */
  static batchOf(shares: readonly SharedFrames[]): FrameBatch {
    const [only] = shares;
    if (shares.length === 1 && only !== undefined && only.#batch !== null) return only.#batch;
    const numbered = shares.flatMap((share) => share.#numbered());
    numbered.sort((one, other) => one.number - other.number);
    return numbered.reduce<FrameBatch | null>(
      (batch, { frame }) => batch?.with(frame) ?? new FrameBatch(null, frame),
      null,
    ) as FrameBatch;
  }

  #numbered(): { readonly number: number; readonly frame: Frame }[] {
    const frames = this.#batch?.frames ?? [];
    return frames.map((frame, at) => ({ number: this.#numbers[at] ?? 0, frame }));
  }
}

/**
 * The audiences that a member belongs to, among those with frames to flush. Members of the same audiences share one
 * combination, so their frames are joined once.
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
