import { isUtf8 } from 'node:buffer';
import { beatKind } from '../core/beat.ts';
import { isText, payloadOf } from '../core/frame.ts';
import { isHeading } from '../core/heading.ts';
import { kindOf } from '../core/wording.ts';
import type { Publication } from './publication.ts';
import type { Overflow } from './supervisor-types.ts';

/** Begins a heading. No JSON text begins with it. */
const START_OF_HEADING = 0x01;
/** Ends a heading. JSON on one line does not contain it. */
const LINE_FEED = 0x0a;

/** A publication of another process. */
export interface BusMessage {
  /** What members get. It shares the memory of the message that was heard. */
  readonly payload: Uint8Array;
  readonly isBinary: boolean;
  /** The ids of connections that do not get it. */
  readonly except: readonly string[];
  readonly overflow: Overflow;
  readonly key: string;
}

/**
 * Writes a publication for the other processes.
 *
 * A text message without anything special is written as it is, so any NATS client can publish one. All others begin with a
 * heading: U+0001, a JSON object on one line, and a line feed.
 */
export function writeBusMessage({
  frame,
  overflow,
  key,
  exceptElsewhere: except,
}: Publication): Uint8Array {
  const payload = payloadOf(frame);
  const isPlain = isText(frame) && except.length === 0 && overflow === 'drop-newest' && key === '';
  if (isPlain) return payload;
  const heading = {
    ...(!isText(frame) && { binary: true }),
    ...(except.length > 0 && { except }),
    ...(overflow !== 'drop-newest' && { overflow }),
    ...(key !== '' && { key }),
  };
  const text = Buffer.from(JSON.stringify(heading));
  return Buffer.concat([Buffer.of(START_OF_HEADING), text, Buffer.of(LINE_FEED), payload]);
}

/**
 * Reads a publication of another process, which may be any program.
 *
 * @throws TypeError that says what is wrong
 */
export function readBusMessage(message: Uint8Array): BusMessage {
  if (message[0] !== START_OF_HEADING) {
    checkText(message);
    return { payload: message, ...plain };
  }
  const begin = message.indexOf(LINE_FEED) + 1;
  if (begin === 0) throw new TypeError('the heading has no end');
  const heading = headingOf(message.subarray(1, begin - 1));
  const { binary = false, except = [], overflow = 'drop-newest', key = '' } = heading;
  check('binary', typeof binary === 'boolean', 'a boolean', binary);
  check('except', Array.isArray(except) && except.every(isString), 'a list of ids', except);
  check('overflow', overflows.includes(overflow as Overflow), overflows.join(', '), overflow);
  check('key', isString(key), 'a string', key);
  const payload = message.subarray(begin);
  if (binary === false) checkText(payload);
  return { payload, isBinary: binary, except, overflow, key } as BusMessage;
}

/** What holds for a message without a heading. */
const plain: Omit<BusMessage, 'payload'> = {
  isBinary: false,
  except: [],
  overflow: 'drop-newest',
  key: '',
};

/**
 * A peer would fail the connection that a text arrives on that is not UTF-8 (RFC 6455 §8.1), and a Mooring client would take the
 * texts of {@link isMooringText} for messages of this supervisor.
 */
function checkText(payload: Uint8Array): void {
  if (!isUtf8(payload)) throw new TypeError('the text is not UTF-8');
  if (isHeading(payload, false) || beatKind(payload, false) !== null)
    throw new TypeError('the text begins as a message of Mooring itself');
}

const overflows: readonly Overflow[] = ['drop-newest', 'latest', 'close'];

function headingOf(bytes: Uint8Array): Record<string, unknown> {
  let heading: unknown;
  try {
    heading = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    throw new TypeError('the heading is not JSON');
  }
  const isObject = typeof heading === 'object' && heading !== null && !Array.isArray(heading);
  check('the heading', isObject, 'an object', heading);
  return heading as Record<string, unknown>;
}

function check(name: string, holds: boolean, expected: string, given: unknown): void {
  if (!holds) throw new TypeError(`${name} must be ${expected}, not ${kindOf(given)}`);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}
