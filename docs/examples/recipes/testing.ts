import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { createSupervisor, listen, Refusal, type Supervisor } from 'mooring';
import { createClient } from 'mooring/client';
import { filter, firstValueFrom } from 'rxjs';

/** The service under test. */
function createService() {
  return createSupervisor({
    authenticate({ headers }) {
      if (headers.authorization !== 'Bearer secret') throw new Refusal(401, 'sign in first');
      return { name: 'Ada' };
    },
    onMessage: (connection, message) => void connection.send({ echo: message }),
  });
}

/** Serves on a free port, dials, and takes everything down after the test. */
async function start(t: TestContext, service: Supervisor, authorization = 'Bearer secret') {
  const listener = await listen(service, { port: 0 });
  const client = createClient(listener.url, { headers: { authorization } });
  // With these subscribers, Mooring emits no warnings.
  service.events$.subscribe();
  client.endings$.subscribe();
  t.after(async () => {
    await client.close();
    await service.drain({ withinMs: 1_000 });
    await listener.close();
  });
  return client;
}

it('answers a message', async (t) => {
  const client = await start(t, createService());
  const answer = firstValueFrom(client.messages$);
  client.send('hello'); // waits until the client is up
  assert.deepEqual(await answer, { echo: 'hello' });
});

it('refuses a client that has not signed in', async (t) => {
  const client = await start(t, createService(), 'Bearer guess');
  const ending = await firstValueFrom(client.endings$);
  assert.equal(ending.outcome === 'failed' && ending.failure.httpStatus, 401);
});

it('reports a client that is cut off, and takes it back', async (t) => {
  const service = createService();
  const closed = firstValueFrom(
    service.events$.pipe(filter((event) => event.type === 'connection.closed')),
  );
  const client = await start(t, service);
  const isUp = filter(({ state }: { state: string }) => state === 'up');
  await firstValueFrom(client.status$.pipe(isUp));
  client.connection?.terminate(); // what a crash of the client looks like
  assert.equal((await closed).verdict.cause, 'tcp-fin');
  await firstValueFrom(client.status$.pipe(isUp));
});
