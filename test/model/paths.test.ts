// Goal: the production charts behave correctly on every edge, and on every edge after every other. Method:
// find every place of a chart and the shortest path to it, then take each edge there (1-switch), and each
// pair of edges (2-switch), on virtual time. Compare what XState's inspection saw with everything that the
// charts define.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InspectionEvent } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import { connectionFacts } from '../../machines/connection-contract.ts';
import { exitSignals } from '../../machines/exit-signals.ts';
import { supervisorFacts, supervisorMachine } from '../../machines/supervisor.ts';
import {
  Coverage,
  type Edge,
  type Place,
  placesOf,
  transitionNames,
  type WalkableChart,
} from '../support/chart-walk.ts';
import { assertSense, assertSupervisorSense } from '../support/order-sense.ts';
import { RecordingConnection } from '../support/recording-connection.ts';
import { RecordingSupervisor } from '../support/recording-supervisor.ts';

/** A running chart that can be driven over an edge. */
interface Drive {
  readonly place: string;
  readonly isDone: boolean;
  make(fact: string): void;
}

interface Subject<D extends Drive> extends WalkableChart {
  start(inspect: (event: InspectionEvent) => void): D;
  /** Asserts what holds in every place, on whatever path it was reached. */
  check(drive: D): void;
  /** Asserts that it ends by itself, or that it rests where it may rest indefinitely. */
  conclude(drive: D): void;
}

const connection: Subject<RecordingConnection> = {
  machine: connectionMachine,
  facts: Object.keys(connectionFacts),
  start: (inspect) => new RecordingConnection(inspect),
  check(connection) {
    assertSense(connection);
    assert.equal(connection.deadline, deadlineOf(connection), 'the deadline that runs');
    assert.equal(connection.outcomeReported, connection.isDone ? 'the outcome' : undefined);
  },
  conclude(connection) {
    connection.runOut();
    assert.ok(connection.isDone, `still in ${connection.place} when all deadlines have passed`);
    assertSense(connection);
    assert.equal(connection.pending, 0, 'deadlines and timers left');
  },
};

/**
 * The deadline that the chart defines for its place, the innermost if there are several. Heartbeat, welcome
 * and stall have their own timers.
 */
function deadlineOf({ actor }: RecordingConnection): string | undefined {
  const keptByTheChart = ['refusalMs', 'handshakeMs', 'erroredMs', 'closeMs', 'forcedMs'];
  return Object.values(actor.getSnapshot().getMeta())
    .map((meta) => meta?.deadline)
    .findLast((name) => name !== undefined && keptByTheChart.includes(name));
}

const supervisor: Subject<RecordingSupervisor> = {
  machine: supervisorMachine,
  facts: [...Object.keys(supervisorFacts), ...Object.keys(exitSignals)],
  start: (inspect) => new RecordingSupervisor(inspect),
  check: assertSupervisorSense,
  conclude(drive) {
    for (const fact of ['drain.requested', 'deadline.passed', 'deadline.passed']) drive.make(fact);
    assert.ok(drive.isDone, `still in ${drive.place} after a drain`);
    assertSupervisorSense(drive);
  },
};

function describePaths<D extends Drive>(name: string, subject: Subject<D>): void {
  const places = placesOf(subject);
  const edges = [...places.values()].flatMap((place) => place.edges);

  /** Drives a chart over the facts that lead to a place, and asserts that they did. */
  function arrive(note: Coverage['note'], path: readonly string[], key: string): D {
    const drive = subject.start(note);
    for (const fact of path) {
      drive.make(fact);
      subject.check(drive);
    }
    assert.equal(drive.place, key);
    return drive;
  }

  describe(`the ${name} chart, every edge`, () => {
    const coverage = new Coverage(subject.machine);

    for (const edge of edges) {
      it(nameOf(edge), () => {
        const path = [...pathTo(places, edge.from), edge.fact];
        subject.conclude(arrive(coverage.note, path, edge.to));
      });
    }

    it('covers every transition that the chart defines', () =>
      assert.deepEqual(coverage.missing, []));
  });

  describe(`the ${name} chart, every pair of edges`, () => {
    for (const first of edges) {
      const next = places.get(first.to)?.edges ?? [];
      if (next.length === 0) continue;
      it(`${nameOf(first)}, then each of ${next.length}`, () => {
        const path = [...pathTo(places, first.from), first.fact];
        for (const { fact, to } of next) subject.conclude(arrive(() => {}, [...path, fact], to));
      });
    }
  });

  it(`the ${name} chart has no guards, so that one edge is one case`, () => {
    const guards = [...transitionNames(subject.machine).keys()].filter(({ guard }) => guard);
    assert.deepEqual(guards, []);
  });
}

function pathTo(places: ReadonlyMap<string, Place>, key: string): readonly string[] {
  return places.get(key)?.path ?? [];
}

function nameOf({ from, fact, to }: Edge): string {
  return `${short(from)} ─ ${fact} → ${from === to ? 'stays' : short(to)}`;
}

/** `open (receiving, healthy, flowing)` for the JSON of a place. */
function short(key: string): string {
  const value: string | Record<string, string | Record<string, string>> = JSON.parse(key);
  if (typeof value === 'string') return value;
  const [[state, inner] = ['', '']] = Object.entries(value);
  return typeof inner === 'string'
    ? `${state}.${inner}`
    : `${state} (${Object.values(inner).join(', ')})`;
}

describePaths('connection', connection);
describePaths('supervisor', supervisor);

describe('coverage', () => {
  it('names the transitions that were not taken', () => {
    const coverage = new Coverage(connectionMachine);
    assert.equal(coverage.missing.length, coverage.total);
    new RecordingConnection(coverage.note).make('admission.refused');
    assert.equal(coverage.missing.length, coverage.total - 1);
    assert.ok(
      coverage.missing.includes(
        'connection.handshaking.admitting ─ admission.granted → connection.handshaking.upgrading',
      ),
    );
  });
});
