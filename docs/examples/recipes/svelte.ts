import type { Observable } from 'rxjs';
import { type Readable, readable } from 'svelte/store';

/** The latest value of a stream, as a store. It subscribes while somebody reads the store. */
export function latestOf<Value, Initial>(
  stream$: Observable<Value>,
  initial: Initial,
): Readable<Value | Initial> {
  return readable<Value | Initial>(initial, (set) => {
    const subscription = stream$.subscribe(set);
    return () => subscription.unsubscribe();
  });
}
