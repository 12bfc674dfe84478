import { connectionMachine } from 'mooring/machines';
import { readChart } from '../../statecharts/chart.ts';
import { connectionExamples } from '../../statecharts/examples.ts';
import { walk } from '../../statecharts/walk.ts';

/** Examples of the life of a connection as JSON. The page steps through them on the chart. */
export function chartExamples(): string {
  const chart = readChart(connectionMachine);
  const examples = connectionExamples.map((example) => ({
    title: example.title,
    stages: walk(connectionMachine, chart, example),
  }));
  return JSON.stringify(examples);
}
