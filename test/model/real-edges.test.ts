// Goal: every edge of the connection chart is taken by a real connection, or is known not to be and why.
// Method: walk to the edge's source over edges that real sockets can take, then over the edge; the peer, the
// network and the application are real, time is virtual. What is said to be impossible must never be seen.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { connectionMachine } from '../../machines/connection.ts';
import { connectionFacts } from '../../machines/connection-contract.ts';
import { Coverage, type Edge, placesOf } from '../support/chart-walk.ts';
import { opcode } from '../support/frames.ts';
import { until } from '../support/until.ts';
import { drivers, planFor } from './real-drivers.ts';
import { cannotHappen, type Impossibility } from './real-infeasible.ts';
import { activeIn, type Fact, initialPlace, RealStage, type Step } from './real-stage.ts';

const places = placesOf({ machine: connectionMachine, facts: Object.keys(connectionFacts) });
const edges = [...places.values()].flatMap((place) => place.edges);

const names = ({ states, facts }: Impossibility, { from, fact }: Pick<Edge, 'from' | 'fact'>) =>
  states.every((state) => activeIn(from).includes(state)) &&
  (facts === 'any' || facts.includes(fact as Fact));

const isListed = (edge: Pick<Edge, 'from' | 'fact'>) =>
  cannotHappen.some((entry) => names(entry, edge));

const drivable = edges.filter((edge) => !isListed(edge));

/** Of several ways that are equally short, the one that can wait where it leads. */
const preferred = [
  'welcome.settled',
  'heartbeat.missed',
  'fail.requested',
  'close.requested',
  'terminate.requested',
  'socket.closed',
];

/** A FIN alone leads to the end without a stop; the close frame of a peer that stays does not. */
const waysOfTheirOwn: Readonly<Record<string, readonly Fact[]>> = {
  '{"closing":"peer"}': ['admission.granted', 'socket.opened', 'welcome.settled', 'peer.closing'],
};

/** The shortest way to every place over edges that can be driven. */
function shortestWays(): ReadonlyMap<string, readonly Fact[]> {
  const rank = ({ fact }: Edge) =>
    (preferred.indexOf(fact) + preferred.length + 1) % (preferred.length + 1);
  const ways = new Map<string, readonly Fact[]>([[initialPlace, []]]);
  for (const [key, way] of ways) {
    const leaving = drivable.filter(({ from }) => from === key).sort((a, b) => rank(a) - rank(b));
    for (const { fact, to } of leaving) {
      if (!ways.has(to)) ways.set(to, [...way, fact as Fact]);
    }
  }
  return new Map([...ways, ...Object.entries(waysOfTheirOwn)]);
}

const ways = shortestWays();

/** The close frame that leaves at once after a fact, when nothing stands in its way. */
const closeCodes: Partial<Record<Fact, number>> = {
  'close.requested': 4000,
  'fail.requested': 1011,
  'handler.errored': 1011,
  'welcome.expired': 1011,
  'protocol.violated': 1002,
  'peer.closing': 4001,
};

/** Facts after which nothing is left to be said. */
const destroying = ['send.errored', 'ping.flooded', 'heartbeat.lost', 'terminate.requested'];

/** What a client hears whose upgrade is refused; nothing when it, or its socket, is gone. */
const statuses: Readonly<Record<string, number>> = {
  'handshaking.admitting admission.refused': 403,
  'handshaking.admitting deadline.passed': 503,
  'handshaking.upgrading admission.refused': 400,
};

const coverage = new Coverage(connectionMachine);
const taken: Step[] = [];
let driven = 0;
let racesLost = 0;

/** Whoever offers it is asked for beats. */
const withBeat = { 'Sec-WebSocket-Protocol': 'mooring.beat' };

const ATTEMPTS_MAX = 20;

async function drive(edge: Edge): Promise<void> {
  const way = [...(ways.get(edge.from) ?? []), edge.fact];
  const plan = {
    ...planFor(edge.fact as Fact, (state) => activeIn(edge.from).includes(state)),
    ...(way.some((fact) => fact.startsWith('beat.')) && { headers: withBeat }),
  };
  for (let attempt = 1; ; attempt += 1) {
    const stage = await RealStage.set(plan, coverage.note);
    try {
      await takeWay(stage, edge);
      stage.tempt();
      break;
    } catch (thrown) {
      if (plan.isRace !== true || attempt === ATTEMPTS_MAX) throw thrown;
      racesLost += 1;
    } finally {
      await stage.end();
      taken.push(...stage.steps);
    }
  }
  driven += 1;
}

async function takeWay(stage: RealStage, edge: Edge): Promise<void> {
  const way = [...(ways.get(edge.from) ?? []), edge.fact as Fact];
  for (const [index, fact] of way.entries()) {
    // A fact may have followed from the one before.
    if (stage.steps.length <= index) await drivers[fact](stage);
    await stage.takes(fact, index);
  }
  const { from, fact, to } = edge;
  assert.deepEqual(stage.steps[way.length - 1], { from, fact, to });
  stage.assertStates();
  await assertEffects(stage, edge);
}

/** Asserts what the orders that were given have done to the socket. */
async function assertEffects({ peer, raw }: RealStage, { from, fact, to }: Edge): Promise<void> {
  const code = activeIn(from).includes('open.flow.flowing') ? closeCodes[fact as Fact] : undefined;
  if (code !== undefined) {
    await until(() => peer.closeFrame !== undefined, `${code} arrives`);
    assert.equal(peer.closeFrame?.code, code);
    assert.equal(peer.frames.at(-1)?.opcode, opcode.close);
  }
  if (destroying.includes(fact) || to === '{"closing":"forced"}') assert.ok(raw.destroyed);
  if (to === '"failed"') {
    const status = statuses[`${activeIn(from)[1]} ${fact}`] ?? 0;
    await until(() => peer.status === status || peer.closed, 'the request is answered');
    assert.equal(peer.status, status);
  }
}

function shown(key: string): string {
  const states = activeIn(key);
  const leaves = states.filter((state) => !states.some((other) => other.startsWith(`${state}.`)));
  return leaves.map((state) => state.split('.').at(-1)).join('+');
}

describe('the connection chart on real sockets', () => {
  const begun = performance.now();
  after(() => {
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
    console.log(`# ${driven} of ${edges.length} edges in ${seconds} s, ${racesLost} races lost`);
  });

  for (const edge of drivable) {
    it(`${shown(edge.from)} ─ ${edge.fact} → ${shown(edge.to)}`, () => drive(edge));
  }
});

describe('what cannot happen on a real socket', () => {
  it('is said of edges that the chart has, with nothing said twice', () => {
    for (const entry of cannotHappen) {
      const others = cannotHappen.filter((other) => other !== entry);
      const own = edges.filter(
        (edge) => names(entry, edge) && !others.some((other) => names(other, edge)),
      );
      assert.ok(own.length > 0, `${entry.states} ─ ${entry.facts}`);
    }
  });

  it('is, with what was driven, all that the chart has', () => {
    assert.equal(driven + edges.filter(isListed).length, edges.length);
    const missing = drivable.filter(
      (edge) => !taken.some(({ from, fact }) => from === edge.from && fact === edge.fact),
    );
    assert.deepEqual(missing, []);
  });

  it('has not happened in all this', () => {
    assert.deepEqual(taken.filter(isListed), []);
  });

  it('is why some transitions were never taken', () => {
    const reachable = new Set(drivable.flatMap((edge) => edge.transitions));
    const expected = new Set(edges.flatMap((edge) => edge.transitions));
    assert.deepEqual(
      coverage.missing.toSorted(),
      [...expected].filter((name) => !reachable.has(name)).toSorted(),
    );
  });
});
