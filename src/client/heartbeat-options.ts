import type { SendResult } from '../core/connection.ts';
import * as defaults from '../core/defaults.ts';
import type { HeartbeatOptions } from '../core/limits.ts';
import { callback, flag, group, integer, integers, type Rule } from '../core/option-rules.ts';

/** Sends an answer to a heartbeat of the peer. Text and bytes are sent unchanged; the codec encodes anything else. */
export type HeartbeatAnswer = (message: unknown) => SendResult;

/** Returns whether a message of the peer is a heartbeat. */
export type HeartbeatMatch = (payload: string | Uint8Array, answer: HeartbeatAnswer) => boolean;

/**
 * The heartbeat of a client: pings of the protocol, which a page cannot send, and messages of your own, which work with
 * every server.
 */
export interface ClientHeartbeatOptions extends HeartbeatOptions {
  /**
   * The heartbeat message to send, or a function that returns it. Text and bytes are sent unchanged; the codec encodes
   * anything else. `sends` does not apply, and the message never waits in the queue. With `expects`, the peer must send
   * a message within `graceMs` after the heartbeat message has left.
   * @default none
   */
  message?: unknown;
  /**
   * Recognises the heartbeats of the peer: its answers to `message`, or messages that it sends by itself. The function
   * receives the text of a text frame, or the bytes of a binary frame. If it returns `true`, `onMessage` and
   * `messages$` do not receive the message. It may call `answer` to answer the peer at once; an answer is sent like
   * `message`.
   * @default none
   */
  expects?: HeartbeatMatch | undefined;
  /** How long the peer must be silent before `message` leaves, in milliseconds. @default `intervalMs` */
  everyMs: number;
  /**
   * Whether `message` leaves every `everyMs`, even while the peer sends messages. Use it if the peer ends a connection
   * on which it receives nothing.
   * @default false
   */
  always: boolean;
}

/** The rule for the heartbeat of a client. Without `everyMs`, messages leave as often as pings. */
export const heartbeatRule = /* @__PURE__ */ (() =>
  group(
    {
      ...integers(defaults.heartbeat),
      message: (given) => given,
      expects: callback<HeartbeatMatch>(),
      everyMs: integer(defaults.heartbeat.intervalMs),
      always: flag(false),
    } satisfies Record<keyof ClientHeartbeatOptions, Rule<unknown>>,
    (heartbeat, report, given) => {
      const { everyMs = heartbeat.intervalMs, always } = given;
      heartbeat.everyMs = Number(everyMs);
      if (heartbeat.message !== undefined) return;
      if (given.everyMs !== undefined) report('has no effect without message', 'everyMs');
      if (always === true) report('has no effect without message', 'always');
    },
  ))();
