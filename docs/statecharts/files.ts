import { readChart } from './chart.ts';
import { chartPage } from './page.ts';
import { drawChart } from './picture.ts';
import { type Subject, subjects } from './subjects.ts';

/** A file as it has to be. */
export interface GeneratedFile {
  /** From the root of the sources. */
  readonly path: string;
  readonly text: string;
}

/** Every generated file. */
export async function generatedFiles(): Promise<readonly GeneratedFile[]> {
  return (await Promise.all(subjects.map(filesOf))).flat();
}

/** The picture and the page of one chart. */
export async function filesOf(subject: Subject): Promise<readonly GeneratedFile[]> {
  const chart = readChart(subject.machine);
  const path = `docs/statecharts/${chart.id}`;
  return [
    { path: `${path}.svg`, text: await drawChart(chart, subject) },
    { path: `${path}.md`, text: chartPage(chart, subject) },
  ];
}
