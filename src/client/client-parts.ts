import type { Parent } from '../connection/parent.ts';
import type { PortContext } from '../connection/port-host.ts';
import type { Contract } from '../core/contract.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import type { ErrorReporter, Redial } from './redial.ts';

/** What a client is made of. */
export interface ClientParts<In, Out> {
  /** What is known of it before the first attempt. */
  readonly url: string;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly context: PortContext;
  readonly contract: Contract<In, Out, unknown>;
  readonly platform: Platform;
  readonly parent: Parent | null;
  /** Makes what decides whether it dials again, when, and where. */
  readonly makeRedial: (reporter: ErrorReporter) => Redial;
}
