import type { Server } from 'node:http';
import { z } from 'zod';
import type { Work } from '../orders.ts';

/** A server under measurement. */
export interface Subject {
  readonly server: Server;
  /** Connections that are open. */
  open(): number;
  /** Connections that are not completely gone. */
  present(): number;
  /** Waits until it reaches the servers that it shares a bus with. For subjects that may have one. */
  untilShared?(): Promise<void>;
  /** Sends a message to all connections, in the usual way of this subject. */
  publish(text: string): void;
  /** Keeps a message for all connections. Resolves to whether it is kept. For subjects that have durable topics. */
  append?(text: string): Promise<boolean>;
  /** Writes a message this often to each of the sockets themselves, in one piece. For subjects that own their sockets. */
  writeBare?(text: string, times: number): void;
  /** Lets every connection join further topics, until it is in this many. */
  joinTopics?(count: number): void;
  /** Lets every connection join this many topics that nobody else is in. */
  joinOwnTopics?(count: number): Promise<void>;
  /** Work that is repeated. It is for the connections that are open now. */
  workOf?(work: Work): () => void;
  /** Messages that the handler has counted. For subjects that count. */
  received?(): number;
  /** Destroys all connections, as the end of the process would. For subjects that leave and return. */
  terminate?(): void;
}

/** The contract of the messages that are sent back, for subjects that check them. */
export const Echo = z.object({
  id: z.number().int(),
  type: z.literal('edit'),
  author: z.object({ id: z.string(), name: z.string() }),
  tags: z.array(z.string()),
  isDraft: z.boolean(),
  text: z.string(),
});
