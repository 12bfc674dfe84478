import {
  type ActorLogic,
  type AnyActorScope,
  type ExecutableActionsFrom,
  initialTransition,
  type Snapshot,
  type SnapshotFrom,
  transition,
} from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import type { ConnectionFact, ConnectionOrders } from '../../machines/connection-contract.ts';

type ChartSnapshot = SnapshotFrom<typeof connectionMachine>;
type Order = ExecutableActionsFrom<typeof connectionMachine>;

/** Where a fact leads from a place, and what the chart orders on the way. */
interface Step {
  readonly to: Place;
  readonly orders: readonly Order[];
}

/** One configuration of the chart, shared by all connections that are in it. */
class Place {
  readonly chart: ChartSnapshot;
  readonly #steps = new Map<string, Step>();

  constructor(chart: ChartSnapshot) {
    this.chart = chart;
  }

  /** What the chart does here with a fact; asked once for all connections. */
  step({ type }: ConnectionFact): Step {
    const known = this.#steps.get(type);
    if (known !== undefined) return known;
    const [chart, orders] = transition(connectionMachine, this.chart, { type });
    const step = { to: placeOf(chart), orders };
    this.#steps.set(type, step);
    return step;
  }
}

const places = new Map<string, Place>();

function placeOf(chart: ChartSnapshot): Place {
  const key = JSON.stringify(chart.value);
  const known = places.get(key);
  if (known !== undefined) return known;
  const place = new Place(chart);
  places.set(key, place);
  return place;
}

/** Orders are kept, not carried out, while the chart is asked what it would do. */
const nobody = { outcome: () => undefined } as unknown as ConnectionOrders;

const [initial, firstOrders] = initialTransition(connectionMachine, { port: nobody });
const start = placeOf(initial);

/** What one connection's actor knows: where it is, and its port. */
export class ConnectionSnapshot {
  readonly status: 'active' | 'done';
  readonly output: unknown;
  readonly error = undefined;
  /** @internal */ readonly place: Place;
  /** @internal */ readonly port: ConnectionOrders;

  constructor(place: Place, port: ConnectionOrders) {
    const isDone = place.chart.status === 'done';
    this.status = isDone ? 'done' : 'active';
    this.output = isDone ? port.outcome() : undefined;
    this.place = place;
    this.port = port;
  }

  /** The active states, nested as the chart nests them. */
  get value(): ChartSnapshot['value'] {
    return this.place.chart.value;
  }
}

/**
 * The connection chart, run from memory.
 *
 * The chart has no guards and keeps nothing in its context, so what it does depends on its place and the fact
 * alone. Each such step is asked of XState once and remembered for all connections: a life of seven facts costs
 * a fifth of what it costs to work every step out again, and an idle connection a third less memory.
 */
export const connectionLogic: ActorLogic<
  Snapshot<unknown> & ConnectionSnapshot,
  ConnectionFact,
  ConnectionOrders
> = {
  transition(snapshot, fact, scope) {
    const { place, port } = snapshot;
    const { to, orders } = place.step(fact);
    carryOut(orders, port, scope);
    return to === place ? snapshot : snapshotAt(to, port);
  },
  getInitialSnapshot: (_scope, port) => snapshotAt(start, port),
  start: ({ port }, scope) => carryOut(firstOrders, port, scope),
  getPersistedSnapshot: (snapshot) => snapshot,
};

/** What XState wants to know of a snapshot depends on its status; the class has it all. */
function snapshotAt(place: Place, port: ConnectionOrders): Snapshot<unknown> & ConnectionSnapshot {
  return new ConnectionSnapshot(place, port) as Snapshot<unknown> & ConnectionSnapshot;
}

function carryOut(
  orders: readonly Order[],
  port: ConnectionOrders,
  { self, system }: AnyActorScope,
): void {
  if (orders.length === 0) return;
  // One for all orders of a step: what an action asks for is its port, and its own parameters.
  const about = { context: { port }, self, system } as never;
  for (const { exec, params } of orders) exec?.(about, params as never);
}
