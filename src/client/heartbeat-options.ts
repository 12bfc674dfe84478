import type { SendResult } from '../core/connection.ts';
import * as defaults from '../core/defaults.ts';
import type { HeartbeatOptions } from '../core/limits.ts';
import { callback, flag, group, integer, integers, type Rule } from '../core/option-rules.ts';

/** Sends an answer to a heartbeat of the peer: text and bytes as they are, anything else through the codec. */
export type HeartbeatAnswer = (message: unknown) => SendResult;

/** Recognises the heartbeats of the peer among its messages. */
export type HeartbeatMatch = (payload: string | Uint8Array, answer: HeartbeatAnswer) => boolean;

/**
 * Proof of life of a client: pings of the protocol, which a page cannot send, and messages of your own, which work with
 * every server.
 */
export interface ClientHeartbeatOptions extends HeartbeatOptions {
  /**
   * A message that says that this side is there, or a function that returns it. Text and bytes leave as they are,
   * anything else through the codec. `sends` does not apply, and the message never waits in the queue. With `expects`, a
   * message of the peer is due within `graceMs` after it has left.
   * @default none
   */
  message?: unknown;
  /**
   * Recognises the heartbeats of the peer: its answers to `message`, or messages that it sends by itself. It gets the text
   * of a text frame, or the bytes of a binary frame. If it returns `true`, `onMessage` and `messages$` do not get the
   * message. It may call `answer` to answer the peer at once, as `message` is sent.
   * @default none
   */
  expects?: HeartbeatMatch | undefined;
  /** After how much silence of the peer `message` leaves, in milliseconds. @default `intervalMs` */
  everyMs: number;
  /**
   * Whether `message` leaves every `everyMs`, however much the peer sends, because the peer ends a connection on which it
   * hears nothing.
   * @default false
   */
  always: boolean;
}

/** The heartbeat of a client. Without `everyMs`, its messages leave as often as pings. */
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
