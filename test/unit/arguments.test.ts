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

/** What frameworks give their users, none of which is a server. */
function express(): unknown {
  return Object.assign(() => {}, EventEmitter.prototype, { listen: () => createServer() });
}

describe('a server that is none', () => {
  it('is not what node:http, node:https and node:http2 make', () => {
    for (const server of [createServer(), createHttpsServer(), createSecureServer()]) {
      assert.equal(onServer(server), 'no error');
    }
  });

  it('is an application, whose message says what to pass', () => {
    const koa = Object.assign(new EventEmitter(), { listen: () => createServer() });
    for (const [app, kind] of [
      [express(), 'a function'],
      [koa, 'an EventEmitter'],
    ]) {
      assert.equal(
        onServer(app),
        `${call}: server must be an http.Server, not ${kind}; pass the http.Server, for example what app.listen() returns`,
      );
    }
  });

  it('is anything that has one, is promised one, or is missing', () => {
    assert.match(
      onServer({ server: createServer(), listen() {} }),
      /its property `server` is one: /,
    );
    assert.match(onServer(Promise.resolve(createServer())), /not a Promise; await it first: /);
    assert.match(onServer(undefined), /not undefined; pass the http\.Server/);
    assert.match(onServer(8080), /not 8080; pass the http\.Server/);
    assert.match(onServer(createTcpServer()), /not a Server; pass the http\.Server/);
  });

  it('is a supervisor: the arguments are swapped', () => {
    assert.match(
      onServer(createSupervisor()),
      /must be an http\.Server, not a supervisor; the arguments are swapped: pass the http\.Server/,
    );
  });
});

describe('a supervisor that is none', () => {
  it('is not what createSupervisor makes, nor something that only takes upgrades', () => {
    assert.equal(onSupervisor(createSupervisor()), 'no error');
    assert.equal(onSupervisor({ handleUpgrade() {} }), 'no error');
  });

  it('is missing, or the options of one', () => {
    for (const value of [undefined, null, {}, { path: '/ws' }]) {
      assert.match(
        onSupervisor(value),
        /supervisor must be a supervisor, not .*createSupervisor\(\)/,
      );
    }
  });

  it('is a server: the arguments are swapped', () => {
    assert.match(
      onSupervisor(createServer()),
      /the arguments are swapped: pass what createSupervisor/,
    );
  });

  it('is a port', () => {
    assert.match(onSupervisor(8080), /not 8080; the port is an option, \{ port \}: /);
  });

  it('is the server of another library', () => {
    const server = new WebSocketServer({ noServer: true });
    assert.match(onSupervisor(server), /not a WebSocketServer; /);
  });
});

describe('an upgrade that is none', () => {
  it('is the arguments of the upgrade event, one by one, or nothing', () => {
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
