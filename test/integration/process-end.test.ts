import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { run } from '../package/run.ts';

// Goal: a process does not end while it awaits a drain or a close. Method: a separate process in which nothing else is
// left to do.

const index = new URL('../../src/index.js', import.meta.url).href;
const clientIndex = new URL('../../src/client/index.js', import.meta.url).href;

async function printed(program: string): Promise<string> {
  const code = `import { createSupervisor, listen } from '${index}';\n${program}`;
  const { status, output } = await run(
    process.execPath,
    ['--input-type=module', '--eval', code],
    import.meta.dirname,
  );
  assert.equal(status, 0, output);
  return output.trim();
}

const client = `
  const refused = (url) => new Promise((resolve) => {
    import('node:http').then(({ get }) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
      get(url.replace('ws:', 'http:'), { headers, agent: false }, (response) => resolve(response.resume().statusCode));
    });
  });
`;

describe('the process', { timeout: 60_000 }, () => {
  it('stays alive until a listener has closed after a refusal', async () => {
    const output = await printed(`${client}
      const supervisor = createSupervisor({ authenticate: () => false, onFailed() {} });
      const listener = await listen(supervisor, { path: '/ws' });
      const status = await refused(listener.url);
      await listener[Symbol.asyncDispose]();
      await supervisor[Symbol.asyncDispose]();
      console.log(status, supervisor.state);
    `);
    assert.equal(output, '401 stopped');
  });

  it('never stays alive for a client that dials on demand and is not needed', async () => {
    const output = await printed(`
      import { createClient } from '${clientIndex}';
      const client = createClient('ws://127.0.0.1:1/', { dial: 'on-demand', idleMs: 60_000 });
      client.status$.subscribe();
      process.on('exit', () => console.log(client.status.state, process.getActiveResourcesInfo().length));
    `);
    assert.equal(output, 'idle 0');
  });

  it('stays alive for a client whose reading is paused', async () => {
    // In a separate process, which stays alive: a socket that nobody reads does not keep its process alive.
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => {
      const chunk = 'x'.repeat(60_000);
      for (let sent = 0; sent < 200; sent += 1) socket.send(chunk);
      socket.send('last');
    });
    await new Promise((resolve) => server.on('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const output = await printed(`
      import { createClient } from '${clientIndex}';
      const client = createClient('ws://127.0.0.1:${port}/', {
        codec: { name: 'text', encode: String, decode: String },
        limits: { messagesPerSecondMax: 100, messageBurstMax: 20 },
      });
      client.messages$.subscribe((message) => {
        if (message !== 'last') return;
        console.log('all');
        void client.close();
      });
    `);
    server.close();
    assert.equal(output, 'all');
  });

  it('stays alive until a drain has given up a handler that never settles', async () => {
    const output = await printed(`
      import { WebSocket } from 'ws';
      const supervisor = createSupervisor({ onClose: () => new Promise(() => {}) });
      const listener = await listen(supervisor, { path: '/ws' });
      const client = new WebSocket(listener.url);
      await new Promise((resolve) => client.on('open', resolve));
      client.terminate();
      await new Promise((resolve) => supervisor.events$.subscribe(({ type }) => type === 'connection.closed' && resolve()));
      await listener.close();
      const { unsettled } = await supervisor.drain({ withinMs: 200 });
      console.log(unsettled, supervisor.state);
    `);
    assert.equal(output, '1 stopped');
  });
});
