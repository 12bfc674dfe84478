import type { HostObserver } from './platform.ts';

/** What is used of a page: its window and its document. Where a client runs without one, there is nothing to watch. */
interface Page extends Partial<EventTarget> {
  readonly document?: EventTarget & { readonly visibilityState?: string };
  readonly navigator?: { readonly onLine?: boolean };
}

/**
 * Watches a page for signs that its connection may be gone, or can be had again.
 *
 * A hidden tab is throttled, a frozen one stands still, and a phone changes its network: whoever comes back from
 * that asks at once instead of waiting for a deadline that has been asleep as well.
 */
export function watchPageLifecycle(
  observer: HostObserver,
  page: Page = globalThis as unknown as Page,
): () => void {
  const offline = () => observer.networkLost();
  const online = () => observer.networkReturned();
  const awake = () => {
    if (page.document?.visibilityState !== 'hidden') observer.onWake();
  };
  const { document } = page;
  const signs: [Partial<EventTarget> | undefined, string, () => void][] = [
    [page, 'offline', offline],
    [page, 'online', online],
    [page, 'pageshow', awake],
    [document, 'visibilitychange', awake],
    [document, 'resume', awake],
  ];
  for (const [target, type, listener] of signs) target?.addEventListener?.(type, listener);
  if (page.navigator?.onLine === false) offline();
  return () => {
    for (const [target, type, listener] of signs) target?.removeEventListener?.(type, listener);
  };
}
