const HEADER_BYTES_MAX = 10;

/**
 * Reads the output of a server, with just enough parsing to find the beginnings of frames.
 *
 * Payloads are skipped, not copied: a reader must cost less than the server under measurement.
 */
export class FrameReader {
  /** The frame that has just begun: its opcode, its payload length, and where the payload begins. */
  opcode = 0;
  length = 0;
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  /** How much of `bytes` was read from the socket. */
  end = 0;

  readonly #began: (frame: FrameReader) => void;
  readonly #header = new Uint8Array(HEADER_BYTES_MAX);
  #headerBytes = 0;
  #payloadLeft = 0;

  /** @param began - called with this reader for each frame. */
  constructor(began: (frame: FrameReader) => void) {
    this.#began = began;
  }

  /** Reads one chunk, from `start` to `end`. */
  read(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.end = end;
    let at = start;
    while (at < end) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= skipped;
        at += skipped;
      } else {
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes === this.#headerLength()) this.#begin(at);
      }
    }
  }

  /** A server does not mask, so the length of the payload is the last part of a header. */
  #headerLength(): number {
    if (this.#headerBytes < 2) return 2;
    const declared = (this.#header[1] ?? 0) & 127;
    return declared < 126 ? 2 : declared === 126 ? 4 : HEADER_BYTES_MAX;
  }

  #begin(start: number): void {
    this.opcode = (this.#header[0] ?? 0) & 15;
    this.length = this.#payloadLength();
    this.start = start;
    this.#headerBytes = 0;
    this.#payloadLeft = this.length;
    this.#began(this);
  }

  #payloadLength(): number {
    const header = this.#header;
    if (this.#headerBytes === 2) return (header[1] ?? 0) & 127;
    let length = 0;
    for (let index = 2; index < this.#headerBytes; index += 1) {
      length = length * 256 + (header[index] ?? 0);
    }
    return length;
  }
}
