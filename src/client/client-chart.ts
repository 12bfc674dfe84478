import {
  type ActorLogic,
  type ActorRefFrom,
  type AnyActorRef,
  createActor,
  type Snapshot,
} from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import type { ClientFact, ClientOrders } from '../../machines/client-contract.ts';
import { hide, thrownBy } from '../../machines/hidden.ts';
import { ChartMemory, carryOut, type Place } from '../connection/chart-memory.ts';
import type { Parent } from '../connection/parent.ts';
import { snapshotPaths } from '../connection/snapshot-paths.ts';
import { toError } from '../core/errors.ts';
import type { InspectionEvent } from '../core/inspection.ts';

/** Whom a chart works for. */
export interface ChartedClient extends ClientOrders {
  /** An order threw: the chart can decide nothing any more. */
  crashed(error: Error): void;
}

/** The chart of one client: facts go in, orders come out. */
export interface ClientChart {
  /** The parent of the connections of this client. */
  readonly actor: AnyActorRef;
  /** Every active state as a path. */
  readonly states: readonly string[];
  /** Gives the chart a fact; one that comes while it carries out orders is taken up after them. */
  send(type: ClientFact['type']): void;
}

/** Where a chart belongs, and who watches it. */
export interface ChartPlace {
  readonly parent: Parent | null;
  readonly inspect?: (event: InspectionEvent) => void;
}

/** Only an actor tells an inspector what it does; without one a client needs none, which saves 4 KB (measured). */
export function clientChart(client: ChartedClient, place: ChartPlace): ClientChart {
  const isWatched = place.inspect !== undefined || place.parent?.isInspected === true;
  return isWatched ? new InspectedChart(client, place) : new RememberedChart(client, place);
}

const memory = new ChartMemory(clientMachine, hide({} as ClientOrders));

/** Hears of the end of every connection, and knows nothing to do about it: the connection itself reports the outcome. */
const inertLogic: ActorLogic<Snapshot<unknown>, { type: string }> = {
  transition: (snapshot) => snapshot,
  getInitialSnapshot: () => ({ status: 'active', output: undefined, error: undefined }),
  getPersistedSnapshot: (snapshot) => snapshot,
};

/** One system for the connections of all clients: each of its own would be 2 KB (measured). */
const everyParent = createActor(inertLogic).start();

class RememberedChart implements ClientChart {
  /** The parent of the connections: there is no actor of the client between them. */
  readonly actor: AnyActorRef;
  readonly #client: ChartedClient;
  /** `null` once it has crashed. */
  #place: Place | null = memory.start;
  /** Facts that came while orders were carried out; most of the time there are none. */
  #due: ClientFact['type'][] | null = null;
  #isBusy = false;

  constructor(client: ChartedClient, { parent }: ChartPlace) {
    this.#client = client;
    this.actor = parent?.actor ?? everyParent;
  }

  get states(): readonly string[] {
    return (this.#place ?? memory.start).states;
  }

  send(type: ClientFact['type']): void {
    if (this.#isBusy) {
      this.#due ??= [];
      this.#due.push(type);
      return;
    }
    this.#isBusy = true;
    try {
      this.#take(type);
      for (let next = this.#next(); next !== undefined; next = this.#next()) this.#take(next);
    } catch (thrown) {
      this.#place = null;
      this.#due = null;
      this.#client.crashed(toError(thrownBy(thrown)));
    } finally {
      this.#isBusy = false;
    }
  }

  #take(type: ClientFact['type']): void {
    if (this.#place === null) return;
    const { to, orders } = this.#place.step(type);
    if (orders.length > 0) carryOut(orders, { context: hide<ClientOrders>(this.#client) });
    this.#place = to;
  }

  #next(): ClientFact['type'] | undefined {
    const next = this.#due?.shift();
    if (next === undefined) this.#due = null;
    return next;
  }
}

class InspectedChart implements ClientChart {
  readonly actor: ActorRefFrom<typeof clientMachine>;

  constructor(client: ChartedClient, { parent, inspect }: ChartPlace) {
    this.actor = createActor(clientMachine, {
      id: 'client',
      input: hide<ClientOrders>(client),
      ...(inspect && { inspect }),
      ...(parent && { parent: parent.actor }),
    });
    this.actor.subscribe({ error: (thrown) => client.crashed(toError(thrownBy(thrown))) });
    this.actor.start();
  }

  get states(): readonly string[] {
    return snapshotPaths(this.actor.getSnapshot().value);
  }

  send(type: ClientFact['type']): void {
    this.actor.send({ type });
  }
}
