import { readChart } from './chart.ts';
import { drawExample } from './example-picture.ts';
import { chartPage } from './page.ts';
import { drawPlaced, placeChart } from './picture.ts';
import { type Subject, subjects } from './subjects.ts';
import { walk } from './walk.ts';

/** A file with its required content. */
export interface GeneratedFile {
  /** Its path from the root of the sources. */
  readonly path: string;
  readonly text: string;
}

/** Every generated file. */
export async function generatedFiles(): Promise<readonly GeneratedFile[]> {
  return (await Promise.all(subjects.map(filesOf))).flat();
}

/** The picture and the page of one chart, and the pictures of its examples. */
export async function filesOf(subject: Subject): Promise<readonly GeneratedFile[]> {
  const chart = readChart(subject.machine);
  const placed = await placeChart(chart, subject);
  const path = `docs/statecharts/${chart.id}`;
  const examples = subject.examples.map((example) => ({
    example,
    stages: walk(subject.machine, chart, example),
  }));
  return [
    { path: `${path}.svg`, text: drawPlaced(placed) },
    { path: `${path}.md`, text: chartPage(chart, subject, examples) },
    ...examples.map(({ example, stages }) => ({
      path: `${path}-${example.name}.svg`,
      text: drawExample(placed, example, stages),
    })),
  ];
}
