/** The actor that an inspection event is about. */
export interface InspectedActor {
  /** Unique within the actor system. */
  readonly sessionId: string;
  /** The state of its chart. */
  getSnapshot(): unknown;
}

/**
 * One step of a chart, as XState's inspection API describes it.
 *
 * Written out here so that a project which checks the declarations of its packages needs no types of XState:
 * those do not pass `exactOptionalPropertyTypes`. A function that takes XState's own `InspectionEvent` fits, too.
 */
export type InspectionEvent = { readonly rootId: string; readonly actorRef: InspectedActor } & (
  | { readonly type: '@xstate.actor' }
  | {
      readonly type: '@xstate.event';
      readonly event: { readonly type: string };
      readonly sourceRef: InspectedActor | undefined;
    }
  | {
      readonly type: '@xstate.snapshot' | '@xstate.transition' | '@xstate.microstep';
      readonly event: { readonly type: string };
      readonly snapshot: unknown;
    }
  | {
      readonly type: '@xstate.action';
      readonly action: { readonly type: string; readonly params: unknown };
    }
);

/** An observer as XState and `@statelyai/inspect` make it. */
export interface InspectionObserver {
  /** Gets each step. */
  next?(event: InspectionEvent): void;
}

/** Sees every step of every chart. */
export type Inspector = NonNullable<InspectionObserver['next']> | InspectionObserver;

export const mustBeInspector = 'must be a function, or an observer with a function next';

/** Whether a value can see every step of every chart. */
export function isInspector(value: unknown): value is Inspector {
  if (typeof value === 'function') return true;
  return typeof (value as InspectionObserver | null | undefined)?.next === 'function';
}
