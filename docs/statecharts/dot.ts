import type { Arrow } from './arrows.ts';
import { type ChartState, leavesBelow } from './chart.ts';
import { arrowLines, headerSize, linesSize, type Size } from './measure.ts';
import { type Scope, solidAround } from './scope.ts';
import { shuffled } from './shuffle.ts';

/** The name of the dot where a chart starts. */
export const START = 'start';

/** The name of the space that Graphviz reserves for a state whose inside it places, too. */
export function clusterOf(path: string): string {
  return `cluster_${path}`;
}

/**
 * Writes the inside of one state in Graphviz's language, without any text: every name and label is only
 * the space that it takes, so that the layout does not depend on fonts.
 *
 * Graphviz has no arrows between states that contain others, so such an arrow gets an end of its own
 * inside, at the top or at the bottom, and is cut at the border.
 */
export function toDot(scope: Scope): string {
  const isWhole = scope.state.path === '';
  // Parallel regions are stacked, and each of them runs from left to right.
  const direction = scope.state.type === 'parallel' || scope.state.isRegion ? 'LR' : 'TB';
  return `digraph {
  graph [rankdir=${direction}, compound=true, newrank=true, nodesep=0.22, ranksep=0.3]
  node [shape=box, fixedsize=true, label=""]
  edge [arrowsize=0.7, label=""]
${isWhole ? startOf(scope) : ''}
${inOrder(scope, scope.state)
  .map((state) => drawState(scope, state))
  .join('\n')}
${scope.state.states.length > 0 ? endsIn(scope, scope.state).join('\n') : ''}
${shuffled(scope.arrows, scope.seed)
  .map((arrow) => drawArrow(scope, arrow))
  .join('\n')}
${scope.besides.map(([one, other]) => `{ rank=same; "${one}"; "${other}" }`).join('\n')}
}`;
}

/** Graphviz begins at the bottom when it places parallel regions. */
function inOrder({ seed }: Scope, { type, states }: ChartState): readonly ChartState[] {
  return type === 'parallel' ? states.toReversed() : shuffled(states, seed);
}

function drawState(scope: Scope, state: ChartState): string {
  const solid = scope.solids.get(state.path);
  if (solid !== undefined) return `"${state.path}" [${inches(solid)}]`;
  return `subgraph "${clusterOf(state.path)}" {
  margin=14; labeljust=l; label=${space(headerSize(scope.chart, state))}
${inOrder(scope, state)
  .map((child) => drawState(scope, child))
  .join('\n')}
${endsIn(scope, state).join('\n')}
}`;
}

/** The ends inside a state of the arrows that begin or end at its border. */
function endsIn({ arrows }: Scope, state: ChartState): readonly string[] {
  return arrows.flatMap((arrow) => {
    const [tail, head] = [tailOf(arrow), headOf(arrow)];
    if (arrow.from === state.path && arrow.isInward) return [`"${tail}" [${POINT}]`];
    if (arrow.from === state.path) return [`"${tail}" [${POINT}]`, ...around(state, ['', tail])];
    if (arrow.to === state.path) return [`"${head}" [${POINT}]`, ...around(state, [head, ''])];
    return [];
  });
}

const POINT = 'width=0.05, height=0.01';

/** Keeps the end of an arrow above or below everything inside a state. */
function around(state: ChartState, [above, below]: readonly [string, string]): readonly string[] {
  return leavesBelow(state).map(
    ({ path }) => `"${above || path}" -> "${below || path}" [style=invis, weight=0]`,
  );
}

function tailOf({ id }: Arrow): string {
  return `tail ${id}`;
}

function headOf({ id }: Arrow): string {
  return `head ${id}`;
}

function startOf({ state, solids }: Scope): string {
  const first = state.states.find(({ isFirst }) => isFirst);
  if (first === undefined) return '';
  const isSolid = solids.has(first.path);
  const [inside = first] = isSolid ? [first] : leavesBelow(first);
  const border = isSolid ? '' : `, lhead="${clusterOf(first.path)}"`;
  return `  ${START} [width=0.16, height=0.16, shape=circle]
  ${START} -> "${inside.path}" [id="${START}", weight=8${border}]`;
}

function drawArrow(scope: Scope, arrow: Arrow): string {
  const attributes = [`id="${arrow.id}"`, `label=${space(linesSize(arrowLines(arrow)))}`];
  if (scope.mainArrows.includes(arrow.id)) attributes.push('weight=6');
  const tail = solidAround(scope, arrow.from);
  const head = solidAround(scope, arrow.to);
  if (tail === undefined && !arrow.isInward) attributes.push(`ltail="${clusterOf(arrow.from)}"`);
  if (head === undefined) attributes.push(`lhead="${clusterOf(arrow.to)}"`);
  return `"${tail ?? tailOf(arrow)}" -> "${head ?? headOf(arrow)}" [${attributes.join(', ')}]`;
}

function inches({ width, height }: Size): string {
  return `width=${(width / 72).toFixed(3)}, height=${(height / 72).toFixed(3)}`;
}

/** An empty label of an exact size. */
function space({ width, height }: Size): string {
  const [w, h] = [Math.ceil(width) + 8, Math.ceil(height) + 4];
  return `<<TABLE BORDER="0" FIXEDSIZE="TRUE" WIDTH="${w}" HEIGHT="${h}"><TR><TD></TD></TR></TABLE>>`;
}
