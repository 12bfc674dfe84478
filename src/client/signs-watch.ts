import type { ChartSystem } from '../chart/chart-system.ts';
import { guarded, settledNow } from '../core/guard.ts';
import type { Platform } from './client-runtime.ts';
import type { HostSigns, WatchSigns } from './host-signs.ts';
import type { ErrorReporter } from './reconnect/reconnect-policy.ts';

/**
 * Returns the platform of a client. With the option `signs`, the application watches the host instead of the platform.
 */
export function withSigns(
  platform: Platform,
  signs: WatchSigns | undefined,
  { notifications }: Pick<ChartSystem, 'notifications'>,
  streams: ErrorReporter,
): Platform {
  if (signs === undefined) return platform;
  // User code runs when the chart has settled.
  const run = (call: () => unknown) =>
    notifications.add(() => guarded(call, streams.report('signs')));
  return {
    ...platform,
    watchHost: (client) => {
      let isOver = false;
      let stop: unknown;
      const host: HostSigns = {
        offline: () => isOver || client.offline(),
        online: () => isOver || client.online(),
        woke: () => isOver || client.woke(),
      };
      run(() => {
        if (!isOver) stop = settledNow('signs', signs(host));
      });
      // Also when `signs` itself closes the client: the notification comes after it has returned.
      return () => {
        isOver = true;
        run(() => (typeof stop === 'function' ? stop() : undefined));
      };
    },
  };
}
