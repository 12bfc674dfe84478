/**
 * The client of a page with XState: its `actor` and `inspect` work, and the page also loads XState.
 *
 * @packageDocumentation
 */
export type {
  ActorObserver,
  ActorSubscribable,
  ActorSubscription,
  ChartActor,
  ChartSnapshot,
  ChartValue,
} from '../core/actor.ts';
export type { Clock, TimerHandle } from '../core/clock.ts';
export type { CloseFrame, Retry } from '../core/close-code.ts';
export type { Codec } from '../core/codec.ts';
export { binaryCodec, jsonCodec, textCodec, UndecodableError } from '../core/codec.ts';
export type {
  ConnectionState,
  DialedConnection,
  Flow,
  FlushResult,
  SendResult,
  SupervisedConnection,
} from '../core/connection.ts';
export type { FaultMessage } from '../core/contract.ts';
export type { ErrorCode, RefusedRequest } from '../core/errors.ts';
export { MooringError } from '../core/errors.ts';
export type { ClientEvent, ClientHandlerName, DropReason, InvalidMessage } from '../core/events.ts';
export type {
  AcceptFailureCause,
  DialFailureCause,
  Failure,
  FailureCause,
  FailurePhase,
  FailureResponse,
} from '../core/failure.ts';
export type {
  InspectedActor,
  InspectionEvent,
  InspectionObserver,
  Inspector,
} from '../core/inspection.ts';
export type { Given } from '../core/option-rules.ts';
export type { Recovery, RecoveryCause } from '../core/recovery.ts';
export type {
  Receipt,
  Replied,
  RequestContext,
  RequestOptions,
  SendOptions,
} from '../core/request.ts';
export { RequestRefusal } from '../core/request.ts';
export type { StandardIssue, StandardResult, StandardSchemaV1 } from '../core/standard-schema.ts';
export type { Trail, TrailFact } from '../core/trail.ts';
export type { CloseVerdict } from '../core/verdict.ts';
export type {
  Client,
  ClientCondition,
  ClientSendOptions,
  ClientState,
  ClientStatus,
  Ending,
  GaveUp,
} from './client-types.ts';
export { createClient } from './create-browser-inspect-client.ts';
export type {
  ClientHeartbeatOptions,
  HeartbeatAnswer,
  HeartbeatMatch,
} from './heartbeat-options.ts';
export type { HostSigns, WatchSigns } from './host-signs.ts';
export type { PageClientOptions as ClientOptions } from './page-options.ts';
export type { BackoffOptions, RestartOptions } from './reconnect/backoff.ts';
export type { PrivateCodes, RetryDecision } from './reconnect/retry.ts';
export { privateCodes } from './reconnect/retry.ts';
export type { Resolvable } from './reconnect/route.ts';
