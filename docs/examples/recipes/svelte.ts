import type { Observable } from 'rxjs';
import { type Readable, readable } from 'svelte/store';

/** Returns the latest value of a stream as a store. The store subscribes to the stream while it has a reader. */
export function latestOf<Value, Initial>(
  stream$: Observable<Value>,
  initial: Initial,
): Readable<Value | Initial> {
  return readable<Value | Initial>(initial, (set) => {
    const subscription = stream$.subscribe(set);
    return () => subscription.unsubscribe();
  });
}
