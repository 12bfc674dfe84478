import type { Client, Ending } from '../../src/client/index.ts';
import { listen, type Supervisor } from '../../src/index.ts';
import type { Stops } from './stops.ts';

/** Serves a supervisor until the end of the test, and returns its URL. */
export async function served<Peer, In, Out, Sent>(
  supervisor: Supervisor<Peer, In, Out, Sent>,
  stops: Stops,
): Promise<string> {
  // There is a listener, so nothing is emitted as a warning.
  supervisor.events$.subscribe();
  const listener = await listen(supervisor);
  stops.add(async () => {
    await supervisor.drain({ withinMs: 500 });
    await listener.close();
  });
  return listener.url;
}

/** Records what a client receives, and how its attempts end, until the end of the test. */
export function noted<In, Out>(
  client: Client<In, Out>,
  stops: Stops,
): { messages: In[]; endings: Ending[] } {
  const messages: In[] = [];
  const endings: Ending[] = [];
  client.messages$.subscribe((message) => messages.push(message));
  client.endings$.subscribe((ending) => endings.push(ending));
  stops.add(() => client.close());
  return { messages, endings };
}

/** Code and reason of connections that were open, and status or cause of failed attempts. */
export function shortly(endings: readonly Ending[]): string[] {
  return endings.map((ending) => {
    if (ending.outcome === 'failed')
      return String(ending.failure.httpStatus ?? ending.failure.cause);
    return `${ending.verdict.code} ${ending.verdict.reason}`.trim();
  });
}
