/**
 * Supervises the WebSocket connections that a service accepts: admission, registry, topics, verdicts and drain.
 *
 * @packageDocumentation
 */
export type { MemoryBusOptions } from './bus/memory-bus.ts';
export { memoryBus } from './bus/memory-bus.ts';
export type { ArrowCount, ChartCounts } from './chart/chart-counts.ts';
export type {
  ActorObserver,
  ActorSubscribable,
  ActorSubscription,
  ChartActor,
  ChartSnapshot,
  ChartValue,
} from './core/actor.ts';
export type { Bus, BusHost, BusLink, Interest } from './core/bus.ts';
export type {
  BusLog,
  Entry,
  LogHost,
  LogInterest,
  NewEntry,
  Page,
  Place,
  Retention,
  Stored,
  Tail,
} from './core/bus-log.ts';
export type { Child, HasChildren } from './core/child.ts';
export type { Clock, TimerHandle } from './core/clock.ts';
export { systemClock } from './core/clock.ts';
export type {
  CloseClass,
  CloseCodeInfo,
  CloseFrame,
  Level,
  Retry,
} from './core/close-code.ts';
export { closeCodeInfo, closeCodes } from './core/close-code.ts';
export type { Codec } from './core/codec.ts';
export { binaryCodec, jsonCodec, textCodec, UndecodableError } from './core/codec.ts';
export type {
  Connection,
  ConnectionIdentity,
  ConnectionState,
  DialedConnection,
  Flow,
  FlushResult,
  RenewOptions,
  SendResult,
  SupervisedConnection,
} from './core/connection.ts';
export type { FaultMessage } from './core/contract.ts';
export type { ErrorCode, RefusedRequest } from './core/errors.ts';
export { errorCodes, MooringError } from './core/errors.ts';
export type {
  DrainReport,
  InvalidMessage,
  OfConnection,
  SupervisorEvent,
  UntimedEvent,
} from './core/events.ts';
export type {
  AcceptFailureCause,
  AnswerHeaders,
  DialFailureCause,
  Failure,
  FailureCause,
  FailurePhase,
  FailureResponse,
} from './core/failure.ts';
export type { HandlerName } from './core/guard.ts';
export type {
  InspectedActor,
  InspectionEvent,
  InspectionObserver,
  Inspector,
} from './core/inspection.ts';
export type { HeartbeatOptions, Limits, OverRatePolicy, Timeouts } from './core/limits.ts';
export type { Given } from './core/option-rules.ts';
export type {
  Receipt,
  Replied,
  RequestContext,
  RequestOptions,
  SendOptions,
} from './core/request.ts';
export { RequestRefusal } from './core/request.ts';
export type { StandardIssue, StandardResult, StandardSchemaV1 } from './core/standard-schema.ts';
export { escapeText } from './core/text.ts';
export type { Trail, TrailFact } from './core/trail.ts';
export { trailText } from './core/trail.ts';
export type { CloseCause, CloseVerdict, LocalCause, Origin } from './core/verdict.ts';
export type { LogLine } from './observe/log-folder.ts';
export type { Logger, LogMethod } from './observe/logger.ts';
export { logEvents, logLine } from './observe/logger.ts';
export type { AttachOptions } from './server/attach.ts';
export { attach } from './server/attach.ts';

export type {
  Admitted,
  AdmittedOptions,
  AdmittedPeer,
  AuthenticateContext,
  AuthenticateResult,
  HandlerConnection,
  HandlerPeer,
  RefusalOptions,
} from './server/authenticate-result.ts';

export { admitted, Refusal } from './server/authenticate-result.ts';
export type { CaptureOptions } from './server/capture.ts';
export { captureFrames } from './server/capture.ts';
export type { Disposer } from './server/handlers.ts';
export type { Listener, Listening, ListenOptions } from './server/listen.ts';
export { listen } from './server/listen.ts';
export type {
  AdmissionOptions,
  InvalidMessagePolicy,
  SupervisorOptions,
  SupervisorTimeouts,
  UnmatchedSubprotocolsPolicy,
} from './server/options.ts';
export type { AllowedHosts, AllowedOrigins } from './server/request-headers.ts';
export { createSupervisor } from './server/supervisor.ts';
export type {
  Appended,
  AppendOptions,
  AudienceOptions,
  BusState,
  ChartStatistics,
  Counts,
  Delivery,
  DrainOptions,
  KeyClosing,
  Overflow,
  SameKeyPolicy,
  Supervisor,
  SupervisorState,
  Topic,
  TopicOptions,
  TopicSize,
} from './server/supervisor-types.ts';
export type { AttachedSupervisor, UpgradePath } from './server/upgrade-dispatcher.ts';
export type { UpgradeServer } from './server/upgrade-server.ts';
export type { Upgrade } from './transport/upgrade.ts';
