import { type ActorRefFrom, createActor, type InspectionEvent } from 'xstate';
import { hide } from '../../machines/hidden.ts';
import {
  type SupervisorFact,
  type SupervisorOrders,
  supervisorMachine,
} from '../../machines/supervisor.ts';
import { keyOf } from './chart-walk.ts';

/** A supervisor without connections. It records every order of its chart. */
export class RecordingSupervisor implements SupervisorOrders {
  readonly orders: string[] = [];
  readonly actor: ActorRefFrom<typeof supervisorMachine>;

  constructor(inspect?: (event: InspectionEvent) => void) {
    this.actor = createActor(supervisorMachine, {
      input: hide<SupervisorOrders>(this),
      ...(inspect && { inspect }),
    }).start();
  }

  /** The place that the chart is in. */
  get place(): string {
    return keyOf(this.actor.getSnapshot());
  }

  get isDone(): boolean {
    return this.actor.getSnapshot().status === 'done';
  }

  /** Sends a fact, or the exit signal of one connection. */
  make(fact: string): void {
    this.actor.send({ type: fact as SupervisorFact['type'] });
  }

  announceSuspended(): void {
    this.orders.push('announceSuspended');
  }

  announceAdmitting(): void {
    this.orders.push('announceAdmitting');
  }

  beginDrain(): void {
    this.orders.push('beginDrain');
  }

  expireAll(): void {
    this.orders.push('expireAll');
  }

  recordCrash(): void {
    this.orders.push('recordCrash');
  }

  finish(): void {
    this.orders.push('finish');
  }
}
