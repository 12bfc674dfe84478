import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { numberPlace, takenArrowView } from './arrow-view.ts';
import { type Arrow, arrowsOf } from './arrows.ts';
import { stateAt } from './chart.ts';
import type { Example } from './examples.ts';
import { escapeText, rounded } from './markup.ts';
import { packageRoot } from './package-root.ts';
import { drawingOf, framed, type PlacedChart, placedArrow, placedState } from './picture.ts';
import { litStateView } from './state-view.ts';
import { exampleStyle, pictureStyle } from './style.ts';
import type { Stage } from './walk.ts';

/** The strip above the chart, before it is scaled to the width of the chart. */
const STRIP = { width: 680, height: 78 } as const;
const BUTTON = { width: 84, height: 44, gap: 8 } as const;
const LINE = 17;
const LETTER_WIDTH = 6.9;
/** The number of letters that fit beside the buttons. */
const LETTERS_MAX = Math.floor((STRIP.width - 2 * BUTTON.width - 24) / LETTER_WIDTH);
/**
 * The fragment of its address that makes an image stand still, because media queries about motion have no
 * effect inside an image.
 */
export const STILL_ID = 'still';
const STILL = 'The numbers match the steps below the picture.';

/**
 * Draws an example: the chart, a strip above it that describes what happens, and a layer over both for each
 * step.
 *
 * In a page, as an image, its style plays the steps in a loop. For readers who prefer reduced motion the
 * style shows the whole way at once, with numbers. Opened by itself it also has buttons.
 */
export function drawExample(
  placed: PlacedChart,
  example: Example,
  stages: readonly Stage[],
): string {
  const { views, size } = drawingOf(placed);
  const { id } = placed.chart;
  const width = Math.max(size.width, STRIP.width);
  const scale = width / STRIP.width;
  const strip = (...parts: string[]) => group(`scale(${Math.round(scale * 100) / 100})`, parts);
  const left = rounded((width - size.width) / 2);
  const chart = (...parts: string[]) =>
    group(`translate(${left} ${rounded(STRIP.height * scale)})`, parts);
  const steps = stages.map(
    (stage, index) =>
      `<g class="step" style="--step: ${index}">${chart(...litViews(placed, stage))}${strip(
        line('step-fact', 1, `${index}/${stages.length - 1}  ${stage.fact ?? 'at the start'}`),
        ...telling(stage.text, 2),
      )}</g>`,
  );
  return framed({
    id: `${id}-${example.name}`,
    label: `Statechart: ${id}. ${example.title}, in ${stages.length - 1} steps`,
    classes: 'example',
    style: `${pictureStyle()}\n${exampleStyle(stages.length)}`,
    size: { width, height: size.height + STRIP.height * scale },
    views: [
      chart(...views),
      strip(line('step-title', 0, example.title)),
      `<g class="whole" id="${STILL_ID}">${chart(...wholeViews(placed, stages))}${strip(...telling(STILL, 1))}</g>`,
      `<g class="steps" aria-live="polite">\n${steps.join('\n')}\n</g>`,
      strip(button('Previous', -1), button('Next', 1)),
      `<script><![CDATA[\n${controls()}]]></script>`,
    ],
  });
}

function group(transform: string, parts: readonly string[]): string {
  return `<g transform="${transform}">${parts.join('\n')}</g>`;
}

/** The arrows of a step, and above them the states that are active after it. */
function litViews(placed: PlacedChart, { active, arrows }: Stage): readonly string[] {
  return [
    ...arrows.map((id) => takenArrowView(placedArrow(placed, arrowWith(placed, id)))),
    ...active.map((path) => {
      const state = stateAt(placed.chart, path);
      return litStateView(placed.chart, placedState(placed, state));
    }),
  ];
}

/** Every arrow of the example, with the numbers of its steps. */
function wholeViews(placed: PlacedChart, stages: readonly Stage[]): readonly string[] {
  const numbers = new Map<string, number[]>();
  for (const [index, { arrows }] of stages.entries()) {
    for (const id of arrows) numbers.set(id, [...(numbers.get(id) ?? []), index]);
  }
  return [...numbers].map(([id, steps]) => {
    const arrow = placedArrow(placed, arrowWith(placed, id));
    const { x, y } = numberPlace(arrow);
    return takenArrowView(arrow) + numberView(steps.join(' '), x, y);
  });
}

function arrowWith({ chart }: PlacedChart, wanted: string): Arrow {
  const found = arrowsOf(chart).find(({ id }) => id === wanted);
  if (found === undefined) throw new Error(`${chart.id} has no arrow ${wanted}`);
  return found;
}

/** To the left of a point. */
function numberView(text: string, x: number, y: number): string {
  const width = 10 + text.length * LETTER_WIDTH;
  const place = `x="${rounded(x - width)}" y="${rounded(y - 9)}" width="${rounded(width)}"`;
  return `<g class="number"><rect ${place} height="18" rx="9"/><text x="${rounded(x - width / 2)}" y="${rounded(y + 4)}">${text}</text></g>`;
}

/** What happens, in as many lines as needed. */
function telling(text: string, from: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.replaceAll('`', '').split(' ')) {
    const longer = [lines.at(-1), word].filter(Boolean).join(' ');
    if (lines.length > 0 && longer.length <= LETTERS_MAX) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((words, index) => line('step-text', index + from, words));
}

function line(kind: string, index: number, text: string): string {
  return `<text class="${kind}" x="0" y="${13 + index * LINE + (index > 0 ? 5 : 0)}">${escapeText(text)}</text>`;
}

/** The buttons are at the right end, in this order. */
function button(name: string, by: 1 | -1): string {
  const x = STRIP.width - BUTTON.width - (by === 1 ? 0 : BUTTON.width + BUTTON.gap);
  const box = `<rect x="${x}" y="0" width="${BUTTON.width}" height="${BUTTON.height}" rx="9"/>`;
  const text = `<text x="${x + BUTTON.width / 2}" y="${BUTTON.height / 2 + 5}">${name}</text>`;
  return `<g class="button" role="button" tabindex="0" aria-label="${name} step" data-by="${by}">${box}${text}</g>`;
}

function controls(): string {
  return readFileSync(join(packageRoot(), 'docs/statecharts/step-controls.js'), 'utf8');
}
