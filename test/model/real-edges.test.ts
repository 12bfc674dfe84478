// Goal: a real connection takes every edge of the connection chart, or a list gives the reason why none can. Method:
// walk to the edge's source over edges that real sockets can take, then over the edge, once for accepted and once for
// dialed connections. The peer, the network and the application are real, and time is virtual. An edge listed as
// impossible must never occur. Everything runs twice: with an actor for each connection, whose inspection shows the
// steps, and without actors, where the counts of the chart show them.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { transition } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import type { Edge } from '../support/chart-walk.ts';
import { opcode } from '../support/frames.ts';
import { until } from '../support/until.ts';
import { accepted } from './accepted-kind.ts';
import { dialed } from './dialed-kind.ts';
import type { Impossibility } from './real-infeasible.ts';
import type { Kind } from './real-kind.ts';
import {
  type Actors,
  activeIn,
  type Fact,
  initialPlace,
  places,
  type RealStage,
  type Step,
} from './real-stage.ts';

/** A fact that a state ignores leaves no trace: the table has no edge for it. */
const edges = [...places.values()].flatMap((place) =>
  place.edges.filter(({ fact, from, to }) => {
    const [, orders] = transition(connectionMachine, place.snapshot as never, {
      type: fact as Fact,
    });
    return from !== to || orders.length > 0;
  }),
);

type Named = Pick<Edge, 'from' | 'fact'>;

function names({ states, facts, except = [] }: Impossibility, { from, fact }: Named): boolean {
  const isMeant = facts === 'any' ? !except.includes(fact as Fact) : facts.includes(fact as Fact);
  return isMeant && states.every((state) => activeIn(from).includes(state));
}

/** Of equally short paths, the one whose target can wait. */
const preferred = [
  'welcome.settled',
  'heartbeat.missed',
  'fail.requested',
  'close.requested',
  'terminate.requested',
  'socket.closed',
];

/** The shortest path to every place over edges that can be driven. */
function shortestWays(drivable: readonly Edge[]): Map<string, readonly Fact[]> {
  const rank = ({ fact }: Edge) =>
    (preferred.indexOf(fact) + preferred.length + 1) % (preferred.length + 1);
  const ways = new Map<string, readonly Fact[]>([[initialPlace, []]]);
  for (const [key, way] of ways) {
    const leaving = drivable.filter(({ from }) => from === key).sort((a, b) => rank(a) - rank(b));
    for (const { fact, to } of leaving) {
      if (!ways.has(to)) ways.set(to, [...way, fact as Fact]);
    }
  }
  return ways;
}

/** The close frame that leaves at once after a fact, when nothing blocks it. */
const closeCodes: Partial<Record<Fact, number>> = {
  'close.requested': 4000,
  'fail.requested': 1011,
  'handler.errored': 1011,
  'welcome.expired': 1011,
  'protocol.violated': 1002,
  'peer.closing': 4001,
};

/** Facts after which nothing more is sent. */
const destroying = ['send.errored', 'ping.flooded', 'heartbeat.lost', 'terminate.requested'];

/** A peer that offers it is asked for beats. */
const withMooring = { 'Sec-WebSocket-Protocol': 'mooring.v1' };

const ATTEMPTS_MAX = 20;

/** Drives connections of one kind over their edges. */
class Driving<Stage extends RealStage> {
  readonly kind: Kind<Stage>;
  readonly actors: Actors;
  readonly drivable: readonly Edge[];
  readonly taken: Step[] = [];
  driven = 0;
  racesLost = 0;
  readonly #ways: ReadonlyMap<string, readonly Fact[]>;

  constructor(kind: Kind<Stage>, actors: Actors) {
    this.kind = kind;
    this.actors = actors;
    this.drivable = edges.filter((edge) => !this.isListed(edge));
    const ways = shortestWays(this.drivable);
    // A FIN alone leads straight to the end. The close frame of a peer that stays does not.
    ways.set('{"closing":"peer"}', [...kind.opening, 'peer.closing']);
    this.#ways = ways;
  }

  /** Whether it is listed as impossible. */
  isListed(edge: Named): boolean {
    return this.kind.cannotHappen.some((entry) => names(entry, edge));
  }

  async drive(edge: Edge): Promise<void> {
    const { plan: arranged = {} } =
      this.kind.arrangements.find(
        ({ states, facts }) =>
          facts.includes(edge.fact as Fact) &&
          states.every((state) => activeIn(edge.from).includes(state)),
      ) ?? {};
    const way = [...(this.#ways.get(edge.from) ?? []), edge.fact];
    const isAsked = way.some((fact) => fact.startsWith('beat.'));
    const plan = { ...arranged, ...(isAsked && { headers: withMooring }) };
    for (let attempt = 1; ; attempt += 1) {
      const stage = await this.kind.set(plan, this.actors);
      try {
        await this.#takeWay(stage, edge);
        stage.tempt();
        break;
      } catch (thrown) {
        if (plan.isRace !== true || attempt === ATTEMPTS_MAX) throw thrown;
        this.racesLost += 1;
      } finally {
        await stage.end();
        this.taken.push(...stage.steps);
      }
    }
    this.driven += 1;
  }

  async #takeWay(stage: Stage, edge: Edge): Promise<void> {
    const way = [...(this.#ways.get(edge.from) ?? []), edge.fact as Fact];
    for (const [index, fact] of way.entries()) {
      // A fact may have followed from the previous one.
      if (stage.steps.length <= index) await this.kind.drivers[fact](stage);
      await stage.takes(fact, index);
    }
    const { from, fact, to } = edge;
    assert.deepEqual(stage.steps[way.length - 1], { from, fact, to });
    stage.assertStates();
    await assertEffects(stage, edge);
    const [, state] = activeIn(from);
    if (to === '"failed"') await this.kind.assertFailed(stage, { state, fact });
  }
}

/** Asserts the effects of the given orders on the socket. */
async function assertEffects({ peer, raw }: RealStage, { from, fact, to }: Edge): Promise<void> {
  const code = activeIn(from).includes('open.flow.flowing') ? closeCodes[fact as Fact] : undefined;
  if (code !== undefined) {
    await until(() => peer.closeFrame !== undefined, `${code} arrives`);
    assert.equal(peer.closeFrame?.code, code);
    assert.equal(peer.frames.at(-1)?.opcode, opcode.close);
  }
  if (destroying.includes(fact) || to === '{"closing":"forced"}') assert.ok(raw.destroyed);
}

function shown(key: string): string {
  const states = activeIn(key);
  const leaves = states.filter((state) => !states.some((other) => other.startsWith(`${state}.`)));
  return leaves.map((state) => state.split('.').at(-1)).join('+');
}

function drives<Stage extends RealStage>(kind: Kind<Stage>, actors: Actors): Driving<Stage> {
  const driving = new Driving(kind, actors);
  describe(`the connection chart on real sockets that are ${kind.name}, actors ${actors}`, () => {
    const begun = performance.now();
    after(() => {
      const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
      const { driven, racesLost } = driving;
      console.log(`# ${driven} of ${edges.length} edges in ${seconds} s, ${racesLost} races lost`);
    });

    for (const edge of driving.drivable) {
      const { from, fact, to } = edge;
      it(`${shown(from)} ─ ${fact} → ${shown(to)}`, () => driving.drive(edge));
    }
  });
  describe(`what cannot happen on a real socket that is ${kind.name}, actors ${actors}`, () => {
    it('names only edges of the chart, each once', () => {
      for (const entry of kind.cannotHappen) {
        const others = kind.cannotHappen.filter((other) => other !== entry);
        const own = edges.filter(
          (edge) => names(entry, edge) && !others.some((other) => names(other, edge)),
        );
        assert.ok(own.length > 0, `${entry.states} ─ ${entry.facts}`);
      }
    });

    it('makes up the whole chart together with the driven edges', () => {
      const { taken, drivable, driven } = driving;
      const listed = edges.filter((edge) => driving.isListed(edge));
      assert.equal(driven + listed.length, edges.length);
      const missing = drivable.filter(
        (edge) => !taken.some(({ from, fact }) => from === edge.from && fact === edge.fact),
      );
      assert.deepEqual(missing, []);
    });

    it('never occurred in these tests', () => {
      assert.deepEqual(
        driving.taken.filter((step) => driving.isListed(step)),
        [],
      );
    });
  });
  return driving;
}

function transitionsOf({ from, fact }: Step): readonly string[] {
  return places.get(from)?.edges.find((edge) => edge.fact === fact)?.transitions ?? [];
}

const drivings = [
  ...[drives(accepted, 'eager'), drives(accepted, 'on-demand')],
  ...[drives(dialed, 'eager'), drives(dialed, 'on-demand')],
];

describe('the facts that no real socket can cause', () => {
  it('explain why some transitions were never taken', () => {
    const drivable = drivings.flatMap((driving) => driving.drivable);
    const reachable = new Set(drivable.flatMap((edge) => edge.transitions));
    const expected = new Set(edges.flatMap((edge) => edge.transitions));
    const taken = new Set(drivings.flatMap((driving) => driving.taken.flatMap(transitionsOf)));
    assert.deepEqual(
      [...expected].filter((name) => !taken.has(name)),
      [...expected].filter((name) => !reachable.has(name)),
    );
  });
});
