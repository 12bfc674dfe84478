import assert from 'node:assert/strict';
import { createServer, Server } from 'node:http';
import { createRequire } from 'node:module';
import { afterEach, describe, it } from 'node:test';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { nobody, ours, Scene, slow } from '../neighbours/scene.ts';
import { wsNoServer } from '../neighbours/ws.ts';

// Goal: Mooring and OpenTelemetry share a server. Method: the instrumentation of node:http, which replaces the `emit`
// of every server's prototype, is installed before Mooring is attached, installed later, and removed meanwhile.

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const plainEmit = Server.prototype.emit;
const instrumentation = new HttpInstrumentation({ enabled: false });
instrumentation.setTracerProvider(provider);
let scene: Scene;

function instrument(): void {
  instrumentation.enable();
  // It patches the module when somebody requires it.
  createRequire(import.meta.url)('http');
  assert.notEqual(Server.prototype.emit, plainEmit);
}

afterEach(() => {
  instrumentation.disable();
  assert.equal(Server.prototype.emit, plainEmit);
  exporter.reset();
  scene.destroy();
});

function application(): Server {
  return createServer((_request, response) => response.end('traced'));
}

/** Every request has its owner, whatever is patched. */
async function assertServes(): Promise<void> {
  const visits = [ours, wsNoServer.visit, slow(wsNoServer.visit)];
  await Promise.all([
    ...visits.map((visit) => scene.visit(visit)),
    scene.refused(nobody, 20_000).then((status) => assert.equal(status, 404)),
  ]);
}

async function assertTraced(count: number): Promise<void> {
  await (await fetch(`http://127.0.0.1:${scene.port}/plain`)).text();
  scene.server.closeIdleConnections();
  assert.equal(exporter.getFinishedSpans().length, count);
}

describe('attach: beside the instrumentation of OpenTelemetry', { timeout: 60_000 }, () => {
  it('installed before', async () => {
    instrument();
    scene = await Scene.start([wsNoServer], 'before', application());
    await assertServes();
    await assertTraced(1);
    await scene.close();
  });

  it('installed later, and removed', async () => {
    scene = await Scene.start([wsNoServer], 'after', application());
    instrument();
    await assertServes();
    await assertTraced(1);
    instrumentation.disable();
    await assertServes();
    await assertTraced(1);
    await scene.close();
  });

  it('still installed when Mooring is detached', async () => {
    instrument();
    scene = await Scene.start([wsNoServer], 'before', application());
    scene.detach();
    assert.equal(Object.hasOwn(scene.server, 'emit'), false);
    await scene.visit(wsNoServer.visit);
    await assertTraced(1);
    await scene.close();
  });
});
