import { type Msg, type MsgHdrs, MsgHdrsImpl } from '@nats-io/transport-node';
import type { Entry } from '../../../core/bus-log.ts';
import { wallTimeOf } from '../../../core/clock.ts';
import { tagOf } from '../../place.ts';

/** Marks a payload that is not text. Text has no such header, because each one costs time. */
const TYPE = 'Mooring-Type';
const BINARY = 'binary';

/** The name of the header that JetStream compares within two minutes. */
const ID = 'Nats-Msg-Id';

/** A message of a stream. */
export interface KeptMessage {
  readonly seq: number;
  /** As the publisher has named it for JetStream: `<topic token>/<id>`. Another program may have given none. */
  readonly id: string;
  /** The number of the message before it in its subject. Only a message that is heard has it. */
  readonly prev: number;
  readonly isBinary: boolean;
  /** A part of a larger buffer. */
  readonly payload: Uint8Array;
}

/** A message that the leader of the stream has answered. */
export interface LeaderMessage extends KeptMessage {
  readonly subject: string;
  /** When it was kept, by the clock of the leader of then. */
  readonly keptAtMs: number;
}

/** A message as the leader of a stream answers it. Headers and payload are in base64. */
export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly time: string;
  readonly hdrs?: string;
  readonly data?: string;
}

/** The headers of a message to be kept. @param name - `<topic token>/<id>`: JetStream compares ids in a stream, not in a topic. */
export function headersOf(name: string, isBinary: boolean): MsgHdrs {
  return MsgHdrsImpl.fromRecord({ [ID]: [name], ...(isBinary && { [TYPE]: [BINARY] }) });
}

/** Reads a message that was heard or got directly. Returns `null` if it was not kept, but is an answer in itself. */
export function keptIn({ headers, data }: Msg): KeptMessage | null {
  let seq = 0;
  let prev = 0;
  let id = '';
  let isBinary = false;
  // In one pass, because each look-up would take its own.
  for (const [name, values] of headers ?? []) {
    const [value = ''] = values;
    switch (name) {
      // A program that passes messages on may have copied the headers of another stream. The server adds its own after them.
      case 'Nats-Sequence':
        seq = Number(values.at(-1));
        break;
      case 'Nats-Last-Sequence':
        prev = Number(values.at(-1));
        break;
      case ID:
        id = value;
        break;
      case TYPE:
        isBinary = value === BINARY;
        break;
      default:
    }
  }
  return seq > 0 ? { seq, id, prev, isBinary, payload: data } : null;
}

/** Reads a message that the leader has answered. */
export function keptOf(stored: StoredMessage): LeaderMessage {
  const { seq, subject, time, hdrs = '', data = '' } = stored;
  const keptAtMs = wallTimeOf(time);
  const headers = MsgHdrsImpl.decode(Buffer.from(hdrs, 'base64'));
  const isBinary = headers.get(TYPE) === BINARY;
  const payload = Buffer.from(data, 'base64');
  return { seq, subject, keptAtMs, id: headers.get(ID), prev: 0, isBinary, payload };
}

/** The tag of a message, from the id of its publisher. A message without an id is named by its payload. */
export function tagIn({ id, payload }: KeptMessage): string {
  if (id === '') return tagOf(Buffer.from(payload).toString('latin1'));
  return tagOf(id.slice(id.indexOf('/') + 1));
}

/** What tells a message apart from any other that may have its number. */
export function nameOf(message: KeptMessage): string {
  return message.id === '' ? tagIn(message) : message.id;
}

/** An entry of a topic. The payload is copied: it would keep a whole chunk of the socket in memory. */
export function entryOf(log: string, message: KeptMessage, prev: number): Entry {
  const { seq: offset, isBinary } = message;
  // A Buffer of this length comes from a pool, which is much cheaper than a Uint8Array.
  const payload = Buffer.from(message.payload);
  return { log, offset, tag: tagIn(message), prev, payload, isBinary };
}
