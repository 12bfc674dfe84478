import { arrowsOf } from './arrows.ts';
import { type Chart, type ChartState, isLeaf, isWithin, stateAt, statesBelow } from './chart.ts';
import { clusterOf, toDot } from './dot.ts';
import { type Box, type Layout, layOut, type Point, type Route } from './layout.ts';
import { arrowLines, boxSize, headerSize, linesSize, type Size } from './measure.ts';
import { arrowsIn, type Scope, solidAround, solidsIn } from './scope.ts';
import { faultsIn, type Obstacles, untidiness } from './tidiness.ts';

/** What readers should see first, and what belongs together. */
export interface Wishes {
  readonly mainArrows: readonly string[];
  readonly besides: readonly (readonly [string, string])[];
}

const PAD = 14;
/** Room for an arrow from inside to turn. */
const PAD_BELOW_LEAVER = 26;
/** The distance between the head of a state and its inside. */
const GAP = 12;

/**
 * Finds a place for everything inside a state.
 *
 * States that no arrow enters or leaves are placed separately first, and are one box for their
 * surroundings. That gives Graphviz small problems, which it solves well.
 */
export async function place(chart: Chart, state: ChartState, wishes: Wishes): Promise<Layout> {
  const insides = new Map<string, Inside>();
  for (const solid of solidsIn(chart, state)) {
    if (isLeaf(solid)) continue;
    insides.set(solid.path, insideOf(chart, solid, await place(chart, solid, wishes)));
  }
  const scope = scopeOf(chart, state, { ...wishes, insides });
  const layout = await tidiest(scope);
  const whole = [...insides].reduce((sum, inside) => withInside(sum, ...inside), layout);
  return withLeads(whole, scope);
}

const TRIES = 50;

/** Tries several orders of the same states until nothing is crossed, and takes the clearest. */
async function tidiest(scope: Scope): Promise<Layout> {
  const obstacles = obstaclesIn(scope);
  let best = await layOut(toDot(scope));
  for (let seed = 1; seed < TRIES && faultsIn(best, obstacles) > 0; seed += 1) {
    const layout = await layOut(toDot({ ...scope, seed }));
    if (untidiness(layout, obstacles) < untidiness(best, obstacles)) best = layout;
  }
  return best;
}

function obstaclesIn({ chart, arrows, solids }: Scope): Obstacles {
  const labels = new Map(arrows.map((arrow) => [arrow.id, linesSize(arrowLines(arrow))]));
  const headers = new Map(
    statesBelow(chart.root).map((state) => [clusterOf(state.path), headerSize(chart, state)]),
  );
  return {
    boxesIn: ({ boxes }) =>
      [...boxes].flatMap(([name, box]) => {
        const header = headers.get(name);
        if (header !== undefined) return [{ ...box, ...header }];
        return solids.has(name) ? [box] : [];
      }),
    labelBox(id, { x, y }) {
      const { width, height } = labels.get(id) ?? { width: 0, height: 0 };
      return { x: x - width / 2, y: y - height / 2, width, height };
    },
  };
}

/** The inside of a solid, and the part of it that should be in the middle. */
interface Inside extends Size {
  readonly layout: Layout;
  readonly axis: number;
  /** How far below the border the inside begins. */
  readonly top: number;
}

function insideOf(chart: Chart, solid: ChartState, layout: Layout): Inside {
  const leaver = arrowsOf(chart).find(
    ({ from, to }) =>
      from !== solid.path && isWithin(from, solid.path) && !isWithin(to, solid.path),
  );
  const box = leaver && boxOf(layout, stateAt(chart, leaver.from));
  const axis = box === undefined ? layout.width / 2 : middleOf(box);
  const width = Math.max(
    2 * Math.max(axis, layout.width - axis) + 2 * PAD,
    headerSize(chart, solid).width,
  );
  const top = headerSize(chart, solid).height + GAP;
  const bottom = leaver === undefined ? PAD : PAD_BELOW_LEAVER;
  return { layout, axis, width, top, height: layout.height + top + bottom };
}

function scopeOf(
  chart: Chart,
  state: ChartState,
  { mainArrows, besides, insides }: Wishes & { readonly insides: ReadonlyMap<string, Inside> },
): Scope {
  const sizes = solidsIn(chart, state).map((solid): [string, Size] => [
    solid.path,
    insides.get(solid.path) ?? boxSize(chart, solid),
  ]);
  // Regions are rows of the same length.
  const width = Math.max(...sizes.map(([, size]) => size.width));
  const solids = new Map(
    sizes.map(([path, size]) => [path, state.type === 'parallel' ? { ...size, width } : size]),
  );
  return {
    ...{ chart, state, solids, seed: 0, mainArrows, arrows: arrowsIn(chart, state) },
    besides: besides.filter((pair) => pair.every((path) => solids.has(path))),
  };
}

/** Arrows from deep inside a solid begin there, and not at its border. */
function withLeads(layout: Layout, { chart, solids, arrows }: Scope): Layout {
  const routes = new Map(layout.routes);
  for (const { id, from, isInward } of arrows) {
    const route = routes.get(id);
    if (route === undefined || isInward || solids.has(from)) continue;
    if (solidAround({ solids }, from) === undefined) continue;
    const box = boxOf(layout, stateAt(chart, from));
    routes.set(id, { ...route, lead: { x: middleOf(box), y: box.y + box.height } });
  }
  return { ...layout, routes };
}

function middleOf({ x, width }: Box): number {
  return x + width / 2;
}

/** The position of a state. @throws Error when it was not placed. */
export function boxOf({ boxes }: Layout, { path }: ChartState): Box {
  const box = boxes.get(path) ?? boxes.get(clusterOf(path));
  if (box === undefined) throw new Error(`no place for ${path}`);
  return box;
}

function withInside(whole: Layout, path: string, { layout, axis, top }: Inside): Layout {
  const outer = whole.boxes.get(path);
  if (outer === undefined) throw new Error(`no place for ${path}`);
  const by = { x: middleOf(outer) - axis, y: outer.y + top };
  const boxes = [...layout.boxes].map(
    ([name, box]) => [name, { ...box, ...moved(box, by) }] as const,
  );
  const routes = [...layout.routes].map(([id, route]) => [id, movedRoute(route, by)] as const);
  return {
    ...whole,
    boxes: new Map([...whole.boxes, ...boxes]),
    routes: new Map([...whole.routes, ...routes]),
  };
}

function moved({ x, y }: Point, by: Point): Point {
  return { x: x + by.x, y: y + by.y };
}

function movedRoute({ lead, points, tip, label }: Route, by: Point): Route {
  return {
    ...(lead && { lead: moved(lead, by) }),
    points: points.map((point) => moved(point, by)),
    tip: moved(tip, by),
    label: label && moved(label, by),
  };
}
