import type { Clock } from '../core/clock.ts';
import { MooringError } from '../core/errors.ts';
import { Chart } from './chart.ts';
import type { FlightRecorder } from './flight-recorder.ts';
import type { ActorHost, ActorParent, ActorPlace, HostedActor } from './hosted-actor.ts';
import { Notifications } from './notifications.ts';
import { type ChartOwner, ChartRunner } from './runner.ts';
import type { ChartTable } from './table.ts';
import { connectionTable } from './tables/connection.ts';

/** Which actors and which recorder the runners of a system get. */
export interface ActorOptions {
  /** `null` in a page that has not imported XState. */
  readonly actorHost: ActorHost | null;
  /** Whether each runner gets its actor at the start, and not on demand. */
  readonly areEager: boolean;
  /** Makes the recorder of each connection's last facts. A page has none, because its size matters more. */
  readonly makeRecorder?: (clock: Clock) => FlightRecorder;
}

/** The charts of one supervisor and of everything below it, or of all clients that have no supervisor. */
export class ChartSystem {
  readonly notifications = new Notifications();
  readonly #actorHost: ActorHost | null;
  readonly #recorder: FlightRecorder | null;
  /** Whether each runner gets its actor at the start. */
  readonly areActorsEager: boolean;
  readonly #charts = new Map<string, Chart>();
  #root: ActorParent | null = null;

  /** @param clock - gives the times in trails. */
  constructor({ actorHost, areEager, makeRecorder }: ActorOptions, clock: Clock) {
    this.#actorHost = actorHost;
    this.areActorsEager = actorHost !== null && areEager;
    this.#recorder = makeRecorder?.(clock) ?? null;
  }

  /** Whether the runners of this system get their actors in this way. */
  has({ actorHost, areEager }: ActorOptions): boolean {
    return (
      this.#actorHost === actorHost && (actorHost === null || this.areActorsEager === areEager)
    );
  }

  /** Makes the runner of a chart. The owner starts it. */
  run<Fact extends string>(table: ChartTable, owner: ChartOwner): ChartRunner<Fact> {
    return new ChartRunner<Fact>(this.chartOf(table), owner, this.notifications);
  }

  /** Makes the actor of a runner. @throws MooringError `no-actor` in a page that has not imported XState */
  host(runner: ChartRunner, place: ActorPlace): HostedActor {
    return this.#requiredHost.host(runner, place);
  }

  /** The parent of actors that have no other. All share one, because each actor system of XState costs 2 KB (measured). */
  get root(): ActorParent {
    this.#root ??= this.#requiredHost.makeRoot();
    return this.#root;
  }

  get #requiredHost(): ActorHost {
    if (this.#actorHost !== null) return this.#actorHost;
    const remedy = "import createClient from 'mooring/client/inspect' to have actors in a page";
    throw new MooringError('no-actor', remedy);
  }

  /** The chart that all runners of a table share. */
  chartOf(table: ChartTable): Chart {
    const recorder = table === connectionTable ? this.#recorder : null;
    const chart = this.#charts.get(table.name) ?? new Chart(table, recorder);
    this.#charts.set(table.name, chart);
    return chart;
  }
}
