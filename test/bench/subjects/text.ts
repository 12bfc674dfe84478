/** Bytes of a message on the wire, without the header of its frame. */
export const MESSAGE_BYTES = 128;

/** A text that is a message of 128 bytes when it is written as JSON. */
export const TEXT = 'x'.repeat(MESSAGE_BYTES - 2);
