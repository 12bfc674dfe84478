import type { InspectionEvent } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';

/** What is needed of a state node and of a transition definition of XState. */
interface Node {
  readonly id: string;
  readonly states: Readonly<Record<string, Node>>;
  readonly transitions: ReadonlyMap<string, readonly Transition[]>;
}
interface Transition {
  readonly source: Node;
  readonly eventType: string;
  readonly target?: readonly Node[] | undefined;
}

/** Which transitions of the two charts were taken, of all that they define. */
export class TransitionCoverage {
  readonly #taken = new Set<string>();

  /** An inspector that notes what is taken. */
  readonly inspect = (event: InspectionEvent): void => {
    if (event.type !== '@xstate.microstep') return;
    for (const transition of event._transitions as unknown as readonly Transition[]) {
      this.#taken.add(nameOf(transition));
    }
  };

  /** Those that were not taken, in the order of the charts. */
  get missed(): string[] {
    return defined().filter((name) => !this.#taken.has(name));
  }
}

/** Every transition that the charts define, as `source --event--> target`. */
export function defined(): string[] {
  return [connectionMachine.root, supervisorMachine.root].flatMap((root) =>
    definedBelow(root as unknown as Node),
  );
}

function definedBelow(node: Node): string[] {
  const own = [...node.transitions.values()].flat().map(nameOf);
  return [...own, ...Object.values(node.states).flatMap(definedBelow)];
}

function nameOf({ source, eventType, target }: Transition): string {
  const [goal] = target ?? [];
  return `${source.id} --${eventType}--> ${goal?.id ?? 'itself'}`;
}
