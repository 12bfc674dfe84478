import { lineText } from '../campaign.ts';
import { type NodesResult, simulateNodes } from './nodes-simulation.ts';

const LINES_SHOWN = 60;

/** The result of many simulations of several processes. */
export interface NodesCampaign {
  readonly summary: string;
  /** The first one that broke a rule: the end of its trace, and how to repeat it. */
  readonly failure: string | undefined;
}

/** Simulates services of several processes, one seed after the other, up to the first that breaks a rule. */
export async function nodesCampaign(first: number, runs: number): Promise<NodesCampaign> {
  const sums = { runs: 0, connections: 0, deliveries: 0, heard: 0 };
  const began = process.cpuUsage();
  let failed: NodesResult | undefined;
  for (let seed = first; seed < first + runs && failed === undefined; seed += 1) {
    const result = await simulateNodes(seed);
    sums.runs += 1;
    for (const what of ['connections', 'deliveries', 'heard'] as const) sums[what] += result[what];
    if (result.violation !== null) failed = await simulateNodes(seed, { trace: true });
  }
  const { user, system } = process.cpuUsage(began);
  const count = (value: number) => value.toLocaleString('en');
  const summary =
    `${count(sums.runs)} services of several processes from seed ${first}: ` +
    `${count(sums.connections)} connections, ${count(sums.heard)} messages heard, ` +
    `${count(sums.deliveries)} deliveries checked\n` +
    `${((user + system) / 1_000 / sums.runs).toFixed(2)} ms of CPU each`;
  return { summary, failure: failed && failureText(failed) };
}

function failureText({ seed, violation, trace }: NodesResult): string {
  return [
    ...trace.slice(-LINES_SHOWN).map(lineText),
    `seed ${seed} breaks ${violation?.rule}: ${violation?.problem}`,
    `replay it with: npm run simulate -- --nodes --seed ${seed} --runs 1`,
    'then add the seed to the regressions in test/simulation/nodes.test.ts',
  ].join('\n');
}
