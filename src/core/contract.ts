import { type Codec, UndecodableError } from './codec.ts';
import { isError, MooringError, messageOf, toError } from './errors.ts';
import type { InvalidMessage } from './events.ts';
import { settledNow } from './guard.ts';
import { isMooringText } from './heading.ts';
import {
  type ContractName,
  SchemaCheck,
  type StandardIssue,
  type StandardSchemaV1,
} from './standard-schema.ts';
import { pathText, wellFormed } from './text.ts';

/** Longest text about a fault, in characters. It may quote the peer and is sent back to the peer. */
const FAULT_TEXT_MAX = 200;

/** The result of reading a payload: a message of the contract, or its fault. */
export type ReadResult<In> = { readonly message: In } | { readonly fault: InvalidMessage };

/** The options of the two contracts of messages. */
const ofMessages = ['messages', 'sends'] as const;

/**
 * Two contracts, of what comes in and of what goes out, and the codec below them.
 *
 * @typeParam In - the output of the inbound schema.
 * @typeParam Out - the input of the outbound schema.
 * @typeParam Sent - the output of the outbound schema.
 */
export class Contract<In, Out, Sent = Out> {
  readonly #codec: Codec;
  readonly #inbound: SchemaCheck<In> | undefined;
  readonly #outbound: SchemaCheck<Sent> | undefined;

  constructor(
    codec: Codec,
    inbound?: StandardSchemaV1<unknown, In>,
    outbound?: StandardSchemaV1<Out, Sent>,
    [inboundName, outboundName]: readonly [ContractName, ContractName] = ofMessages,
  ) {
    this.#codec = codec;
    this.#inbound = inbound && new SchemaCheck(inbound, inboundName);
    this.#outbound = outbound && new SchemaCheck(outbound, outboundName);
  }

  /**
   * Reads a payload. Returns a message or a fault, whatever the peer sent.
   *
   * @throws the error of a schema that is itself at fault, for example because it has an async check.
   */
  read(payload: Uint8Array, isBinary: boolean): ReadResult<In> {
    let decoded: unknown;
    try {
      // Must be synchronous: neither the order of messages nor a broadcast can wait for a codec.
      decoded = settledNow('codec.decode', this.#codec.decode(payload, isBinary));
    } catch (thrown) {
      return { fault: decodingFault(thrown) };
    }
    if (this.#inbound === undefined) return { message: decoded as In };
    const result = this.#inbound.run(decoded);
    return result.issues ? { fault: contractFault(result.issues) } : { message: result.value };
  }

  /** Decodes a message that another process has published. @throws what the codec throws */
  decoded(payload: Uint8Array, isBinary: boolean): Sent {
    return settledNow('codec.decode', this.#codec.decode(payload, isBinary)) as Sent;
  }

  /**
   * Checks and encodes an outbound message.
   *
   * @throws MooringError `invalid-message` or `unencodable-message`
   */
  payload(message: Out): string | Uint8Array {
    return this.encode(this.outbound(message));
  }

  /**
   * Returns what is sent for an outbound message: the output of the schema, without the fields that the schema drops.
   *
   * @throws MooringError `invalid-message`; and whatever the schema itself throws.
   */
  outbound(message: Out): Sent {
    if (this.#outbound === undefined) return message as unknown as Sent;
    const result = this.#outbound.run(message);
    if (!result.issues) return result.value;
    const { path, problem } = contractFault(result.issues);
    // Not the issues themselves: those of some libraries contain the whole message, and errors are logged.
    const cause = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }));
    throw new MooringError('invalid-message', `message${path && `.${path}`}: ${problem}`, {
      cause,
    });
  }

  /** Encodes a message without checking it: one that {@link outbound} returned, or a message of Mooring itself. */
  encode(message: unknown): string | Uint8Array {
    try {
      return checkedPayload(settledNow('codec.encode', this.#codec.encode(message)));
    } catch (cause) {
      const problem = messageOf(toError(cause));
      throw new MooringError(
        'unencodable-message',
        `the ${this.#codec.name} codec cannot encode the message: ${problem}`,
        { cause },
      );
    }
  }
}

/** The answer to an invalid message under the policy `reply`. It is not part of the `sends` contract. */
export interface FaultMessage {
  /** Distinguishes it from other messages. */
  readonly type: 'error';
  /** The same for every message that breaks the contract. */
  readonly code: 'invalid-message';
  /** The path of the fault, for example `items[2].price`; empty for the message as a whole. */
  readonly path: string;
  /** What is wrong there, in one sentence. */
  readonly message: string;
}

/** Makes the answer to an invalid message. */
export function faultMessage({ path, problem }: InvalidMessage): FaultMessage {
  return { type: 'error', code: 'invalid-message', path, message: problem };
}

/** A Mooring client would take such a text for a beat or a heading. */
const reservedText = 'a text must not begin with U+0001, nor be U+0005 or U+0006 alone';

function checkedPayload(payload: unknown): string | Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (typeof payload !== 'string')
    throw new TypeError('codec.encode must return a string or a Uint8Array');
  if (isMooringText(payload)) throw new TypeError(reservedText);
  return payload;
}

/** The contracts of requests and of the answers to them, in both directions. */
export interface RequestContracts {
  /** Reads the requests of the peer, and encodes those of this side. */
  readonly requests: Contract<unknown, unknown, unknown>;
  /** Reads the answers of the peer, and encodes the replies of this side. */
  readonly replies: Contract<unknown, unknown, unknown>;
}

/** The options from which contracts of requests are made. */
export interface RequestSchemas {
  readonly codec: Codec;
  readonly requests?: StandardSchemaV1 | undefined;
  readonly replies?: StandardSchemaV1 | undefined;
  readonly asks?: StandardSchemaV1 | undefined;
  readonly answers?: StandardSchemaV1 | undefined;
}

export function requestContracts(options: RequestSchemas): RequestContracts {
  const { codec, requests, replies, asks, answers } = options;
  return {
    requests: new Contract(codec, requests, asks, ['requests', 'asks']),
    replies: new Contract(codec, answers, replies, ['answers', 'replies']),
  };
}

function contractFault([issue]: readonly StandardIssue[]): InvalidMessage {
  return {
    path: issue === undefined ? '' : clipped(pathOf(issue)),
    problem: clipped(issue?.message ?? 'does not fulfil the contract'),
    closeCode: 1008,
  };
}

function pathOf({ path = [] }: StandardIssue): string {
  return pathText(Array.from(path, (step) => (typeof step === 'object' ? step.key : step)));
}

function decodingFault(thrown: unknown): InvalidMessage {
  if (!isError(thrown)) return { path: '', problem: 'undecodable', closeCode: 1007 };
  const closeCode = thrown instanceof UndecodableError && thrown.closeCode === 1003 ? 1003 : 1007;
  return { path: '', problem: clipped(messageOf(thrown)), closeCode };
}

/** Returns a copy, because a slice would keep the whole text alive for as long as the fault. */
function clipped(text: string): string {
  if (text.length <= FAULT_TEXT_MAX) return text;
  return `${wellFormed(text.slice(0, FAULT_TEXT_MAX))}…`;
}
