import { FrameBatch } from '../connection/write-batcher.ts';
import type { Frame } from '../core/frame.ts';

/** One frame for all members, or two: kept messages have a heading for Mooring peers. */
export interface FramePair {
  readonly plain: Frame;
  /** The same object without a heading. */
  readonly headed: Frame;
}

/** The frames that were published to one audience since the last flush. Its members share them. */
export class SharedFrames {
  #plain: FrameBatch;
  /** What Mooring peers get; `null` while that is the same. */
  #headed: FrameBatch | null;
  /** The place of each frame among those of all audiences. */
  readonly #numbers: number[];

  constructor(number: number, { plain, headed }: FramePair) {
    this.#numbers = [number];
    this.#plain = new FrameBatch(null, plain);
    this.#headed = headed === plain ? null : new FrameBatch(null, headed);
  }

  /** Whether Mooring peers get other frames than plain peers. */
  get hasHeadings(): boolean {
    return this.#headed !== null;
  }

  batchFor(isMooring: boolean): FrameBatch {
    return isMooring && this.#headed !== null ? this.#headed : this.#plain;
  }

  add(number: number, { plain, headed }: FramePair): void {
    this.#numbers.push(number);
    const before = this.#headed ?? this.#plain;
    if (this.hasHeadings || headed !== plain) this.#headed = before.with(headed);
    this.#plain = this.#plain.with(plain);
  }

  /** Joins the frames of several audiences in the order in which they were published. */
  static batchOf(shares: readonly SharedFrames[], isMooring: boolean): FrameBatch {
    const [only] = shares;
    if (shares.length === 1 && only !== undefined) return only.batchFor(isMooring);
    const numbered = shares.flatMap((share) => share.#numbered(isMooring));
    numbered.sort((one, other) => one.number - other.number);
    return numbered.reduce<FrameBatch | null>(
      (batch, { frame }) => batch?.with(frame) ?? new FrameBatch(null, frame),
      null,
    ) as FrameBatch;
  }

  #numbered(isMooring: boolean): { readonly number: number; readonly frame: Frame }[] {
    const { frames } = this.batchFor(isMooring);
    return frames.map((frame, at) => ({ number: this.#numbers[at] ?? 0, frame }));
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
  readonly #hasHeadings: boolean;
  #plain: FrameBatch | null = null;
  #headed: FrameBatch | null = null;

  constructor(before: Combination | null = null, share: SharedFrames | null = null) {
    const hadHeadings = before === null ? false : before.#hasHeadings;
    this.#hasHeadings = hadHeadings || share?.hasHeadings === true;
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

  batchFor(isMooring: boolean): FrameBatch {
    if (isMooring && this.#hasHeadings) {
      this.#headed ??= SharedFrames.batchOf(this.#shares(), true);
      return this.#headed;
    }
    this.#plain ??= SharedFrames.batchOf(this.#shares(), false);
    return this.#plain;
  }

  #shares(): SharedFrames[] {
    const shares: SharedFrames[] = [];
    for (let at: Combination | null = this; at !== null; at = at.#before) {
      if (at.#share !== null) shares.push(at.#share);
    }
    return shares;
  }
}
