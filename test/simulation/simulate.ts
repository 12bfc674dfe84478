// Simulates whole services, one seed after the other, and prints what was exercised and what was found. With --nodes, each
// service has several processes on one bus.
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../package/repository.ts';
import { wholeNumber } from '../support/whole-number.ts';
import { type Campaign, campaign, failureText, writeRegression } from './campaign.ts';
import { nodesCampaign } from './nodes/nodes-campaign.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    runs: { type: 'string', default: '10000' },
    nodes: { type: 'boolean', default: false },
  },
});
const first = numberOf('seed', 0);
await (values.nodes ? simulateNodes() : simulateServices());

async function simulateServices(): Promise<void> {
  const outcome = await campaign(first, numberOf('runs', 1));
  console.log(summary(outcome));
  if (outcome.failure === undefined) return;
  console.log(`\n${failureText(outcome.failure)}`);
  console.log(`kept in ${relative(root, writeRegression(outcome.failure))}`);
  process.exitCode = 1;
}

async function simulateNodes(): Promise<void> {
  const { summary, failure } = await nodesCampaign(first, numberOf('runs', 1));
  console.log(summary);
  if (failure === undefined) return;
  console.log(`\n${failure}`);
  process.exitCode = 1;
}

/** Seeds have 32 bits, including those that follow. */
function numberOf(option: 'seed' | 'runs', least: number): number {
  try {
    return wholeNumber(`--${option}`, values[option], { least, most: 2 ** 32 - 1 });
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}

function summary({ runs, connections, events, virtualMs, tally, ...speed }: Campaign): string {
  const count = (value: number) => value.toLocaleString('en');
  const hours = count(Math.round(virtualMs / 3_600_000));
  return [
    `${count(runs)} services from seed ${first}: ${count(connections)} connections,` +
      ` ${count(events)} events, ${hours} hours of their time`,
    `${speed.cpuMs.toFixed(2)} ms of CPU each, ${count(speed.perSecond)} per second on one core`,
    ...['closed', 'failed'].flatMap((how) => endings(how, tally)),
  ].join('\n');
}

/** How often each cause was reported, the most frequent first, a few to a line. */
function endings(how: string, tally: Campaign['tally']): string[] {
  const told = [...tally]
    .filter(([what]) => what.startsWith(`${how} `))
    .sort(([, one], [, other]) => other - one)
    .map(([what, times]) => `${what.slice(how.length + 1)} ${times}`);
  const lines: string[] = [];
  for (let from = 0; from < told.length; from += 6) {
    lines.push(`${from === 0 ? how : ''}`.padEnd(8) + told.slice(from, from + 6).join(' · '));
  }
  return lines;
}
