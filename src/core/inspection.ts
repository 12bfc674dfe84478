/** The actor that an inspection event is about. */
export interface InspectedActor {
  /** Unique within the actor system. */
  readonly sessionId: string;
  /** The state of its chart. */
  getSnapshot(): unknown;
}

/**
 * One step of a chart, in the form of XState's inspection API.
 *
 * The type is written out here so that a project that checks the declarations of its packages needs no XState types, which do
 * not pass `exactOptionalPropertyTypes`. A function that takes XState's own `InspectionEvent` also fits.
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

/** An observer, such as those of XState and `@statelyai/inspect`. */
export interface InspectionObserver {
  /** Called with each step. */
  next?(event: InspectionEvent): void;
}

/** A function or an observer that receives every step of every chart. */
export type Inspector = NonNullable<InspectionObserver['next']> | InspectionObserver;

export const mustBeInspector = 'must be a function, or an observer with a function next';

/** Whether a value can be an inspector. */
export function isInspector(value: unknown): value is Inspector {
  if (typeof value === 'function') return true;
  return typeof (value as InspectionObserver | null | undefined)?.next === 'function';
}
