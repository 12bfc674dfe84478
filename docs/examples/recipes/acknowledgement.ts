import { randomUUID } from 'node:crypto';
import { createSupervisor } from 'mooring';
import { type Client, createClient } from 'mooring/client';
import { interval } from 'rxjs';
import { z } from 'zod';

const WAITING_MAX = 1_000;
const AGAIN_MS = 5_000;

const Order = z.object({ id: z.uuid(), item: z.string() });
const Receipt = z.object({ received: z.string() });
type Order = z.infer<typeof Order>;
type Receipt = z.infer<typeof Receipt>;

export function orderService(book: (order: Order) => Promise<void>) {
  /** Orders that are booked or being booked. In your service, use a unique key in the database. */
  const booked = new Map<string, Promise<void>>();
  return createSupervisor({
    messages: Order,
    sends: Receipt,
    async onMessage(connection, order) {
      const booking = booked.get(order.id) ?? book(order);
      booked.set(order.id, booking);
      try {
        await booking;
      } catch (error) {
        booked.delete(order.id);
        throw error; // closes the connection with 1011; the client reconnects and sends the order again
      }
      connection.send({ received: order.id });
    },
  });
}

/** Sends each order until its receipt arrives. */
export class OrderClient {
  readonly client: Client<Receipt, Order>;
  readonly #waiting = new Map<string, { readonly order: Order; readonly received: () => void }>();
  readonly #again = interval(AGAIN_MS).subscribe(() =>
    this.#sendAll((order) => this.client.send(order, { queue: false })),
  );

  constructor(url: string) {
    this.client = createClient(url, {
      messages: Receipt,
      sends: Order,
      onOpen: (connection) => this.#sendAll((order) => connection.send(order)),
    });
    this.client.messages$.subscribe(({ received }) => {
      this.#waiting.get(received)?.received();
      this.#waiting.delete(received);
    });
  }

  /** Resolves when the service has booked the order. */
  submit(item: string): Promise<void> {
    if (this.#waiting.size >= WAITING_MAX) return Promise.reject(new Error('too many orders'));
    const order = { id: randomUUID(), item };
    return new Promise((received) => {
      this.#waiting.set(order.id, { order, received });
      // Not queued: this class keeps the order, and the next connection sends it.
      this.client.send(order, { queue: false });
    });
  }

  async close(): Promise<void> {
    this.#again.unsubscribe();
    await this.client.close();
  }

  #sendAll(send: (order: Order) => unknown): void {
    for (const { order } of this.#waiting.values()) send(order);
  }
}
