import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { checkServer, checkSupervisor } from '../../src/core/arguments.ts';
import { createSupervisor, type MooringError } from '../../src/index.ts';

const call = 'attach(server, supervisor)';

function messageOf(check: () => void): string {
  try {
    check();
  } catch (thrown) {
    assert.equal((thrown as MooringError).code, 'invalid-argument');
    return (thrown as Error).message;
  }
  return 'no error';
}

const onServer = (value: unknown) => messageOf(() => checkServer(value, call));
const onSupervisor = (value: unknown) => messageOf(() => checkSupervisor(value, call));

/** What frameworks return to their users. None of it is a server. */
function express(): unknown {
  return Object.assign(() => {}, EventEmitter.prototype, { listen: () => createServer() });
}

describe('checkServer', () => {
  it('accepts servers of node:http, node:https and node:http2', () => {
    for (const server of [createServer(), createHttpsServer(), createSecureServer()]) {
      assert.equal(onServer(server), 'no error');
    }
  });

  it('refuses an application, and names what to pass instead', () => {
    const koa = Object.assign(new EventEmitter(), { listen: () => createServer() });
    for (const [app, kind] of [
      [express(), 'a function'],
      [koa, 'an EventEmitter'],
    ]) {
      assert.equal(
        onServer(app),
        `${call}: server must be an http.Server, not ${kind}; pass the http.Server, for example the result of app.listen()`,
      );
    }
  });

  it('refuses an object that has a server, a promise of a server, and a missing argument', () => {
    assert.match(
      onServer({ server: createServer(), listen() {} }),
      /its property `server` is one: /,
    );
    assert.match(onServer(Promise.resolve(createServer())), /not a Promise; await it first: /);
    assert.match(onServer(undefined), /not undefined; pass the http\.Server/);
    assert.match(onServer(8080), /not 8080; pass the http\.Server/);
    assert.match(onServer(createTcpServer()), /not a Server; pass the http\.Server/);
  });

  it('refuses a supervisor: the arguments are swapped', () => {
    assert.match(
      onServer(createSupervisor()),
      /must be an http\.Server, not a supervisor; the arguments are swapped: pass the http\.Server/,
    );
  });
});

describe('checkSupervisor', () => {
  it('accepts what createSupervisor returns, and any object that takes upgrades', () => {
    assert.equal(onSupervisor(createSupervisor()), 'no error');
    assert.equal(onSupervisor({ handleUpgrade() {} }), 'no error');
  });

  it('refuses a missing supervisor, and the options of one', () => {
    for (const value of [undefined, null, {}, { path: '/ws' }]) {
      assert.match(
        onSupervisor(value),
        /supervisor must be a supervisor, not .*createSupervisor\(\)/,
      );
    }
  });

  it('refuses a server: the arguments are swapped', () => {
    assert.match(
      onSupervisor(createServer()),
      /the arguments are swapped: pass the result of createSupervisor/,
    );
  });

  it('refuses a port', () => {
    assert.match(onSupervisor(8080), /not 8080; the port is an option, \{ port \}: /);
  });

  it('refuses the server of another library', () => {
    const server = new WebSocketServer({ noServer: true });
    assert.match(onSupervisor(server), /not a WebSocketServer; /);
  });
});

describe('handleUpgrade', () => {
  it('refuses the arguments of the upgrade event passed one by one, and a missing argument', () => {
    const supervisor = createSupervisor();
    const handle = supervisor.handleUpgrade.bind(supervisor) as (...given: unknown[]) => void;
    const request = { url: '/ws', headers: {}, socket: {} };
    for (const given of [[request, {}, Buffer.alloc(0)], [undefined], [{ request }]]) {
      const advice = /pass \{ request, socket, head \} of the upgrade event$/;
      assert.match(
        messageOf(() => handle(...given)),
        advice,
      );
    }
    assert.equal(supervisor.counts.failed, 0);
  });
});
