// Goal: XState and inspectors can work with the actor of a runner, and nobody can change anything through it. Method:
// host runners of the connection chart, send facts, and read their actors with XState's own functions.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { from } from 'rxjs';
import { type AnyActorRef, toPromise, waitFor } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import { Chart } from '../../src/chart/chart.ts';
import { HostedActor } from '../../src/chart/hosted-actor.ts';
import { Notifications } from '../../src/chart/notifications.ts';
import { type ChartOwner, ChartRunner } from '../../src/chart/runner.ts';
import { nested } from '../../src/chart/table.ts';
import { connectionTable } from '../../src/chart/tables/connection.ts';
import { supervisorTable } from '../../src/chart/tables/supervisor.ts';
import type { ChartActor } from '../../src/core/actor.ts';
import type { InspectionEvent } from '../../src/core/inspection.ts';

/** Carries out nothing, and throws where the test requests it. */
function ownerThat(throwsAt = ''): ChartOwner {
  return new Proxy({} as ChartOwner, {
    get: (_, order) => () => {
      if (order === throwsAt) throw new Error('secret');
    },
  });
}

describe('HostedActor', () => {
  let events: InspectionEvent[];
  let notifications: Notifications;
  let thrown: string[];

  beforeEach(() => {
    events = [];
    thrown = [];
    notifications = new Notifications();
  });

  function host(throwsAt?: string) {
    const inspect = (event: InspectionEvent) => events.push(event);
    const inspector = { inspect, report: assert.ifError };
    const parent = new HostedActor(
      new ChartRunner(new Chart(supervisorTable), ownerThat(), notifications),
      { id: 'supervisor', parent: null, inspector },
    );
    const chart = new Chart(connectionTable);
    const runner = new ChartRunner(chart, ownerThat(throwsAt), notifications);
    const hosted = new HostedActor(runner, { id: 'c1', parent });
    const actor: ChartActor<string> = hosted.reader(
      () => 'verdict',
      ({ message }) => thrown.push(message),
    );
    return { runner, hosted, actor, parent };
  }

  const toOpen = ['admission.granted', 'socket.opened', 'welcome.settled'];
  const toClosed = ['socket.closed', 'websocket.closed'];

  it('shows the state of its chart', () => {
    const { runner, actor } = host();
    for (const fact of toOpen) runner.send(fact);
    const snapshot = actor.getSnapshot();
    assert.equal(snapshot.status, 'active');
    assert.deepEqual(snapshot.value, {
      open: { intake: 'receiving', liveness: 'healthy', flow: 'flowing' },
    });
    assert.equal(snapshot.matches('open'), true);
    assert.equal(snapshot.matches({ open: { flow: 'congested' } }), false);
    assert.deepEqual(snapshot.context, {});
  });

  it('works with waitFor of XState', async () => {
    const { runner, actor } = host();
    const opened = waitFor(actor, (snapshot) => snapshot.matches('open'), { timeout: 1_000 });
    const output = toPromise(actor);
    for (const fact of [...toOpen, ...toClosed]) runner.send(fact);
    assert.equal((await opened).matches('open'), true);
    assert.equal(await output, 'verdict');
    const last = actor.getSnapshot();
    assert.equal(last.status === 'done' && last.output, 'verdict');
    assert.equal((await waitFor(actor, ({ status }) => status === 'done')).output, 'verdict');
  });

  it('is a child of its parent, in one system', () => {
    const { actor, hosted, parent } = host();
    const ref: AnyActorRef = actor;
    assert.equal(ref.id, 'c1');
    assert.equal(hosted.ref._parent, parent.ref);
    assert.equal(hosted.ref.system, parent.ref.system);
    assert.equal(ref.system, ref.system);
    assert.notEqual(ref.sessionId, parent.ref.sessionId);
  });

  it('is read-only', () => {
    const { actor, runner } = host();
    assert.throws(() => actor.send({ type: 'terminate.requested' }), { code: 'read-only' });
    assert.throws(() => actor.stop(), { code: 'read-only' });
    actor.start();
    assert.deepEqual(runner.state.paths, ['handshaking', 'handshaking.admitting']);
  });

  it('ignores events that are sent to the actor directly', () => {
    const { hosted, runner, actor } = host();
    hosted.ref.send({ type: 'terminate.requested' });
    hosted.ref.send({ type: 'socket.closed' });
    assert.deepEqual(runner.state.paths, ['handshaking', 'handshaking.admitting']);
    assert.equal(actor.getSnapshot().status, 'active');
  });

  it('begins in the state of its runner', () => {
    const runner = new ChartRunner(new Chart(connectionTable), ownerThat(), notifications);
    for (const fact of toOpen) runner.send(fact);
    const hosted = new HostedActor(runner, { id: 'c1', parent: null });
    assert.deepEqual(hosted.ref.getSnapshot().value, nested(runner.state.paths));
    for (const fact of toClosed) runner.send(fact);
    assert.equal(hosted.ref.getSnapshot().status, 'done');
    const late = new HostedActor(runner, { id: 'c1', parent: null });
    assert.equal(late.ref.getSnapshot().status, 'done');
  });

  it('calls subscribers in order once the chart has settled', () => {
    const { runner, actor } = host();
    const seen: string[] = [];
    actor.subscribe({
      next: ({ value }) => seen.push(JSON.stringify(value)),
      complete: () => seen.push('complete'),
    });
    notifications.during(() => {
      runner.send('admission.granted');
      runner.send('socket.closed');
      assert.deepEqual(seen, []);
      assert.equal(actor.getSnapshot().status, 'done');
    });
    assert.deepEqual(seen, ['{"handshaking":"upgrading"}', '"failed"', 'complete']);
  });

  it('supports select', () => {
    const { runner, actor } = host();
    const top = actor.select(({ value }) =>
      typeof value === 'string' ? value : Object.keys(value)[0],
    );
    const seen: unknown[] = [];
    top.subscribe((state) => seen.push(state));
    for (const fact of [...toOpen, 'outbox.filled', ...toClosed]) runner.send(fact);
    assert.deepEqual(seen, ['open', 'closing', 'closed']);
    assert.equal(top.get(), 'closed');
  });

  it('reports what a subscriber throws, and continues', () => {
    const { runner, actor } = host();
    const seen: string[] = [];
    actor.subscribe(() => {
      throw new Error('subscriber');
    });
    actor.subscribe(({ status }) => seen.push(status));
    for (const fact of ['admission.granted', 'socket.closed']) runner.send(fact);
    assert.deepEqual(thrown, ['subscriber', 'subscriber']);
    assert.deepEqual(seen, ['active', 'done']);
  });

  it('ends in an error when an order throws, without an observer of errors', () => {
    const { runner, actor } = host('upgrade');
    const errors: unknown[] = [];
    actor.subscribe(() => {});
    actor.subscribe({ error: (error) => errors.push(error) });
    runner.send('admission.granted');
    assert.equal(actor.getSnapshot().status, 'error');
    assert.deepEqual(errors.map(String), ['Error: secret']);
    assert.ok(!inspect(events, { depth: 12, showHidden: false }).includes('secret'));
  });

  it('created after an order has thrown, ends in that error at once', async () => {
    const chart = new Chart(connectionTable);
    const runner = new ChartRunner(chart, ownerThat('upgrade'), notifications);
    runner.send('admission.granted');
    const hosted = new HostedActor(runner, { id: 'c1', parent: null });
    const actor = hosted.reader(() => undefined, assert.ifError);
    await assert.rejects(toPromise(actor), { message: 'secret' });
    await assert.rejects(waitFor(actor, ({ status }) => status === 'done'));
  });

  it('is an Observable for RxJS', () => {
    const { runner, actor } = host();
    const seen: unknown[] = [];
    from(actor).subscribe(({ value }) => seen.push(value));
    runner.send('admission.granted');
    assert.deepEqual(seen, [{ handshaking: 'upgrading' }]);
  });

  it('shows its subscribers each snapshot once, however many children end', () => {
    const { parent, runner } = host();
    const seen: unknown[] = [];
    const reader = parent.reader(() => undefined, assert.ifError);
    reader.subscribe(({ value }) => seen.push(value));
    runner.send('socket.closed');
    parent.runner.send('suspend.requested');
    assert.deepEqual(seen, ['suspended']);
  });

  it('reports what an inspector of its system throws', () => {
    const { runner, actor } = host();
    const ref: AnyActorRef = actor;
    ref.system.inspect(() => {
      throw new Error('inspector');
    });
    runner.send('admission.granted');
    assert.deepEqual([...new Set(thrown)], ['inspector']);
    assert.deepEqual(runner.state.paths, ['handshaking', 'handshaking.upgrading']);
  });

  it('appears in an inspector like the machine', () => {
    const { runner } = host();
    for (const fact of [...toOpen, ...toClosed]) runner.send(fact);
    const of = events.filter(({ actorRef }) => (actorRef as AnyActorRef).id === 'c1');
    const [first] = of;
    assert.ok(first);
    const { logic } = first.actorRef as unknown as { logic: { config: object } };
    assert.deepEqual(
      Object.keys(logic.config),
      Object.keys(connectionMachine.config).filter((key) => key !== 'description'),
    );
    assert.deepEqual(
      of.map((event) => `${event.type} ${'event' in event ? event.event.type : ''}`),
      [
        '@xstate.actor ',
        '@xstate.event xstate.init',
        '@xstate.snapshot xstate.init',
        ...[...toOpen, ...toClosed].flatMap((fact) => [
          `@xstate.event ${fact}`,
          `@xstate.snapshot ${fact}`,
        ]),
      ],
    );
    const last = of.at(-1);
    assert.ok(last?.type === '@xstate.snapshot');
    assert.deepEqual(JSON.parse(JSON.stringify(last.snapshot)), {
      status: 'done',
      value: 'closed',
      context: {},
    });
  });
});
