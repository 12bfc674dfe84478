// Goal: a worker of the lobby that has just started knows the latest lines and endings as soon as somebody asks for them. Method:
// several workers in this process, which share a bus.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  type Ending,
  inbound,
  isRoom,
  type LobbySupervisor,
  type Outbound,
  outbound,
  type Peer,
} from '../../docs/examples/lobby/contract.ts';
import { History } from '../../docs/examples/lobby/history.ts';
import { type Bus, createSupervisor, memoryBus } from '../../src/index.ts';
import { eventually, turns, until } from '../support/until.ts';

/** More than a worker remembers. */
const SAID = 50;
const KEPT = 40;

const lineOf = (number: number): Extract<Outbound, { type: 'line' }> => ({
  type: 'line',
  room: 'hold',
  line: { kind: 'message', id: `${number}`, from: 'c1', name: 'Ada', text: '', at: number },
});

const ending: Ending = {
  outcome: 'failed',
  worker: 'worker 1',
  at: 1,
  level: 'info',
  id: 'x.c1',
  cause: 'refused',
  phase: 'authenticating',
  address: '127.0.0.1',
};

describe('history of the lobby', () => {
  const supervisors: LobbySupervisor[] = [];

  const start = (bus?: Bus) => {
    const supervisor: LobbySupervisor = createSupervisor({
      bus,
      durable: isRoom,
      messages: inbound,
      sends: outbound,
      authenticate: (): Peer => ({ name: 'Ada' }),
    });
    supervisors.push(supervisor);
    return { supervisor, history: new History(supervisor, `worker ${supervisors.length}`) };
  };
  /** Starts a worker and waits until it hears what is kept in the room. */
  const running = async (bus?: Bus) => {
    const worker = start(bus);
    const topic = worker.supervisor.topic('hold');
    let isHeard = false;
    const heard = topic.messages$.subscribe(() => {
      isHeard = true;
    });
    await eventually(async () => {
      await topic.append({ type: 'padding', padding: '' });
      return isHeard;
    }, 'it hears what is kept');
    heard.unsubscribe();
    return worker;
  };
  const idsOf = async ({ history }: { readonly history: History }) =>
    (await history.linesOf('hold')).map(({ id }) => Number(id));
  const say = async ({ supervisor }: { readonly supervisor: LobbySupervisor }, number: number) =>
    supervisor.topic('hold').append(lineOf(number));

  afterEach(async () => {
    await Promise.all(supervisors.splice(0).map((supervisor) => supervisor.drain()));
  });

  const latest = Array.from({ length: KEPT }, (_, index) => SAID - KEPT + index + 1);

  it('has the latest lines, in one process and in another that was there', async () => {
    for (const bus of [undefined, memoryBus()]) {
      const one = await running(bus);
      const other = bus && (await running(bus));
      for (let number = 1; number <= SAID; number += 1) await say(one, number);
      assert.deepEqual(await idsOf(one), latest);
      if (other !== undefined) assert.deepEqual(await idsOf(other), latest);
    }
  });

  it('has each line once, although it is kept twice', async () => {
    const one = await running();
    for (const number of [1, 2, 1]) await say(one, number);
    assert.deepEqual(await idsOf(one), [1, 2]);
  });

  it('waits for what the others remember when a worker starts', async () => {
    const bus = memoryBus();
    const one = await running(bus);
    for (let number = 1; number <= SAID; number += 1) await say(one, number);
    await idsOf(one);
    // Asked before it has reached the others.
    assert.deepEqual(await idsOf(start(bus)), latest);
  });

  it('goes on waiting after the answer of a worker that does not know everything itself', async () => {
    const bus = memoryBus();
    const { supervisor } = await running(bus);
    const other = start(bus);
    const told = (number: number, isWhole: boolean) => {
      const lines = { harbour: [], bridge: [], galley: [], hold: [lineOf(number).line] };
      const topic = supervisor.topic('history');
      topic.publish({ type: 'history', from: 'x', isWhole, lines, endings: [] });
    };
    let isSettled = false;
    const ids = idsOf(other).finally(() => {
      isSettled = true;
    });
    await until(() => other.supervisor.bus === 'up', 'it hears the others');
    told(1, false);
    await turns(10);
    assert.equal(isSettled, false);
    told(2, true);
    assert.deepEqual(await ids, [1, 2]);
  });

  it('concludes after a while that there are no others', async () => {
    assert.deepEqual(await idsOf(start(memoryBus())), []);
  });

  it('sends those who watch already the endings that others remember', async () => {
    const bus = memoryBus();
    const one = start(bus);
    one.supervisor.topic('monitor').publish({ type: 'ended', ending });
    await idsOf(one);
    const two = start(bus);
    const heard: Outbound[] = [];
    two.supervisor.topic('monitor').messages$.subscribe((message) => heard.push(message));
    await until(() => heard.length > 0, 'the endings are published');
    assert.deepEqual(heard, [{ type: 'endings', endings: [ending] }]);
    assert.deepEqual(two.history.endings, [ending]);
    // They have them already.
    assert.equal(one.history.endings.length, 1);
  });
});
