// Goal: the chart of a client, run from memory, is the chart. Method: drive both over random walks, and compare what
// they ordered and where they are after each fact.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ClientFact, clientFacts } from '../../machines/client-contract.ts';
import {
  type ChartedClient,
  type ClientChart,
  clientChart,
} from '../../src/client/client-chart.ts';

type Fact = ClientFact['type'];

/** A client that notes its orders, and answers some of them. */
class Recorder {
  readonly log: string[] = [];
  readonly chart: ClientChart;

  constructor(
    isInspected: boolean,
    answer: (order: string, chart: ClientChart) => void = () => {},
  ) {
    const client = new Proxy({} as ChartedClient, {
      get: (_, order) => (told?: { name?: string; message?: string }) => {
        this.log.push(`${String(order)} ${told?.name ?? ''} ${told?.message ?? ''}`);
        answer(String(order), this.chart);
      },
    });
    this.chart = clientChart(client, { parent: null, ...(isInspected && { inspect: () => {} }) });
  }
}

function pair(answer?: (order: string, chart: ClientChart) => void) {
  return [new Recorder(false, answer), new Recorder(true, answer)] as const;
}

function assertSame([remembered, inspected]: ReturnType<typeof pair>, label?: string): void {
  assert.deepEqual(remembered.log, inspected.log, label);
  assert.deepEqual(remembered.chart.states, inspected.chart.states, label);
}

const facts = fc.array(fc.constantFrom(...(Object.keys(clientFacts) as Fact[])), { maxLength: 40 });

describe('the client chart, run from memory', () => {
  it('does on any walk what the chart does', () => {
    const property = fc.property(facts, (walk) => {
      const both = pair();
      assertSame(both);
      for (const type of walk) {
        for (const { chart } of both) chart.send(type);
        assertSame(both, type);
      }
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('takes facts that come while it orders something up afterwards, in their order', () => {
    const both = pair((order, chart) => {
      if (order === 'dial')
        for (const type of ['connection.ended', 'stop.requested'] as const) chart.send(type);
    });
    for (const { chart } of both) chart.send('dial.requested');
    assertSame(both);
    assert.deepEqual(both[0].chart.states, ['stopped']);
  });

  it('says once that an order threw, and does nothing any more', () => {
    const both = pair((order) => {
      if (order === 'announceUp') throw new Error('broken');
    });
    for (const type of ['dial.requested', 'connection.opened', 'connection.ended'] as const) {
      for (const { chart } of both) chart.send(type);
    }
    const [remembered, inspected] = both;
    assert.deepEqual(remembered.log, inspected.log);
    assert.match(remembered.log.at(-1) ?? '', /crashed Error broken/);
  });
});
