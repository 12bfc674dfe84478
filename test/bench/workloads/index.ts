import type { Workload } from '../workload.ts';
import { accept, acceptFlat } from './accept.ts';
import { busPublish, busSocketIo } from './bus.ts';
import { busInterest } from './bus-interest.ts';
import { capacity } from './capacity.ts';
import { churn } from './churn.ts';
import { dialedHeap } from './dialed-heap.ts';
import { append, nodeKill, resume, sleepers } from './durable.ts';
import { echo } from './echo.ts';
import { burst, burstJoined, single } from './fan-out.ts';
import { flood } from './flood.ts';
import { growth } from './growth.ts';
import { heartbeat, heartbeatTraffic } from './heartbeat.ts';
import { idleHeap } from './idle-heap.ts';
import { importing } from './import.ts';
import { latency } from './latency.ts';
import { manyTopics } from './many-topics.ts';
import { massClose } from './mass-close.ts';
import { scaling } from './scaling.ts';
import { slowReader } from './slow-reader.ts';
import { storm } from './storm.ts';

/** The rows of a quick run: what users feel most. */
export const mainRows: readonly string[] = [
  'burst-ws',
  'burst-joined',
  'single-ws',
  'single-bare',
  'echo-ws',
  'latency-p50',
  'accept',
  'mass-close',
  'idle-heap',
  'import',
];

/** All workloads, in the order of the page. */
export const workloads: readonly Workload[] = [
  burst,
  burstJoined,
  single,
  manyTopics,
  echo,
  flood,
  latency,
  accept,
  acceptFlat,
  massClose,
  idleHeap,
  heartbeat,
  heartbeatTraffic,
  slowReader,
  churn,
  storm,
  dialedHeap,
  busPublish,
  busSocketIo,
  busInterest,
  append,
  sleepers,
  resume,
  nodeKill,
  importing,
  capacity,
  scaling,
  growth,
];
