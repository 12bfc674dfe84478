import { connectionMachine } from '../../../machines/index.ts';
import { readChart } from '../../statecharts/chart.ts';
import { connectionExamples } from '../../statecharts/examples.ts';
import { walk } from '../../statecharts/walk.ts';

/** Ways through the life of a connection, for the page to step through on the chart, as JSON. */
export function chartExamples(): string {
  const chart = readChart(connectionMachine);
  const examples = connectionExamples.map((example) => ({
    title: example.title,
    stages: walk(connectionMachine, chart, example),
  }));
  return JSON.stringify(examples);
}
