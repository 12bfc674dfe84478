import type { SupervisorEvent } from '../../src/core/events.ts';
import type { InspectionEvent } from '../../src/core/inspection.ts';
import { ServiceSupervisor } from '../../src/server/supervisor.ts';
import type { ChartStatistics } from '../../src/server/supervisor-types.ts';
import { SimulatedActs } from './acts.ts';
import { SimulatedApplication } from './application.ts';
import { SimulationChecks } from './checks.ts';
import type { FakeSocket } from './fake-socket.ts';
import { FakeUpgrader } from './fake-upgrade.ts';
import type { SimulatedConnection } from './life.ts';
import { SimulatedPeers, STUCK_MS } from './peers.ts';
import { SimulatedPublications } from './publications.ts';
import { SimulationReports } from './reports.ts';
import { SimulationScan } from './scan.ts';
import type { TraceLine } from './trace.ts';
import { SimulationWorld, type Tally, textOf, type Violation } from './world.ts';

/** The options of a simulation. */
export interface SimulationOptions {
  /** Whether the lines of the trace are kept. @default false */
  trace?: boolean;
  /** Observes every step of every chart. */
  inspect?(event: InspectionEvent): void;
  /** When connections get their actors. */
  actors?: 'eager' | 'on-demand';
}

/** The result of one simulation. */
export interface SimulationResult {
  readonly seed: number;
  /** The rule that was broken first, or `null`. */
  readonly violation: Violation | null;
  /** A digest: equal for the same seed, and different for different traces. */
  readonly digest: string;
  readonly trace: readonly TraceLine[];
  /** How much happened. */
  readonly events: number;
  readonly connections: number;
  readonly virtualMs: number;
  /** How often each ending was reported. */
  readonly tally: Tally;
  /** The counts of the charts. */
  readonly chart: ChartStatistics;
}

/** How many steps lie between two full checks. */
const STEPS_PER_SCAN = 48;

/** How long after the drain everything must have ended, in milliseconds of virtual time. */
const AFTERMATH_MS = 3_600_000 * 24;

/** Enough for the longest chain of promises between two handlers. */
const MICROTASK_TURNS = 8;

/**
 * Runs one simulated service from its start to the end of its drain, and checks its rules.
 *
 * The supervisor, its charts and its wheel are production code. Clock, sockets, peers and the handlers of
 * the application are drawn from the seed.
 */
export async function simulate(
  seed: number,
  options: SimulationOptions = {},
): Promise<SimulationResult> {
  const world = new SimulationWorld(seed, options.trace === true);
  const simulation = new Simulation(world, options);
  await simulation.run();
  return {
    seed,
    violation: world.violation,
    digest: world.trace.digest,
    trace: world.trace.lines,
    events: world.trace.size,
    connections: world.lives.length,
    virtualMs: world.trace.atMs,
    tally: world.tally,
    chart: world.supervisor.chart,
  };
}

class Simulation {
  readonly #world: SimulationWorld;
  readonly #upgrader: FakeUpgrader;
  readonly #acts: SimulatedActs;
  readonly #checks: SimulationChecks;
  readonly #reports: SimulationReports;
  readonly #scan: SimulationScan;
  #steps = 0;
  #noted = 0;
  #isDrained = false;

  constructor(world: SimulationWorld, { inspect, actors }: SimulationOptions) {
    this.#world = world;
    const publications = new SimulatedPublications(world);
    this.#checks = new SimulationChecks(world, publications);
    this.#acts = new SimulatedActs(world, publications);
    this.#reports = new SimulationReports(world);
    this.#scan = new SimulationScan(world, this.#reports);
    this.#upgrader = new FakeUpgrader(world.clock);
    const application = new SimulatedApplication(world, this.#checks, this.#acts);
    const options = {
      ...application.options(),
      ...(inspect && { inspect }),
      ...(actors && { actors }),
    };
    world.supervisor = new ServiceSupervisor(options, this.#upgrader);
    this.#listen();
    this.#disturb();
    new SimulatedPeers(world, this.#checks).invite();
  }

  /** The subscriber of the events also acts and throws. */
  #listen(): void {
    const { supervisor, random, plan } = this.#world;
    supervisor.events$.subscribe((event) => {
      // The supervisor has no children, so all its reports concern accepted connections.
      this.#reports.take(event as SupervisorEvent<SimulatedConnection>);
      this.#checks.inUserCode('events$', 0);
      this.#acts.maybe();
      if (random.chance(plan.throwing / 4)) throw new Error('a subscriber threw');
    });
    this.#upgrader.throwsFor = (socket) => this.#breaks(socket);
    this.#upgrader.made = (socket) => {
      const life = this.#world.bySocket.get(socket.raw);
      if (life !== undefined) life.webSocket = socket;
      socket.throwsAtClose = this.#breaks(socket.raw);
      socket.raw.throwsAtDestroy = socket.throwsAtClose;
      if (random.chance(plan.stuck)) socket.closesAfterMs = random.pick(STUCK_MS);
    };
  }

  /** Now and then the transport itself fails, and the chart crashes. */
  #breaks(socket: FakeSocket): boolean {
    const life = this.#world.bySocket.get(socket);
    if (life === undefined || !this.#world.random.chance(0.005)) return false;
    life.deeds.add('transport broke');
    return true;
  }

  /** Plans what happens to the service as a whole. */
  #disturb(): void {
    const world = this.#world;
    const { random, plan, clock } = world;
    const sometime = () => random.integer(0, plan.drainAtMs);
    for (let left = plan.acts; left > 0; left -= 1) world.in(sometime(), () => this.#acts.any());
    if (plan.loud > 0) world.in(sometime(), () => this.#acts.shout());
    for (let left = plan.stalls; left > 0; left -= 1) world.in(sometime(), () => this.#stall());
    if (random.chance(0.2)) world.in(sometime(), () => clock.setWall(random.integer(-1e8, 1e8)));
    if (plan.latenessMs > 0) clock.timerLatenessMs = () => this.#lateness();
    world.in(plan.drainAtMs, () => this.#drain());
  }

  #lateness(): number {
    const { random, plan } = this.#world;
    return random.chance(0.2) ? plan.latenessMs * random.next() : 0;
  }

  #stall(): void {
    const { random, plan } = this.#world;
    const isSuspended = random.chance(0.2);
    const stallMs = isSuspended
      ? random.integer(3_600_000, 36_000_000)
      : random.integer(10, 3 * plan.heartbeat.intervalMs);
    this.#world.stall(stallMs);
  }

  #drain(): void {
    const { plan, supervisor, clock } = this.#world;
    this.#scan.drainBeganAtMs = clock.now();
    this.#scan.lostAtDrainMs = clock.lostMs;
    this.#world.note('drains');
    const drained = supervisor.drain({ withinMs: plan.withinMs, perSecond: plan.drainPerSecond });
    drained.then(
      () => this.#drained(),
      (error) => this.#world.broken('drain-ends-in-time', String(error)),
    );
  }

  #drained(): void {
    this.#world.note('drained');
    this.#world.isQuiet = true;
    this.#isDrained = true;
  }

  async run(): Promise<void> {
    const world = this.#world;
    while (this.#step() || world.hasMicrotasks) {
      if (world.hasMicrotasks) await this.#runMicrotasks();
      this.#check();
      if (world.violation !== null) return;
    }
    // A promise that the last step has settled has not called back yet.
    await this.#runMicrotasks();
    if (!this.#isDrained) world.broken('drain-ends-in-time', 'never');
    this.#scan.all();
    this.#scan.end();
  }

  #step(): boolean {
    const { clock, plan } = this.#world;
    try {
      return clock.step(plan.drainAtMs + AFTERMATH_MS + clock.lostMs);
    } catch (thrown) {
      this.#world.broken('nothing-reaches-the-process', textOf(thrown));
      return true;
    }
  }

  async #runMicrotasks(): Promise<void> {
    this.#world.hasMicrotasks = false;
    for (let turns = MICROTASK_TURNS; turns > 0; turns -= 1) await null;
  }

  /** Nothing changes between two steps in which nothing happened. */
  #check(): void {
    const { size } = this.#world.trace;
    if (size !== this.#noted) this.#reports.checkCounts();
    this.#noted = size;
    this.#steps += 1;
    if (this.#steps % STEPS_PER_SCAN === 0) this.#scan.all();
  }
}
