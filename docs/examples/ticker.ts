// Sends each client the prices that it watches:
//
//   PORT=8080 node ticker.js
//
// A client sends `{"watch":["EUR"]}` and gets the current price and each new one. A slow reader gets the latest.

import { createSupervisor, listen, logEvents } from 'mooring';
import { interval } from 'rxjs';
import { z } from 'zod';

const { PORT = '8080', EVERY_MS = '250' } = process.env;

const Currency = z.enum(['CHF', 'EUR', 'USD']);
const Quote = z.object({ symbol: Currency, price: z.number(), at: z.number() });
type Quote = z.infer<typeof Quote>;

const supervisor = createSupervisor({
  messages: z.object({ watch: z.array(Currency).max(3) }),
  sends: Quote,
  onMessage(connection, { watch }) {
    for (const symbol of watch) {
      const quote = quotes.get(symbol);
      // Send the current price first, or the client would get none before the next change.
      if (quote !== undefined) connection.send(quote);
      connection.join(symbol);
    }
  },
});

const quotes = new Map(
  Currency.options.map((symbol) => [symbol, moved({ symbol, price: 1, at: 0 })]),
);

/** Each symbol has a topic of its own, so its messages can share one key. */
const topics = new Map(
  Currency.options.map((symbol) => [symbol, supervisor.topic(symbol, { overflow: 'latest' })]),
);

// A real service subscribes to its market here.
const market = interval(Number(EVERY_MS)).subscribe(() => {
  for (const quote of quotes.values()) {
    const next = moved(quote);
    quotes.set(next.symbol, next);
    topics.get(next.symbol)?.publish(next);
  }
});

function moved({ symbol, price }: Quote): Quote {
  return { symbol, price: price * (1 + (Math.random() - 0.5) / 100), at: Date.now() };
}

logEvents(supervisor.events$, console);
const listener = await listen(supervisor, { port: Number(PORT), path: '/prices' });
console.log(`listening at ${listener.url}`);

process.once('SIGTERM', async () => {
  market.unsubscribe();
  await supervisor.drain({ withinMs: 5_000 });
  await listener.close();
});
