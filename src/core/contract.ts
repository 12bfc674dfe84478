import type { z } from 'zod';
import { type Codec, UndecodableError } from './codec.ts';
import { SupervisorError, toError } from './errors.ts';
import type { InvalidMessage } from './events.ts';
import { isThenable } from './guard.ts';
import { pathText } from './text.ts';

/** Longest text about a fault, in characters: it may quote what a peer sent, and goes back to it. */
const FAULT_TEXT_MAX = 200;

/** What came of a payload: a message of the contract, or the fault in it. */
export type Intake<In> = { readonly message: In } | { readonly fault: InvalidMessage };

/** The two contracts of a supervisor and the codec below them. */
export class Contract<In, Out> {
  readonly #codec: Codec;
  readonly #inbound: z.ZodType<In> | undefined;
  readonly #outbound: z.ZodType<Out> | undefined;

  constructor(codec: Codec, inbound?: z.ZodType<In>, outbound?: z.ZodType<Out>) {
    this.#codec = codec;
    this.#inbound = inbound;
    this.#outbound = outbound;
  }

  /**
   * Reads a payload. Whatever a peer puts into it is a message or a fault.
   *
   * @throws what the schema throws when it is itself at fault, for example because a check of it is async.
   */
  read(payload: Uint8Array, isBinary: boolean): Intake<In> {
    let decoded: unknown;
    try {
      decoded = settledNow(this.#codec.decode(payload, isBinary));
    } catch (thrown) {
      return { fault: decodingFault(thrown) };
    }
    if (this.#inbound === undefined) return { message: decoded as In };
    const parsed = this.#inbound.safeParse(decoded);
    return parsed.success ? { message: parsed.data } : { fault: contractFault(parsed.error) };
  }

  /**
   * Makes the payload of an outbound message.
   *
   * @throws SupervisorError `invalid-message` or `unencodable-message`
   */
  payload(message: Out): string | Uint8Array {
    if (this.#outbound !== undefined) this.#check(this.#outbound, message);
    return this.encode(message);
  }

  /** Makes the payload of a message of ours, which is not part of the contract. */
  encode(message: unknown): string | Uint8Array {
    try {
      return checkedPayload(settledNow(this.#codec.encode(message)));
    } catch (cause) {
      const problem = toError(cause).message;
      throw new SupervisorError(
        'unencodable-message',
        `the ${this.#codec.name} codec cannot encode the message: ${problem}`,
        { cause },
      );
    }
  }

  #check(schema: z.ZodType<Out>, message: Out): void {
    const parsed = schema.safeParse(message);
    if (parsed.success) return;
    const { path, problem } = contractFault(parsed.error);
    throw new SupervisorError('invalid-message', `message${path && `.${path}`}: ${problem}`, {
      cause: parsed.error,
    });
  }
}

/** What a peer hears about an invalid message under the policy `reply`. Not part of the `sends` contract. */
export interface FaultMessage {
  readonly type: 'error';
  readonly code: 'invalid-message';
  /** Where the fault is, for example `items[2].price`. */
  readonly path: string;
  /** What is wrong there. */
  readonly message: string;
}

/** Tells a peer what was wrong with its message. */
export function faultMessage({ path, problem }: InvalidMessage): FaultMessage {
  return { type: 'error', code: 'invalid-message', path, message: problem };
}

/** A codec answers at once: order, and the bytes of a broadcast, cannot wait for a promise. */
function settledNow<Result>(result: Result): Result {
  if (!isThenable(result)) return result;
  result.then(undefined, () => {});
  throw new TypeError('a codec must not be async');
}

function checkedPayload(payload: unknown): string | Uint8Array {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload;
  throw new TypeError('encode must return a string or a Uint8Array');
}

function contractFault(error: z.ZodError): InvalidMessage {
  const [issue] = error.issues;
  return {
    path: issue === undefined ? '' : clipped(pathText(issue.path)),
    problem: clipped(issue?.message ?? 'does not fulfil the contract'),
    closeCode: 1008,
  };
}

function decodingFault(thrown: unknown): InvalidMessage {
  const problem = thrown instanceof Error ? thrown.message : 'undecodable';
  const closeCode = thrown instanceof UndecodableError ? thrown.closeCode : 1007;
  return { path: '', problem: clipped(problem), closeCode };
}

function clipped(text: string): string {
  return text.length <= FAULT_TEXT_MAX ? text : `${text.slice(0, FAULT_TEXT_MAX).toWellFormed()}…`;
}
