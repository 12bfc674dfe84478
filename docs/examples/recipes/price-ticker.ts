import { createSupervisor } from 'mooring';
import type { Observable } from 'rxjs';
import { z } from 'zod';

const Quote = z.object({ symbol: z.string(), price: z.number() });
export type Quote = z.infer<typeof Quote>;

export function tickerService(market$: Observable<Quote>) {
  /** The latest quote of each symbol, for clients that connect later. */
  const latest = new Map<string, Quote>();

  const supervisor = createSupervisor({
    sends: Quote,
    onOpen(connection) {
      for (const quote of latest.values()) connection.send(quote);
      connection.join('quotes');
    },
  });

  const quotes = supervisor.topic('quotes', {
    overflow: 'latest',
    keyOf: ({ symbol }) => symbol,
  });
  const feed = market$.subscribe(quotes);
  quotes.messages$.subscribe({
    next: (quote) => latest.set(quote.symbol, quote),
    complete: () => feed.unsubscribe(), // the supervisor has stopped
  });
  return supervisor;
}
