import { createSupervisor, listen } from '../../src/index.ts';
import { profile } from './profile.ts';
import { AGENT, type CaseResult, WsTest } from './wstest.ts';

/** Connects the suite to an echoing service. */
export async function fuzzServer(program: string, reports: string): Promise<readonly CaseResult[]> {
  const supervisor = createSupervisor<undefined, unknown, unknown>({
    ...profile,
    onMessage: (connection, message) => void connection.send(message),
  });
  supervisor.events$.subscribe();
  await using listener = await listen(supervisor, { host: '127.0.0.1', port: 0 });
  const url = `ws://127.0.0.1:${listener.port}`;
  const suite = new WsTest(program, reports, { servers: [{ agent: AGENT, url }] });
  try {
    await suite.exited;
    return suite.results;
  } finally {
    await suite.stop();
    await supervisor.drain({ withinMs: 1 });
  }
}
