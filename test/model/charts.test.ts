// Goal: the definitions of the charts prove their promises. Method: walk the definition and the adjacency
// map over every state and every fact. Each check also runs on a chart that was broken on purpose.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  createMachine,
} from 'xstate';
import { getStateNodes } from 'xstate/graph';
import { supervisorDrain } from '../../src/connection/drain.ts';
import * as defaults from '../../src/core/defaults.ts';
import { type Place, placesOf } from '../support/chart-walk.ts';
import { type Chart, charts, connection, supervisor } from './chart-contracts.ts';

// Reading a definition.

function nodesOf({ machine }: Chart): AnyStateNode[] {
  return getStateNodes(machine) as AnyStateNode[];
}

const pathOf = (node: AnyStateNode) => node.path.join('.');

/** A node with all its ancestors, including the root. */
function lineage(node: AnyStateNode): AnyStateNode[] {
  return node.parent === undefined ? [node] : [node, ...lineage(node.parent)];
}

function transitionsOf(node: AnyStateNode) {
  return [...node.transitions.values()].flat();
}

function deadlineOf(node: AnyStateNode): string | undefined {
  return (node.meta as { deadline?: string } | undefined)?.deadline;
}

const isWithin = (node: AnyStateNode, outer: AnyStateNode) => lineage(node).includes(outer);

// The checks. Each returns the faults that it finds.

function statesWithoutDescription(chart: Chart): string[] {
  return nodesOf(chart)
    .filter((node) => !node.description)
    .map(pathOf);
}

function factsOutOfStep(chart: Chart): string[] {
  const nodes = [chart.machine.root as AnyStateNode, ...nodesOf(chart)];
  const accepted = new Set(nodes.flatMap((node) => [...node.transitions.keys()]));
  const described = Object.keys(chart.facts).filter((fact) => chart.facts[fact]);
  return [...accepted]
    .filter((fact) => !described.includes(fact))
    .concat(Object.keys(chart.facts).filter((fact) => !accepted.has(fact)));
}

const raisedBy: Readonly<Record<string, string>> = {
  heartbeat: 'heartbeat.lost',
  welcomeMs: 'welcome.expired',
  stalledMs: 'outbox.stalled',
  pausedMs: 'pause.expired',
};

const deadlineOptions = [
  'heartbeat',
  ...Object.keys(defaults.timeouts),
  // The deadlines that are not options.
  'refusalMs',
  ...['answerMs', 'retryMs', 'checkMs', 'graceMs', 'lingerMs'],
  ...Object.keys(supervisorDrain),
];

/** States without substates that no deadline leads out of. */
function statesThatWait(chart: Chart): string[] {
  return nodesOf(chart)
    .filter((node) => node.type === 'atomic' && !chart.resting.includes(pathOf(node)))
    .filter((node) => !hasWayOut(node))
    .map(pathOf);
}

function hasWayOut(node: AnyStateNode): boolean {
  const deadline = lineage(node)
    .map(deadlineOf)
    .find((name) => name !== undefined);
  if (deadline === undefined || !deadlineOptions.includes(deadline)) return false;
  const fact = raisedBy[deadline] ?? 'deadline.passed';
  const taken = lineage(node).flatMap((owner) => owner.transitions.get(fact) ?? [])[0];
  return taken?.target?.some((target) => !isWithin(target, node)) ?? false;
}

/** States whose deadline raises `deadline.passed` but never starts on entry. */
function deadlinesNeverStarted(chart: Chart): string[] {
  return nodesOf(chart)
    .filter((node) => Object.keys(defaults.timeouts).includes(deadlineOf(node) ?? ''))
    .filter((node) => !Object.hasOwn(raisedBy, deadlineOf(node) ?? ''))
    .filter((node) => !node.entry.some((action) => startedBy(action) === deadlineOf(node)))
    .map(pathOf);
}

function startedBy(action: unknown): string | undefined {
  const { type, params } = action as { type?: string; params?: { name?: string } };
  return type === 'startDeadline' ? `${params?.name}Ms` : undefined;
}

function finalStatesThatAccept(chart: Chart): string[] {
  return nodesOf(chart)
    .filter((node) => node.type === 'final')
    .filter((node) => transitionsOf(node).length > 0 || node.states === undefined)
    .map(pathOf);
}

function statesWithTimersOrServices(chart: Chart): string[] {
  return [chart.machine.root, ...nodesOf(chart)]
    .filter((node) => node.after.length > 0 || node.invoke.length > 0)
    .map((node) => node.id);
}

function ordersOutOfStep(chart: Chart): string[] {
  const actions = [chart.machine.root, ...nodesOf(chart)].flatMap((node) => [
    ...node.entry,
    ...node.exit,
    ...transitionsOf(node).flatMap((transition) => transition.actions),
  ]);
  const given = new Set(actions.map(orderOf));
  return [...given]
    .filter((order) => !chart.orders.includes(order))
    .concat(chart.orders.filter((order) => !given.has(order)));
}

function orderOf(action: unknown): string {
  return typeof action === 'string' ? action : (action as { type: string }).type;
}

// Walking the places.

function topOf({ value }: AnyMachineSnapshot): string {
  return typeof value === 'string' ? value : (Object.keys(value)[0] ?? '');
}

function walk({ machine, facts }: Chart): ReadonlyMap<string, Place> {
  return placesOf({ machine, facts: Object.keys(facts) });
}

/** Every place that can be reached from the given ones, over places that may be entered. */
function reached(
  places: ReadonlyMap<string, Place>,
  from: readonly string[],
  mayEnter: (place: Place) => boolean = () => true,
): Set<string> {
  const seen = new Set(from);
  for (const key of seen) {
    for (const { to } of places.get(key)?.edges ?? []) {
      const place = places.get(to);
      if (place !== undefined && mayEnter(place)) seen.add(to);
    }
  }
  return seen;
}

function topsReached(chart: Chart, from: string, avoiding?: string): Set<string> {
  const places = walk(chart);
  const starts = [...places.keys()].filter((key) => topOfKey(places, key) === from);
  const seen = reached(places, starts, ({ snapshot }) => topOf(snapshot) !== avoiding);
  return new Set([...seen].map((key) => topOfKey(places, key)));
}

function topOfKey(places: ReadonlyMap<string, Place>, key: string): string {
  const place = places.get(key);
  return place === undefined ? '' : topOf(place.snapshot);
}

/** The promise: `closed` if and only if it was open, `failed` if and only if it was not. */
function brokenPromises(chart: Chart): string[] {
  const problems: string[] = [];
  if (topsReached(chart, 'handshaking', 'open').has('closed')) problems.push('closed avoids open');
  if (topsReached(chart, 'open').has('failed')) problems.push('failed passes open');
  return problems;
}

function deadEnds(chart: Chart): string[] {
  const places = walk(chart);
  return [...places.keys()].filter(
    (key) => ![...reached(places, [key])].some((end) => isFinal(places, end)),
  );
}

function isFinal(places: ReadonlyMap<string, Place>, key: string): boolean {
  return places.get(key)?.snapshot.status === 'done';
}

/** Places from which expired deadlines alone do not lead to an end. */
function placesThatOutlast(chart: Chart): string[] {
  const places = walk(chart);
  const deadlines = new Set([...Object.values(raisedBy), 'deadline.passed']);
  const byTime = new Map(
    [...places].map(([key, place]): [string, Place] => [
      key,
      { ...place, edges: place.edges.filter(({ fact }) => deadlines.has(fact)) },
    ]),
  );
  return [...places.keys()]
    .filter((key) => !chart.resting.includes(topOfKey(places, key)))
    .filter((key) => ![...reached(byTime, [key])].some((end) => isFinal(places, end)));
}

// Breaking a chart on purpose.

type Config = { [key: string]: unknown };

function cloned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cloned(inner)]));
}

/** The object at a path of the config. */
function at(config: Config, path: string): Config {
  return path.split(' ').reduce((object, key) => {
    object[key] ??= {};
    return object[key] as Config;
  }, config);
}

/** The chart with another value at a path of its config. `undefined` removes a member. */
function broken(chart: Chart, path: string, changes: Config): Chart {
  const config = cloned(chart.machine.config) as Config;
  const place = at(config, path);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete place[key];
    else place[key] = value;
  }
  const machine = createMachine(config as never, chart.machine.implementations as never);
  return { ...chart, machine: machine as unknown as AnyStateMachine };
}

for (const [name, chart] of charts) {
  describe(`the ${name} chart`, () => {
    it('describes every state', () => {
      assert.deepEqual(statesWithoutDescription(chart), []);
    });

    it('describes every fact that it accepts, and accepts every fact that it describes', () => {
      assert.deepEqual(factsOutOfStep(chart), []);
    });

    it('has a deadline, named after an option, that leads out of every waiting state', () => {
      assert.deepEqual(statesThatWait(chart), []);
    });

    it('ends from everywhere when only deadlines expire', () => {
      assert.deepEqual(placesThatOutlast(chart), []);
    });

    it('can end from everywhere', () => {
      assert.deepEqual(deadEnds(chart), []);
    });

    it('accepts nothing in a final state', () => {
      assert.deepEqual(finalStatesThatAccept(chart), []);
    });

    it('owns no timer and no service', () => {
      assert.deepEqual(statesWithTimersOrServices(chart), []);
    });

    it('gives every order, and none outside the contract', () => {
      assert.deepEqual(ordersOutOfStep(chart), []);
    });

    it('enters every state that it defines', () => {
      const entered = [...walk(chart).values()].flatMap(({ snapshot }) =>
        nodesOf(chart).filter((node) => snapshot.matches(stateValue(node))),
      );
      assert.deepEqual(
        nodesOf(chart)
          .filter((node) => !entered.includes(node))
          .map(pathOf),
        [],
      );
    });
  });
}

describe('the connection chart', () => {
  it('reaches closed only through open, and failed only without it', () => {
    assert.deepEqual(brokenPromises(connection), []);
  });

  it('starts the deadline of every state on entry', () => {
    assert.deepEqual(deadlinesNeverStarted(connection), []);
  });
});

const toClosed = '#connection.closed';

type Mutant = [title: string, check: (chart: Chart) => string[], chart: Chart];

/** Each check with charts in which it must find a fault. */
const mutants: readonly Mutant[] = [
  [
    'a state without a description',
    statesWithoutDescription,
    broken(connection, 'states open states flow', { description: undefined }),
  ],
  [
    'a fact without a description',
    factsOutOfStep,
    broken(connection, 'states open on', { 'peer.vanished': 'errored' }),
  ],
  [
    'a fact that no state accepts',
    factsOutOfStep,
    broken(connection, 'states open on', { 'ping.flooded': undefined }),
  ],
  [
    'an edge from handshaking to closed',
    brokenPromises,
    broken(connection, 'states handshaking on', { 'socket.closed': toClosed }),
  ],
  [
    'an edge from closing to failed',
    brokenPromises,
    broken(connection, 'states closing states forced on', {
      'deadline.passed': '#connection.failed',
    }),
  ],
  ...['handshaking', 'errored', 'closing states peer', 'closing states forced'].map(
    (state): Mutant => [
      `no way out of ${state} by deadline`,
      statesThatWait,
      broken(connection, `states ${state} on`, { 'deadline.passed': undefined }),
    ],
  ),
  [
    'no way out of open by heartbeat',
    statesThatWait,
    broken(connection, 'states open on', { 'heartbeat.lost': undefined }),
  ],
  [
    'a deadline that is not an option',
    statesThatWait,
    broken(connection, 'states errored meta', { deadline: 'erorredMs' }),
  ],
  [
    'a deadline that leads back into its own state',
    placesThatOutlast,
    broken(connection, 'states closing states forced on', { 'deadline.passed': 'forced' }),
  ],
  [
    'a deadline that never starts',
    deadlinesNeverStarted,
    broken(connection, 'states closing states peer', { entry: [] }),
  ],
  [
    'the deadline of another state',
    deadlinesNeverStarted,
    broken(connection, 'states errored', {
      entry: { type: 'startDeadline', params: { name: 'close' } },
    }),
  ],
  ['a state without an exit', deadEnds, broken(supervisor, 'states suspended', { on: {} })],
  [
    'a final state that accepts a fact',
    finalStatesThatAccept,
    broken(connection, 'states closed on', { 'deadline.passed': 'failed' }),
  ],
  [
    'a timer of its own',
    statesWithTimersOrServices,
    broken(connection, 'states errored after', { 2000: 'closing' }),
  ],
  [
    'an order that is never given',
    ordersOutOfStep,
    broken(connection, 'states closing', { entry: undefined }),
  ],
  [
    'an order outside the contract',
    ordersOutOfStep,
    broken(supervisor, 'states stopped', { exit: 'rejoice' }),
  ],
];

describe('the checks of the charts', () => {
  for (const [title, check, chart] of mutants) {
    it(`catch ${title}`, () => assert.notDeepEqual(check(chart), []));
  }
});

/** `open.flow` as `{ open: 'flow' }`, the form in which XState checks whether a state is active. */
function stateValue(node: AnyStateNode): string | object {
  return node.path.reduceRight<string | object>(
    (inner, key) => (inner === '' ? key : { [key]: inner }),
    '',
  );
}
