// Goal: topics, broadcasts and keys reach members of every supervisor on a bus. Method: supervisors on one bus in memory, each
// with a server of its own and real sockets.
import { memoryBus } from '../../src/index.ts';
import { nodesSuite } from '../support/nodes-suite.ts';

nodesSuite('memory bus', (count) => {
  const bus = memoryBus();
  return Array.from({ length: count }, () => bus);
});
